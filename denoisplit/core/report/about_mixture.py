"""The section about whether the predicted channels add up to the mixed image."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from matplotlib.colors import Normalize
from scipy.ndimage import uniform_filter

from denoisplit.core.assessment.panels import middle_plane
from denoisplit.core.report.elements import Element, Facts, Gallery, Section, Text
from denoisplit.core.report.gathered import Predicted, RunFindings
from denoisplit.core.report.plane_pictures import HEAT, picture
from denoisplit.core.verdict.consistency import FAR_FROM_ONE, adds_up
from denoisplit.core.verdict.reference import ratio_of

_SMOOTH: Final = 5
"""Side of the squares over which a map is averaged, pixels."""

_WINDOW: Final = Normalize(0, 4, clip=True)
_MEANING: Final = (
    "The predicted channels, mixed again, should be the mixed image but for its noise. Chi-square is the "
    "squared difference in units of the noise variance: 1 where everything fits, more where intensity was "
    "lost, invented or the noise is underestimated, less where the noise model has too much noise. It does "
    "not tell whether an intensity was given to the right channel: the uncertainty does."
)


def about_mixture(found: RunFindings) -> Section:
    """Chi-square of held-out images, and where it is large."""
    return Section(
        name="mixture", title="Do the channels add up?", meaning=_MEANING, elements=tuple(_all(found))
    )


def misfit_of(found: RunFindings) -> float | None:
    """Chi-square of the run: that of the fields of this report, else the stored one; None if unknown."""
    maps = [one.misfit for one in found.predicted if one.misfit is not None]
    if maps:
        return float(np.mean([one.mean(dtype=np.float64) for one in maps]))
    return _stored(found)


def misfit_maps(predicted: Sequence[Predicted]) -> Iterator[Gallery]:
    """Maps of chi-square, if there are any."""
    shown = [(one, one.misfit) for one in predicted if one.misfit is not None]
    if not shown:
        return
    cells = []
    for one, misfit in shown:
        alt = f"map of chi-square of {one.name}"
        smooth = uniform_filter(middle_plane(misfit), _SMOOTH)
        size = one.pixel_size
        cells.append((picture(smooth, alt, colours=HEAT, contrast=_WINDOW, unit="", pixel_size=size),))
    yield Gallery(
        name="misfits",
        title="Where they do not add up",
        columns=tuple(one.name for one, _ in shown),
        rows=(("chi-square", tuple(cells)),),
        caption=f"Chi-square, averaged over {_SMOOTH} x {_SMOOTH} pixels; an even, dim grain is noise. "
        "Bright outlines or patches are intensities that no channel got, or that were invented.",
    )


def _all(found: RunFindings) -> Iterator[Element]:
    misfit, stored = misfit_of(found), _stored(found)
    if misfit is None:
        yield Text("The misfit could not be measured, and none is stored with the run.", "quiet")
        return
    advice = ""
    if misfit > FAR_FROM_ONE:
        advice = " Train longer, or look at the noise model."
    elif misfit < 1 / FAR_FROM_ONE:
        advice = " Look at the noise model: it has too much variance."
    measured = (
        "of the fields of this report" if found.predicted else "of held-out fields, stored with the run"
    )
    yield Text(
        f"Chi-square {measured}: {misfit:.3g}; 1 is expected.{advice}", "good" if adds_up(misfit) else "look"
    )
    if stored is not None:
        known = found.bundle.reference
        spread = None if known is None else known.spreads["mixture"]
        if spread is not None:
            low, high = (ratio_of(end) for end in spread.limits(0.01, round(spread.pixels)))
            told = f"{stored:.3g}; new images like these: {low:.3g} to {high:.3g}"
            yield Facts((("usual chi-square, from held-out fields after the training", told),))
    yield from misfit_maps(found.predicted)


def _stored(found: RunFindings) -> float | None:
    known = found.bundle.reference
    if known is None or "mixture" not in known.spreads:
        return None
    return ratio_of(known.spreads["mixture"].mean)
