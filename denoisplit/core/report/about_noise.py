"""The section about the noise: its model against the images, and whether residuals are white."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from denoisplit.core.assessment.noise_agreement import NoiseAgreement
from denoisplit.core.assessment.residual_correlation import ResidualCorrelation, residual_correlation
from denoisplit.core.images.noise_correlation import NoiseCorrelation
from denoisplit.core.report.elements import Chart, Element, Gallery, Grid, Section, Text
from denoisplit.core.report.gathered import Predicted, RunFindings
from denoisplit.core.report.inline_svg import inline_svg, tidy
from denoisplit.core.report.plane_pictures import EITHER, picture
from denoisplit.core.report.residual_words import FAR, about_roughness, about_whiteness, is_white
from denoisplit.core.report.words import number

_WINDOW: Final = Normalize(-4, 4, clip=True)
_UNIT: Final = "stds of the noise"
_MEANING: Final = (
    "The noise model tells the network how much of a pixel is noise. It should have the spread that the "
    "images have, from dark to bright; too much, and the network smooths details away, too little, and it "
    "takes noise for structure. What the predicted channels leave of the mixed image should be nothing but "
    "noise: no structure to be seen, and no pixel like its neighbours."
)


def about_noise(found: RunFindings) -> Section:
    """Tables, curves and residuals."""
    return Section(name="noise", title="Noise and residuals", meaning=_MEANING, elements=tuple(_all(found)))


def agrees(one: NoiseAgreement) -> bool:
    """Whether measured and modelled noise are about the same."""
    return 1 / FAR <= one.ratio <= FAR


def residuals_of(predicted: Sequence[Predicted]) -> ResidualCorrelation | None:
    """What the residuals are like; None if there are none."""
    known = [one.residual for one in predicted if one.residual is not None]
    return residual_correlation(known) if known else None


def _all(found: RunFindings) -> Iterator[Element]:
    yield from _fits(found)
    if found.noise:
        yield from _agreement(found.noise)
    elif found.noise_note:
        yield Text(found.noise_note, "quiet")
    for channel, correlation in found.correlation.items():
        yield _independence(channel, correlation)
    yield from _residuals(found.predicted, found.correlation.values())
    if found.looked.missing:
        yield Text("Without images, there is nothing to compare the noise model with.", "quiet")


def _independence(channel: str, correlation: NoiseCorrelation) -> Text:
    if correlation.notable:
        does = "is taken for structure" if correlation.found.largest > 0 else "is counted twice"
        return Text(
            f"{channel}: {correlation}. Filters, interpolation, sharpening and compression do this. "
            f"The noise model takes pixels for independent, so part of this noise {does}: use raw images.",
            "look",
        )
    if correlation.unknown:
        return Text(
            f"{channel}: there are too few pixels to tell whether the noise is independent from pixel to "
            f"pixel (correlation {correlation.told}).",
            "quiet",
        )
    return Text(
        f"{channel}: the noise is independent from pixel to pixel (correlation {correlation.told}).", "good"
    )


def _fits(found: RunFindings) -> Iterator[Element]:
    reports = found.bundle.noise_reports
    if not reports:
        yield Text(
            "The noise model was not fitted to the images: it is given, or learned with the network.", "quiet"
        )
        return
    names = found.channels
    yield Grid(
        caption="The fit of the noise model before the training. Calibration error: largest distance from "
        "the right distribution, 0 is perfect, 1 the worst.",
        columns=("channel", "pairs of signal and observation", "nats per pixel", "calibration error"),
        rows=tuple(
            (names[one.channel], f"{one.pairs:,}", f"{one.nll:.4f}", f"{one.calibration_error:.3f}")
            for one in reports
        ),
    )
    for one in reports:
        yield from (Text(f"{names[one.channel]}: {warning}", "look") for warning in one.warnings)


def _agreement(noise: Sequence[NoiseAgreement]) -> Iterator[Element]:
    for one in noise:
        told = f"{one.channel}: the measured noise is {one.ratio:.2f} times that of the model"
        yield Text(f"{told} ({one.pixels:,} pixels, from {one.origin}).", "good" if agrees(one) else "look")
    ranges = "; ".join(
        f"{one.channel} from {one.measured[0]:.3g} at {one.signal[0]:.4g} counts to {one.measured[-1]:.3g} "
        f"at {one.signal[-1]:.4g}"
        for one in noise
    )
    yield Chart(
        svg=inline_svg(_figure(noise), "noise-model", f"Measured noise against that of the model: {ranges}."),
        caption="Noise (std) by the brightness of the signal: points are the held-out images, the line is "
        "the noise model. Photon noise grows with the signal, read noise is there in the dark.",
        label="noise model and images",
    )


def _figure(noise: Sequence[NoiseAgreement]) -> Figure:
    figure = Figure(figsize=(max(4.0 * len(noise), 5.6), 3.2))
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.06)
    for axes, one in zip(np.ravel(figure.subplots(1, len(noise), squeeze=False)), noise, strict=True):
        axes.plot(one.signal, one.modelled, color="#0072b2", linewidth=1.4, label="noise model")
        axes.plot(one.signal, one.measured, "o", color="#d55e00", markersize=3.5, label="images")
        tidy(axes, "signal (counts)", "noise, std (counts)")
        axes.set_ylim(bottom=0)
        axes.set_title(one.channel, fontsize=9)
        axes.legend(fontsize=8)
    return figure


def _residuals(predicted: Sequence[Predicted], measured: Collection[NoiseCorrelation]) -> Iterator[Element]:
    found = residuals_of(predicted)
    if found is None:
        return
    yield Text(about_whiteness(found, measured), "good" if is_white(found) else "look")
    if rough := about_roughness(found, measured):
        yield Text(rough, "quiet")
    yield Grid(
        caption="Correlation of the residual with itself, some pixels away. White noise of so many pixels "
        f"stays within ±{found.white:.3f}.",
        columns=("distance (px)", *(str(lag + 1) for lag in range(len(found.along_x)))),
        rows=tuple(
            (f"along {name}", *(number(float(value), "+.3f") for value in values))
            for name, values in (("y", found.along_y), ("x", found.along_x))
        ),
    )
    cells = tuple(
        (picture(one.residual, f"residual of {one.name}", colours=EITHER, contrast=_WINDOW, unit=_UNIT),)
        for one in predicted
        if one.residual is not None
    )
    yield Gallery(
        name="residuals",
        title="What the predicted channels leave of the mixed image",
        columns=tuple(one.name for one in predicted if one.residual is not None),
        rows=(("residual", cells),),
        caption="In units of the std of the noise. It should look like snow; outlines of structures mean "
        "that the network missed part of them.",
    )
