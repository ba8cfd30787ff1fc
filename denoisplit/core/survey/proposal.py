"""Records of a proposed experiment, ready to be written."""

from pathlib import Path
from typing import Any

import attrs

from denoisplit.core.survey.sizing import Size


@attrs.frozen(kw_only=True)
class DatasetPlan:
    """One data set of the spec.

    Attributes:
        key: ``train``, ``validation`` or ``test``.
        why: reason, one line.
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
    """How channels are mixed.

    Attributes:
        mode: ``mean`` or ``sum``; empty for one channel, which is not mixed.
        mode_why: reason, one line.
        offset: counts without light.
        offset_why: reason, one line.
    """

    mode: str
    mode_why: str
    offset: float
    offset_why: str


@attrs.frozen(kw_only=True)
class Held:
    """Fields to hold out of training where no folder has them.

    Attributes:
        fraction: fraction of the fields, or of every field.
        regions: whether a part of every field is held out instead of whole fields.
        gap: pixels between two regions.
        why: reason, one line.
    """

    fraction: float
    regions: bool = False
    gap: int = 0
    why: str


@attrs.frozen(kw_only=True)
class Plan:
    """A proposed experiment.

    Attributes:
        found: descriptions of the images that were found, a line each.
        questions: questions to the user, a sentence each with the options.
        remarks: remarks for the user, a sentence each.
        preset: preset to start from.
        preset_why: reason, one line.
        channels: names of the structures.
        channels_why: reason, one line.
        datasets: the data sets, training first.
        held: see ``Held``; None where a folder serves for validation.
        mixing: see ``MixingPlan``.
        noise_pairs: source of the noise pairs.
        noise_why: reason, one line.
        size: size of network and training.
        gpu: name of the GPU to train on; empty for none.
        duration: estimated time of training; empty where it was not measured.
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
