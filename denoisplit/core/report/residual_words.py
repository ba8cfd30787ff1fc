"""What the correlation within a residual says, and whether it can be blamed on the noise."""

from collections.abc import Collection
from typing import Final

from denoisplit.core.assessment.residual_correlation import ResidualCorrelation
from denoisplit.core.images.noise_correlation import NoiseCorrelation

FAR: Final = 1.15
"""Factor between measured and modelled noise from which they disagree."""

LARGE: Final = 0.1
"""Correlation within a residual from which something else than white noise is in it."""


def is_white(found: ResidualCorrelation) -> bool:
    """Whether pixels hardly resemble those near them."""
    return abs(found.largest) <= LARGE


def is_independent(measured: Collection[NoiseCorrelation]) -> bool:
    """Whether the noise was measured in the images and is independent from pixel to pixel."""
    return bool(measured) and not any(one.notable or one.unknown for one in measured)


def about_whiteness(found: ResidualCorrelation, measured: Collection[NoiseCorrelation]) -> str:
    """Whether the residual is white, and how large it is."""
    if is_white(found):
        what = "is as good as white: pixels hardly resemble their neighbours"
    elif is_independent(measured):
        what = "is not white, although the noise is: it holds structure"
    else:
        what = "is not white: it holds structure, or the noise is correlated"
    return (
        f"What is left of the mixed image {what} (largest correlation {found.largest:+.3f}). Its std is "
        f"{found.std:.2f} times that of the noise; 1 or a little less is expected."
    )


def about_roughness(found: ResidualCorrelation, measured: Collection[NoiseCorrelation]) -> str:
    """What is known of the residual without what is smooth; empty if that was not measured.

    Only a residual that is as large as the noise can show how the noise is, and only if the noise itself was
    not found independent: fine structure that was missed or invented passes the filter, too.
    """
    if found.rough is None:
        return ""
    told = (
        "Without what is smooth, such as a missed structure, neighbours are correlated by "
        f"{found.rough.along_y:+.3f} along y and {found.rough.along_x:+.3f} along x (white noise: 0)"
    )
    if not found.rough.exceeds(LARGE):
        return f"{told}: this part is as good as white."
    if is_independent(measured):
        return (
            f"{told}. This is not the noise, which is independent in the images themselves: the network "
            "missed fine structure, or added some."
        )
    if not 1 / FAR <= found.std <= FAR:
        return (
            f"{told}. As the residual has another std than the noise, this does not tell whether the noise "
            "is correlated."
        )
    if found.rough.largest > 0:
        return f"{told}: the noise itself is correlated."
    return f"{told}: the images were sharpened, or the network left a pattern from pixel to pixel."
