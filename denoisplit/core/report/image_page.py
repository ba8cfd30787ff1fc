"""The report on the prediction of an image."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from denoisplit.core.arrays import FloatArray
from denoisplit.core.report.about_data import shrunk
from denoisplit.core.report.about_mixture import misfit_maps
from denoisplit.core.report.about_origin import about_citing, about_origin
from denoisplit.core.report.about_samples import about_samples, about_spread
from denoisplit.core.report.elements import (
    Element,
    Facts,
    Gallery,
    Glance,
    Grid,
    Page,
    Section,
    Text,
    Tone,
)
from denoisplit.core.report.gathered import ImageFindings
from denoisplit.core.report.plane_pictures import picture, shared
from denoisplit.core.report.run_page import FOOT, Row
from denoisplit.core.report.words import sides
from denoisplit.core.verdict.consistency import adds_up
from denoisplit.core.verdict.judgement import Status

OVERVIEW: Final = 400
"""Largest side of the picture of the whole plane, pixels."""

_STATISTICS: Final = {
    "offset": "darkest pixels",
    "brightness": "brightness above them",
    "contrast": "contrast",
    "noise": "noise",
    "photons": "noise for its brightness (gain)",
    "detail_2": "structures of 2 to 4 px",
    "detail_4": "structures of 4 to 8 px",
    "detail_8": "larger structures",
    "mixture": "misfit of the channels (chi-square)",
}
_TONES: Final[dict[Status, Tone]] = {"like": "good", "unlike": "look", "unknown": "quiet", "weak": "look"}
_VERDICT: Final = (
    "The network was trained for images of certain structures, intensities, noise and pixel sizes. The "
    "verdict says whether this image is one of them; it needs no truth. A network gives an answer for every "
    "image, and on an unusual one neither its channels nor its uncertainty can be relied on."
)
_IMAGE: Final = (
    "What was predicted. The frame in the picture is the part that the following sections show: the one with "
    "most contrast, in full resolution."
)
_MIXTURE: Final = (
    "The predicted channels, mixed again, should be the mixed image but for its noise. Chi-square is the "
    "squared "
    "difference in units of the noise variance: 1 where everything fits, more where the image has something "
    "that the channels do not explain. It does not tell whether an intensity was given to the right channel."
)


def image_page(found: ImageFindings) -> Page:
    """Arrange everything about the prediction of an image on a page."""
    channels, shown = found.bundle.spec.channels, (found.predicted,)
    return Page(
        title=_name(found),
        subtitle=f"Prediction of {' + '.join(channels)} by the run “{found.folder.path.name}”, with "
        f"{found.prediction.samples} posterior samples.",
        glance=Glance(tuple(_glance(found))),
        sections=(
            Section(name="image", title="The image", meaning=_IMAGE, elements=tuple(_image(found))),
            about_samples(shown, channels, "", found.prediction.samples),
            about_spread(shown, channels, ""),
            Section(
                name="verdict",
                title="Is it like the training images?",
                meaning=_VERDICT,
                elements=tuple(_verdict(found)),
            ),
            Section(
                name="mixture",
                title="Do the channels add up?",
                meaning=_MIXTURE,
                elements=tuple(_mixture(found)),
            ),
            about_origin(found.folder, found.bundle, found.device),
            about_citing(found.bundle.spec),
        ),
        foot=FOOT,
    )


def _name(found: ImageFindings) -> str:
    return Path(found.source).name or found.source


def _glance(found: ImageFindings) -> Iterator[Row]:
    verdict, prediction = found.prediction.verdict, found.prediction
    yield "Is it like the training images?", _sentence(str(verdict)), _TONES[verdict.status]
    yield _fit(found)
    if found.predicted.std is None:
        yield "Is there an uncertainty?", "A single sample has none. Predict with 2 samples or more.", "look"
    elif found.predicted.calibrated_std is None:
        yield (
            "Is the uncertainty calibrated?",
            "No: the std is the spread of the samples, not the error.",
            "look",
        )
    else:
        yield "Is the uncertainty calibrated?", "Yes, on held-out fields of the training.", "good"
    if prediction.seam_score is not None:
        steps = f"{prediction.seam_score:.2f} times those beside them"
        told = f"Steps across their borders are {steps}; 1 is invisible."
        yield "Do tiles show?", told, "good" if prediction.seam_score < 1.2 else "look"


def _fit(found: ImageFindings) -> Row:
    verdict, question = found.prediction.verdict, "Do the channels add up to the image?"
    if verdict.chi_square is None:
        return question, "It was not measured.", "quiet"
    told, fits = f"Chi-square {verdict.chi_square:.3g}", adds_up(verdict.chi_square)
    if verdict.chi_square_range is None:
        return question, f"{told}; 1 is expected.", "good" if fits else "look"
    low, high = verdict.chi_square_range
    span, usual = f"{low:.3g} to {high:.3g}", low <= verdict.chi_square <= high
    if usual and not fits:
        about = f"It is usual for this network ({span}): see the report on the run"
        return question, f"{told}; 1 is expected. {about}.", "look"
    return question, f"{told}; usual for this network: {span}.", "good" if usual else "look"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _image(found: ImageFindings) -> Iterator[Element]:
    prediction = found.prediction
    pixel = "unknown" if prediction.pixel_size is None else str(prediction.pixel_size)
    low, high = found.part
    spans = " x ".join(f"{a} to {b - 1}" for a, b in zip(low, high, strict=True))
    yield Facts(
        (
            ("image", found.source),
            ("shape", f"{' x '.join(map(str, found.shape))} ({found.axes})"),
            ("pixel size", pixel),
            ("shown here", f"{found.place or 'the plane'}, of its {sides(found.plane)} the pixels {spans}"),
            ("result", "in memory" if prediction.path is None else str(prediction.path)),
            ("images of the result", ", ".join(prediction.layout.channel_names)),
            ("posterior samples", f"{prediction.samples}, seed {found.seed}"),
        )
    )
    plane = shrunk(found.overview, OVERVIEW)
    alt = f"mixed image of {_name(found)}, with a frame around the part that is shown below"
    drawn = picture(np.where(_framed(found, plane), plane.max(), plane), alt, contrast=shared(plane))
    yield Gallery(
        name="overview",
        title="Where it is",
        columns=("mixed (input)",),
        rows=((found.place or "plane", ((drawn,),)),),
    )


def _framed(found: ImageFindings, plane: FloatArray) -> npt.NDArray[np.bool_]:
    """Where a picture [y x] of the plane has the frame around the part that is shown."""
    scales = [own / whole for own, whole in zip(plane.shape, found.plane[-2:], strict=True)]
    (top, left), (bottom, right) = (
        tuple(round(end * scale) for end, scale in zip(ends[-2:], scales, strict=True)) for ends in found.part
    )
    framed = np.zeros(plane.shape, dtype=bool)
    framed[top:bottom, left:right] = True
    framed[top + 2 : bottom - 2, left + 2 : right - 2] = False
    return framed


def _verdict(found: ImageFindings) -> Iterator[Element]:
    verdict = found.prediction.verdict
    yield Text(_sentence(str(verdict)), _TONES[verdict.status])
    yield from (Text(_sentence(finding.sentence), "look") for finding in verdict.findings)
    if verdict.scores:
        yield Grid(
            caption="Distance of every statistic from its usual value, relative to the largest distance "
            "that is accepted: beyond -1 or 1 is unusual.",
            columns=("statistic", "distance"),
            rows=tuple((_words(name), f"{score:+.2f}") for name, score in verdict.scores.items()),
        )


def _words(statistic: str) -> str:
    kind, _, level = statistic.partition("_")
    return f"information in level {level} of the latents" if kind == "latents" else _STATISTICS[statistic]


def _mixture(found: ImageFindings) -> Iterator[Element]:
    _, answer, tone = _fit(found)
    yield Text(answer, tone)
    maps = tuple(misfit_maps((found.predicted,)))
    yield from maps or (Text("The map of chi-square could not be measured for this noise model.", "quiet"),)
