"""Proposal of a spec for a folder of images."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from denoisplit.core.devices import choose_device, memory_budget, name_of
from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.registry.registry import Registry
from denoisplit.core.spec.resolution import resolve
from denoisplit.core.spec.tree import parse_spec
from denoisplit.core.survey.arranging import arrange
from denoisplit.core.survey.dataset_plans import Abilities
from denoisplit.core.survey.deciding import decide
from denoisplit.core.survey.finding import find_images
from denoisplit.core.survey.findings import Machine
from denoisplit.core.survey.measuring import measure
from denoisplit.core.survey.proposal import Plan
from denoisplit.core.survey.spec_text import spec_text
from denoisplit.core.survey.timing import QUICK_FIT, StepTime, in_words, step_time

_OVERHEAD = 1.1
"""Validations, the fit of the noise models and the calibration take a tenth of the time of the steps."""


@attrs.frozen
class Proposal:
    """A proposed spec."""

    plan: Plan
    text: str


def this_machine() -> Machine:
    """Describe this machine: most of a GPU's free memory, or a quarter of the computer's."""
    device = choose_device()
    return Machine(
        memory=memory_budget(device),
        gpu=name_of(device),
        cores=os.cpu_count() or 1,
    )


def propose(
    folder: Path,
    path: Path,
    *,
    formats: Sequence[ImageFormat],
    registry: Registry,
    axes: str = "",
    channels: Sequence[str] = (),
    mixing: str = "",
    machine: Machine | None = None,
    timed: bool = True,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Proposal:
    """Propose a spec for a folder of images.

    Args:
        folder: folder with the images.
        path: path where the spec will be; nothing is written.
        formats: the installed formats.
        registry: registry of the installed components.
        axes: overrides the axes in the files.
        channels: names of the channels, ``-`` for one to leave out.
        mixing: ``mean`` or ``sum``, if known.
        machine: machine to train on; None for this one.
        timed: whether to time some training steps, which takes seconds.
        progress: callback for (done, total) of the files.

    Raises:
        ImageError: no images, or none that allow an experiment.
        SpecError: names that do not fit the files.
    """
    found = find_images(folder, formats, axes=axes, progress=progress)
    arrangement = arrange(found)
    facts = measure(found, arrangement.train, formats)
    plan = decide(
        found,
        arrangement,
        facts,
        machine or this_machine(),
        Abilities.of(registry),
        channels=channels,
        mixing=mixing,
    )
    text = spec_text(plan, path)
    overrides = QUICK_FIT if timed else ()
    spec = resolve(parse_spec(text, overrides, name=str(path), folder=path.parent), registry)
    if timed:
        step = step_time(spec)
        plan = attrs.evolve(plan, duration=_duration(step, plan.size.steps))
        text = spec_text(plan, path)
    return Proposal(plan, text)


def _duration(step: StepTime, steps: int) -> str:
    idle, elapsed = (in_words(_OVERHEAD * steps * seconds) for seconds in (step.idle, step.elapsed))
    timed = f"an estimate: {steps} steps of {step.idle:.2g} s, timed just now"
    if step.busy:
        return (
            f"training takes about {idle} on this machine if nothing else runs ({timed}); other programs "
            f"keep it busy now, and as long as they do, it takes about {elapsed}"
        )
    return (
        f"training takes about {idle} on this machine ({timed}; other programs that run at the same time "
        f"make it longer)"
    )
