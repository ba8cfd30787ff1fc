"""Runs whose spec is changed by ``--set``: other images, mixing or samples for the same network."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from denoisplit.cli.console import override_option

if TYPE_CHECKING:
    from denoisplit.core.runs.run import Run
    from denoisplit.core.spec.records import ResolvedSpec

set_option: Final = override_option(
    "Override a value of the run's spec, for example data.test for other images; repeatable. A relative path "
    "in it starts in RUN."
)

_CHANGEABLE: Final = ("data", "prediction", "metrics")
_WITH_IMAGES: Final = ("channels", "plugins")
"""What other images may need: the names of what they show, and the code that reads them."""


def changed_spec(run: "Run", overrides: Sequence[str]) -> "ResolvedSpec":
    """The spec of a run with overrides.

    Raises:
        SpecError: an override that does not fit, or that changes what belongs to the run.
    """
    from denoisplit.core.errors import SpecError
    from denoisplit.core.registry import installed_registry
    from denoisplit.core.spec import read_spec, resolve
    from denoisplit.core.training.data.prepare import require_same_range

    spec = run.spec
    if overrides:  # the file of an early run does not say how noise is drawn, and meant what its bundle says
        noise = f"data.degradation.noise={spec.data.degradation.noise}"
        spec = resolve(read_spec(run.folder.spec, (noise, *overrides)), installed_registry())
    if problems := [*_unchangeable(overrides)]:
        raise SpecError(problems)
    require_same_range(spec, run.spec)
    return spec


def names_images(overrides: Sequence[str]) -> bool:
    """Whether overrides name images, with ``data.test=...`` or the like."""
    named = (["data"], ["data", "test"], ["data", "train"])
    return any(_keys(override)[:2] in named for override in overrides)


def _unchangeable(overrides: Sequence[str]) -> Iterator[str]:
    """A line for each override that would count for nothing."""
    with_images = any(_keys(override)[0] == "data" for override in overrides)
    for override in overrides:
        key = _keys(override)[0]
        if key in _CHANGEABLE or (key in _WITH_IMAGES and with_images):
            continue
        if key in _WITH_IMAGES:
            yield f"--set {override}: {key} are those of other images. Set data.test, too, or leave it out."
        else:
            yield (
                f"--set {override}: {key} belongs to the run; data, prediction and metrics can be others. "
                "Leave it out of --set, or train anew with it."
            )


def _keys(override: str) -> list[str]:
    return override.partition("=")[0].strip().split(".")
