"""From statistics of an image and of the training images to a verdict in plain words."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.verdict.reference import Reference, Spread

FALSE_ALARMS = 0.01
"""Probability that an image like the training images is called unlike them, all checks together."""

MUCH_SATURATED = 1e-3
"""Share of equal pixels at the maximum that no training image explains."""
LIMIT_SATURATED = 1e-4
"""The same, where the maximum is the largest number of the pixel type."""
MORE_SATURATED = 2.0
"""And it has to be so many times that of the training images."""

OTHER_PIXEL = 0.05
"""Difference of pixel sizes, as a part of them, that is told: networks know sizes in pixels only."""

ALMOST_NOISE = 2 / 64
"""Share of structures of more than 8 pixels; that of white noise is 1 / 64."""

Status = Literal["like", "unlike", "unknown", "weak"]


_GRAVEST_FIRST: Final[tuple[Status, ...]] = ("unlike", "unknown", "weak", "like")


@attrs.frozen
class Finding:
    """One way in which an image differs from the training images.

    Attributes:
        check: ``offset``, ``gain``, ``noise``, ``structure``, ``latents``, ``mixture``, ``saturation``,
            ``pixel size``, or ``no structure`` of a plane that is constant or saturated.
        sentence: what was found, in plain words.
    """

    check: str
    sentence: str


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether a mixed image looks like those that the model was trained for; needs no truth.

    Attributes:
        status: ``like``, ``unlike``, ``unknown`` where the run does not know its training images, or ``weak``
            where the image is like them, but the network is worse than no network.
        findings: what is unusual, one per check.
        scores: per statistic, its distance from the usual in units of the accepted one; beyond -1 or 1 is
            unusual. Of several planes, that of the most unusual one.
        chi_square: squared misfit of predicted channels and mixed image in units of the noise, mean over the
            pixels; 1 is expected of the right noise model and posterior. None where it was not measured.
        chi_square_range: what is accepted, from held-out fields.
        chi_square_map: the same, pixel by pixel, with the axes of the prediction but ``c``.
        weakness: what is to be said of a network that is worse than no network; empty for others.
    """

    status: Status = "unknown"
    findings: tuple[Finding, ...] = ()
    scores: Mapping[str, float] = attrs.field(factory=dict, repr=False)
    chi_square: float | None = None
    chi_square_range: tuple[float, float] | None = None
    chi_square_map: npt.NDArray[np.float32] | None = attrs.field(default=None, eq=False, repr=False)
    weakness: str = ""

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
        # What a run without reference says of an image needs no comparison.
        return f"unknown: the run holds no statistics of its training images{sentences and f'; {sentences}'}"


@attrs.frozen(kw_only=True)
class Measured:
    """What was measured of one image or plane.

    Attributes:
        statistics: as the reference has them; empty where there is none.
        pixels: number of them.
        saturated: share of pixels at the maximum, before anything was done to the image.
        at_limit: the maximum is the largest number of the pixel type.
        pixel: size of a pixel along (z) y x, µm; empty where it is unknown.
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
    """Verdict on one image or plane.

    Every statistic has an equal share of the rate of false alarms (Bonferroni).

    Args:
        measured: of the image.
        reference: of the training images, if known.
        centre: mean of the training images, counts.
        scale: standard deviation of the training images, counts.
        rate: of false alarms, all statistics together; exact for normally distributed statistics.
    """
    known = {} if reference is None else reference.spreads
    shared = [name for name in known if name in measured.statistics]
    scores: dict[str, float] = {}
    found: dict[str, tuple[float, str]] = {}
    for name in shared:
        value, spread = measured.statistics[name], known[name]
        low, high = spread.limits(rate / len(shared), measured.pixels)
        score = (value - spread.mean) / (high - spread.mean)
        scores[name] = score if math.isfinite(score) else math.inf
        check = _check(name)
        if abs(scores[name]) > max(1.0, found.get(check, (0.0, ""))[0]):
            found[check] = (abs(scores[name]), _sentence(name, value, spread, (low, high), centre, scale))
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
    accepted = None
    if spread_of_misfit is not None:
        low, high = spread_of_misfit.limits(rate / len(shared), measured.pixels)
        accepted = (math.exp(low), math.exp(high))
    weakness = "" if reference is None else reference.weakness
    usual: Status = "weak" if weakness else "like"
    return Verdict(
        status="unknown" if not shared else "unlike" if findings else usual,
        weakness=weakness,
        findings=tuple(findings),
        scores=scores,
        chi_square=None if misfit is None else math.exp(misfit),
        chi_square_range=accepted,
    )


def joined(verdicts: Sequence[Verdict], places: Sequence[str]) -> Verdict:
    """One verdict on several planes or steps, all of which have to be usual.

    Args:
        verdicts: at least one.
        places: what to call each, for example ``t=3``; empty for nothing.
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
        weakness=next(filter(None, (verdict.weakness for verdict in verdicts)), ""),
        findings=tuple(findings),
        scores=worst,
        chi_square=sum(misfits) / len(misfits) if misfits else None,
        chi_square_range=next((v.chi_square_range for v in verdicts if v.chi_square_range), None),
    )


def of_two_steps(denoised: Verdict, split: Verdict) -> Verdict:
    """Verdict on an image that was denoised before it was split; chi-square is that of the second step."""
    both = joined((denoised, split), ("", "denoised"))
    return attrs.evolve(
        split, status=both.status, weakness=both.weakness, findings=both.findings, scores=both.scores
    )


def _saturated(measured: Measured, reference: Reference | None) -> bool:
    usual = 0.0 if reference is None else reference.saturated
    much = LIMIT_SATURATED if measured.at_limit else MUCH_SATURATED
    several = measured.saturated * measured.pixels > 1.5  # one pixel is always the brightest
    return several and measured.saturated > max(much, MORE_SATURATED * usual)


def _pixel(size: Sequence[float | None]) -> str:
    return f"{' x '.join('?' if side is None else f'{side:.4g}' for side in size)} µm"


def _other_pixel(own: Sequence[float | None], usual: Sequence[float | None]) -> bool:
    """Whether the sizes differ along an axis along which both are known, the last ones first."""
    pairs = zip(reversed(own), reversed(usual), strict=False)
    return any(a and b and abs(math.log(a / b)) > OTHER_PIXEL for a, b in pairs)


_CHECKS: Mapping[str, str] = {"brightness": "gain", "contrast": "gain", "photons": "gain"}


def _check(statistic: str) -> str:
    """The check that a statistic belongs to."""
    if statistic.startswith("detail_"):
        return "structure"
    return _CHECKS.get(statistic, statistic.partition("_")[0])


def _sentence(
    name: str, value: float, spread: Spread, limits: tuple[float, float], centre: float, scale: float
) -> str:
    """What is unusual about a statistic, with what is usual."""

    def usual(number: Callable[[float], float]) -> str:
        low, high = (f"{number(limit):.3g}" for limit in limits)
        return f"usual: {low} to {high}"

    if not math.isfinite(value):
        return f"{_check(name)}: it is not a finite number"
    ratio = math.exp(min(value - spread.mean, 700.0))
    factor = f"{ratio:.2g} times" if ratio < 99.5 else f"{ratio:.0f} times"
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
        misfit = f"{math.exp(value):.3g} times the variance of the noise ({usual(math.exp)})"
        return f"mixture: the predicted channels miss it by {misfit}"
    kind, _, number = name.partition("_")
    if kind == "detail" and number == "8" and math.exp(value) < ALMOST_NOISE:
        return "structure: there is hardly any, the image is almost all noise"
    if kind == "detail":
        sizes = {"2": "2 to 4 pixels", "4": "4 to 8 pixels"}.get(number, f"more than {number} pixels")
        return f"structure: {factor} the usual share of structures of {sizes}"
    return f"latents: level {number} of the network needs {factor} the usual information"
