"""Runs whose spec is changed by ``--set``: other images, mixing or samples for the same network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from denoisplit.core.runs.run import Run
    from denoisplit.core.spec.records import ResolvedSpec


def changed_spec(run: "Run", overrides: Sequence[str]) -> "ResolvedSpec":
    """The spec of a run with overrides.

    Raises:
        SpecError: an override that does not fit, or that changes what belongs to the run.
    """
    from denoisplit.core.registry import installed_registry
    from denoisplit.core.spec import read_spec, resolve
    from denoisplit.core.training.prepare import require_same_range

    spec = run.spec
    if overrides:  # the file of an early run does not say how noise is drawn, and meant what its bundle says
        noise = f"data.degradation.noise={spec.data.degradation.noise}"
        spec = resolve(read_spec(run.folder.spec, (noise, *overrides)), installed_registry())
    require_same_range(spec, run.spec)
    return spec
