"""Whether a network is worth using: how much closer to the truth it is than the baselines without one."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from denoisplit.core.assessment.catalogue import chosen_metrics
from denoisplit.core.assessment.score import BLURRED, SHARE, SPLIT
from denoisplit.core.assessment.scores import EvaluatedField, Scores, evaluate_fields
from denoisplit.core.images.mixing import Mixing

MEASURES: Final = {"range_invariant_psnr": "range-invariant PSNR (RI-PSNR)", "psnr": "PSNR"}
"""Metrics in dB, with what they are in words; the first that was computed counts."""

USUAL_MEASURE: Final = next(iter(MEASURES.values()))
"""Measure of the gains that a run holds, in words."""

CLEAR: Final = 0.5
"""Smallest reliable gain, dB."""


def gains(scores: Scores) -> dict[str, float]:
    """Gain of each channel over the better one of the baselines, dB; only known gains."""
    taken = _taken(scores)
    if not taken:
        return {}
    found = {}
    for channel in scores.channels:
        ours, *trivial = (scores.of(channel, taken, method).mean for method in (SPLIT, BLURRED, SHARE))
        known = [value for value in trivial if value is not None]
        if ours is not None and known and math.isfinite(gain := ours - max(known)):
            found[channel] = gain
    return found


def measure(scores: Scores) -> str:
    """What the gains are measured in, in words; empty without any."""
    return MEASURES.get(_taken(scores), "")


def sentence(found: Mapping[str, float], measured: str) -> str:
    """One line on whether to use the network; empty if nothing was measured.

    Args:
        found: gain of each channel, dB.
        measured: what they are measured in, in words.
    """
    if not found:
        return ""
    gained = listed([f"{gain:+.1f} dB ({channel})" for channel, gain in found.items()])
    each = f"{gained}, in {measured}"
    if min(found.values()) < 0:
        worse = listed([channel for channel, gain in found.items() if gain < 0])
        return (
            f"Do not use this network for {worse}: the blurred or the untreated mixed image is closer to the "
            f"truth: {each}. Train it for more steps or on more images."
        )
    if min(found.values()) < CLEAR:
        return f"This network is hardly better than the trivial answers: {each}. Train it for more steps."
    return f"This network is worth using: it is better than both trivial answers by {each}."


def measured_gains(
    fields: Sequence[EvaluatedField], channels: Sequence[str], mixing: Mixing
) -> dict[str, float]:
    """Measure the gains on fields, without all the other scores.

    Raises:
        ImageError, ChannelCountError: see ``evaluate_fields``.
    """
    metrics = chosen_metrics(list(MEASURES)[:1])
    return gains(evaluate_fields(fields, channel_names=channels, mixing=mixing, metrics=metrics))


def _taken(scores: Scores) -> str:
    """Name of the metric that counts; empty if none was computed."""
    return next((name for name in MEASURES if name in {metric.name for metric in scores.metrics}), "")


def listed(words: Sequence[str]) -> str:
    """Join words as in ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
