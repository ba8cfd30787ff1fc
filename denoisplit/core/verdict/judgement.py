"""Judgement of an image: from its statistics and those of the training images to a verdict in plain words."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.verdict.reference import Reference, Spread, ratio_of

FALSE_ALARMS = 0.01
"""Probability of a false alarm on an image like the training images, over all checks."""

MUCH_SATURATED = 1e-3
"""Share of pixels at the maximum beyond which an image counts as saturated."""
LIMIT_SATURATED = 1e-4
"""The same if the maximum is the largest number of the pixel type."""
MORE_SATURATED = 2.0
"""Least ratio to the share in the training images, also required."""

OTHER_PIXEL = 0.05
"""Relative difference of pixel sizes that is reported: networks know sizes in pixels only."""

_BEYOND: Final = 10_000
"""Ratio from which a number tells no more."""

LEAST_PIXELS: Final = 50
"""Number of pixels below which an image does not tell whether it is a usual one, only that it is not."""

ALMOST_NOISE = 2 / 64
"""Share of structures of more than 8 pixels below which an image is noise; white noise has 1 / 64."""

NO_REFERENCE: Final = "the run holds no statistics of its training images"

Status = Literal["like", "unlike", "unknown", "weak"]


_GRAVEST_FIRST: Final[tuple[Status, ...]] = ("unlike", "unknown", "weak", "like")


@attrs.frozen
class Finding:
    """One way in which an image differs from the training images.

    Attributes:
        check: ``offset``, ``gain``, ``noise``, ``structure``, ``latents``, ``mixture``, ``saturation``,
            ``pixel size``, or ``no structure`` for a plane that is constant or saturated.
        sentence: the finding in plain words.
    """

    check: str
    sentence: str


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether a mixed image looks like the images that the model was trained for; needs no truth.

    Attributes:
        status: ``like``, ``unlike``, ``unknown`` if the run has no reference or the image too few pixels, or
            ``weak`` if the image is usual but the network is worse than no network.
        findings: unusual properties, one per check.
        scores: for each statistic, its distance from the usual value relative to the accepted distance;
            beyond -1 or 1 is unusual. For several planes, that of the most unusual plane.
        chi_square: squared misfit of predicted channels and mixed image in units of the noise variance, mean
            over the pixels; 1 is expected for the right noise model and posterior. None if not measured.
        chi_square_range: accepted range, from held-out fields.
        chi_square_map: chi-square pixel by pixel, with the axes of the prediction but ``c``.
        weakness: warning about a network that is worse than no network; empty for others.
        unknown: why the status is ``unknown``, where it is.
    """

    status: Status = "unknown"
    findings: tuple[Finding, ...] = ()
    scores: Mapping[str, float] = attrs.field(factory=dict, repr=False)
    chi_square: float | None = None
    chi_square_range: tuple[float, float] | None = None
    chi_square_map: npt.NDArray[np.float32] | None = attrs.field(default=None, eq=False, repr=False)
    weakness: str = ""
    unknown: str = NO_REFERENCE

    def __str__(self) -> str:
        if self.status == "weak":
            return f"do not rely on it, though the image is a usual one: {self.weakness}"
        about = self._about_image()
        return f"{about}; and {self.weakness}" if self.weakness else about

    def _about_image(self) -> str:
        sentences = "; ".join(finding.sentence for finding in self.findings)
        if self.status == "like":
            return "looks like the training images"
        if self.status == "unlike":
            return f"unlike the training images: {sentences}"
        # Findings of a run without reference need no comparison.
        return f"unknown: {self.unknown}{sentences and f'; {sentences}'}"


@attrs.frozen(kw_only=True)
class Measured:
    """Measurements of one image or plane.

    Attributes:
        statistics: statistics by the names in the reference; empty without one.
        pixels: number of pixels.
        saturated: share of pixels at the maximum, before any processing of the image.
        at_limit: whether the maximum is the largest number of the pixel type.
        pixel: size of a pixel along (z) y x, µm; empty if unknown.
    """

    statistics: Mapping[str, float]
    pixels: int
    saturated: float
    at_limit: bool
    pixel: tuple[float | None, ...] = ()


def judge(
    measured: Measured,
    reference: Reference | None,
    *,
    centre: float,
    scale: float,
    rate: float = FALSE_ALARMS,
) -> Verdict:
    """Judge one image or plane.

    Every statistic gets an equal share of the rate of false alarms (Bonferroni).

    Args:
        measured: measurements of the image.
        reference: reference of the training images, if known.
        centre: mean of the training images, counts.
        scale: standard deviation of the training images, counts.
        rate: rate of false alarms over all statistics; exact for normally distributed statistics.
    """
    known = {} if reference is None else reference.spreads
    shared = [name for name in known if name in measured.statistics]
    scores: dict[str, float] = {}
    found: dict[str, tuple[float, str]] = {}
    for name in shared:
        value, spread = measured.statistics[name], known[name]
        limits = spread.limits(rate / len(shared), measured.pixels)
        score = (value - spread.mean) / spread.half_width(rate / len(shared), measured.pixels)
        scores[name] = score if math.isfinite(score) else math.inf
        check = _check(name)
        if abs(scores[name]) > max(1.0, found.get(check, (0.0, ""))[0]):
            found[check] = (abs(scores[name]), _sentence(name, value, spread, limits, centre, scale))
    findings = [Finding(check, sentence) for check, (_, sentence) in found.items()]
    if _saturated(measured, reference):
        share = f"{measured.saturated:.2%} of its pixels are at their maximum"
        findings.append(Finding("saturation", f"saturation: {share}, where the true intensity is unknown"))
    if reference is not None and _other_pixel(measured.pixel, reference.pixel):
        told = (
            f"pixel size: {_pixel(measured.pixel)}, that of the training images is {_pixel(reference.pixel)}"
        )
        findings.append(Finding("pixel size", f"{told}; rescale it"))
    misfit, spread_of_misfit = measured.statistics.get("mixture"), known.get("mixture")
    few = bool(shared) and measured.pixels < LEAST_PIXELS
    accepted = None
    if spread_of_misfit is not None and not few:
        low, high = spread_of_misfit.limits(rate / len(shared), measured.pixels)
        accepted = (ratio_of(low), ratio_of(high))
    weakness = "" if reference is None else reference.weakness
    usual: Status = "unknown" if few else "weak" if weakness else "like"
    return Verdict(
        status="unknown" if not shared else "unlike" if findings else usual,
        weakness=weakness,
        unknown=f"too few pixels (got {measured.pixels})" if few else NO_REFERENCE,
        findings=tuple(findings),
        scores=scores,
        chi_square=None if misfit is None else math.exp(misfit),
        chi_square_range=accepted,
    )


def joined(verdicts: Sequence[Verdict], places: Sequence[str]) -> Verdict:
    """Combine the verdicts on several planes or steps, all of which have to be usual.

    Args:
        verdicts: one or more verdicts.
        places: name of each plane or step, for example ``t=3``; empty for none.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    worst: dict[str, float] = {}
    for verdict in verdicts:
        for name, score in verdict.scores.items():
            worst[name] = max(worst.get(name, 0.0), score, key=abs)
    raised: dict[str, list[str]] = {}
    for verdict, place in zip(verdicts, places, strict=True):
        for finding in verdict.findings:
            raised.setdefault(finding.check, []).append(
                f"{finding.sentence} ({place})" if place else finding.sentence
            )
    findings = [
        Finding(check, said[0] if len(said) == 1 else f"{said[0]} and {len(said) - 1} more")
        for check, said in raised.items()
    ]
    misfits = [verdict.chi_square for verdict in verdicts if verdict.chi_square is not None]
    statuses = {verdict.status for verdict in verdicts}
    return Verdict(
        status=next(status for status in _GRAVEST_FIRST if status in statuses),
        weakness="; ".join(dict.fromkeys(verdict.weakness for verdict in verdicts if verdict.weakness)),
        unknown=next((verdict.unknown for verdict in verdicts if verdict.status == "unknown"), NO_REFERENCE),
        findings=tuple(findings),
        scores=worst,
        chi_square=sum(misfits) / len(misfits) if misfits else None,
        chi_square_range=next((v.chi_square_range for v in verdicts if v.chi_square_range), None),
    )


def of_two_steps(denoised: Verdict, split: Verdict) -> Verdict:
    """Verdict on an image that was denoised before it was split; chi-square is that of the second step."""
    both = joined((denoised, split), ("", "denoised"))
    return attrs.evolve(
        both,
        chi_square=split.chi_square,
        chi_square_range=split.chi_square_range,
        chi_square_map=split.chi_square_map,
    )


def _saturated(measured: Measured, reference: Reference | None) -> bool:
    usual = 0.0 if reference is None else reference.saturated
    much = LIMIT_SATURATED if measured.at_limit else MUCH_SATURATED
    several = measured.saturated * measured.pixels > 1.5  # one pixel is always the brightest
    return several and measured.saturated > max(much, MORE_SATURATED * usual)


def _pixel(size: Sequence[float | None]) -> str:
    return f"{' x '.join('?' if side is None else f'{side:.4g}' for side in size)} µm"


def _other_pixel(own: Sequence[float | None], usual: Sequence[float | None]) -> bool:
    """Whether the sizes differ along an axis for which both are known; axes are matched from the last."""
    pairs = zip(reversed(own), reversed(usual), strict=False)
    return any(a and b and abs(math.log(a / b)) > OTHER_PIXEL for a, b in pairs)


_CHECKS: Mapping[str, str] = {"brightness": "gain", "contrast": "gain", "photons": "gain"}


def _check(statistic: str) -> str:
    """The check to which a statistic belongs."""
    if statistic.startswith("detail_"):
        return "structure"
    return _CHECKS.get(statistic, statistic.partition("_")[0])


def _sentence(
    name: str, value: float, spread: Spread, limits: tuple[float, float], centre: float, scale: float
) -> str:
    """Describe an unusual statistic, with its usual range."""

    def usual(number: Callable[[float], float]) -> str:
        low, high = (f"{number(limit):.3g}" for limit in limits)
        return f"usual: {low} to {high}"

    if not math.isfinite(value):
        return f"{_check(name)}: it is not a finite number"
    ratio = ratio_of(value - spread.mean)
    precise = f"{ratio:.2g} times" if ratio < 99.5 else f"{ratio:.0f} times"
    factor = precise if ratio < _BEYOND else f"more than {_BEYOND:,} times"
    if name == "offset":
        counts = centre + scale * value
        return (
            f"offset: its darkest pixels are at {counts:.4g} counts "
            f"({usual(lambda low: centre + scale * low)})"
        )
    if name == "brightness":
        return f"gain: it is {factor} as bright above its background"
    if name == "contrast":
        return f"gain: its contrast is {factor} that of the training images"
    if name == "photons":
        return f"gain: the variance of its noise is {factor} what its brightness suggests"
    if name == "noise":
        return f"noise: it is {factor} as noisy"
    if name == "mixture":
        misfit = f"{math.exp(value):.3g} times the variance of the noise ({usual(ratio_of)})"
        return f"mixture: the predicted channels miss it by {misfit}"
    kind, _, number = name.partition("_")
    if kind == "detail" and number == "8" and math.exp(value) < ALMOST_NOISE:
        return "structure: there is hardly any, the image is almost all noise"
    if kind == "detail":
        sizes = {"2": "2 to 4 pixels", "4": "4 to 8 pixels"}.get(number, f"more than {number} pixels")
        return f"structure: {factor} the usual share of structures of {sizes}"
    return f"latents: level {number} of the network needs {factor} the usual information"
