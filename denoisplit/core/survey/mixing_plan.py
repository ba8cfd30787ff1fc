"""Plan of the mixing of channels, and the counts without light."""

from typing import Final

import numpy as np

from denoisplit.core.survey.channels import ChannelNames
from denoisplit.core.survey.findings import Facts, Part
from denoisplit.core.survey.proposal import MixingPlan

_CLOSE: Final = 0.25
_COUNTS: Final = 10.0
"""Smallest mean of images that are taken for counts of a camera."""


def mixing_plan(train: Part, named: ChannelNames, facts: Facts, *, given: str) -> tuple[MixingPlan, str]:
    """Plan mode and offset; return them and a question to the user (empty for none)."""
    offset, offset_why = _offset(facts)
    if len(named.names) == 1:
        return MixingPlan(mode="", mode_why="", offset=offset, offset_why=offset_why), ""
    mode, why, question = _mode(train, named, facts, offset, given)
    return MixingPlan(mode=mode, mode_why=why, offset=offset, offset_why=offset_why), question


def _rounded(counts: float, facts: Facts) -> float:
    """Round to whole counts of a camera, or to two digits for images in other units."""
    if max(channel.mean for channel in facts.channels) >= _COUNTS:
        return round(counts)
    return float(f"{counts:.2g}")


def _offset(facts: Facts) -> tuple[float, str]:
    """Return the dark level of the channels, which share a camera, and its explanation."""
    known = [channel.offset for channel in facts.channels if channel.offset is not None]
    if known:
        return _rounded(float(np.median(known)), facts), (
            "counts without light, where the noise would vanish (an estimate: better measure it with the "
            "shutter closed)"
        )
    darkest = max(0, _rounded(min(channel.darkest for channel in facts.channels), facts))
    return darkest, (
        "counts without light: the darkest places of the images, an upper limit (better measure it with the "
        "shutter closed)"
    )


def _mode(train: Part, named: ChannelNames, facts: Facts, offset: float, given: str) -> tuple[str, str, str]:
    if given:
        return given, "as you said", ""
    if facts.mixed_mean is not None and named.all_taken:
        light = facts.mixed_mean - offset
        total = sum(channel.mean - offset for channel in facts.channels)
        for mode, expected in (("sum", total), ("mean", total / len(named.names))):
            if expected > 0 and abs(light / expected - 1) < _CLOSE:
                return mode, f"the recorded mixed images are as bright as the {mode} of the channels", ""
    if train.mixed:
        return (
            "sum",
            "the mixed images are recorded; this serves the comparisons of evaluate only",
            (
                "Are exposure and laser power of the mixed images those of the channels? They are neither "
                "as bright as the sum of the channels nor as their mean. Check that the files belong "
                "together."
            ),
        )
    return (
        "mean",
        "EDIT: mean where mixed images are averages, sum where one exposure shows all structures",
        (
            "How will your mixed images be formed? mode: mean (as written) if they are averages of the "
            "channels, mode: sum if one exposure shows all structures at once (or run again with --mixing "
            "sum)."
        ),
    )
