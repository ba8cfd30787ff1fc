"""A proposed experiment, as records that are ready to be written."""

from pathlib import Path
from typing import Any

import attrs

from denoisplit.core.survey.sizing import Size


@attrs.frozen(kw_only=True)
class DatasetPlan:
    """One data set of the spec.

    Attributes:
        key: ``train``, ``validation`` or ``test``.
        why: one line.
        use: name of the component.
        path: its folder.
        options: name and value of the other options.
    """

    key: str
    why: str
    use: str
    path: Path
    options: tuple[tuple[str, Any], ...] = ()


@attrs.frozen(kw_only=True)
class MixingPlan:
    """How the mixed image comes about.

    Attributes:
        mode: ``mean`` or ``sum``; empty for one channel, which is not mixed.
        mode_why: one line.
        offset: counts without light.
        offset_why: one line.
    """

    mode: str
    mode_why: str
    offset: float
    offset_why: str


@attrs.frozen(kw_only=True)
class Held:
    """Which fields are held out of training, where no folder says so.

    Attributes:
        fraction: of the fields, or of every field.
        regions: whether a part of every field is held out instead of whole fields.
        gap: pixels between two regions.
        why: one line.
    """

    fraction: float
    regions: bool = False
    gap: int = 0
    why: str


@attrs.frozen(kw_only=True)
class Plan:
    """A proposed experiment.

    Attributes:
        found: what was found, a line each.
        questions: what the images do not tell, a sentence each with the options.
        remarks: what to know, a sentence each.
        preset: to start from.
        preset_why: one line.
        channels: names of the structures.
        channels_why: one line.
        datasets: training first.
        held: see ``Held``; None where a folder serves for validation.
        mixing: see ``MixingPlan``.
        noise_pairs: what the noise is learnt from.
        noise_why: one line.
        size: of network and training.
        gpu: name of the GPU to train on; empty for none.
        duration: how long training takes; empty where it was not measured.
    """

    found: tuple[str, ...]
    questions: tuple[str, ...]
    remarks: tuple[str, ...]
    preset: str
    preset_why: str
    channels: tuple[str, ...]
    channels_why: str
    datasets: tuple[DatasetPlan, ...]
    held: Held | None
    mixing: MixingPlan
    noise_pairs: str
    noise_why: str
    size: Size
    gpu: str = ""
    duration: str = ""
