"""MicroSSIM and MicroMS3IM: SSIM after background subtraction and the best common scale of all predictions.

The optional package ``microssim`` fits the parameters: ``pip install denoisplit[micro]``.
"""

import contextlib
import importlib
import io
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.assessment.image_scores import MS_SSIM_SIDE, SSIM_SIDE
from denoisplit.core.assessment.planes import contrast_planes, mean
from denoisplit.core.assessment.ssim_maps import ms_ssim_of_plane
from denoisplit.core.errors import ImageError, MissingPackageError

PACKAGE: Final = "microssim"
BACKGROUND_PERCENTILE: Final = 3


@attrs.frozen(kw_only=True)
class MicroParameters:
    """Normalisation of images before comparison.

    Attributes:
        truth_offset: background of the truth, counts.
        prediction_offset: background of the predictions, counts.
        scale: largest value of the truth above its background, counts.
        factor: multiplier of normalised predictions.
    """

    truth_offset: float
    prediction_offset: float
    scale: float
    factor: float

    def normalise(self, truth: Float64Array, prediction: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Bring both images to the scale of the truth, and apply the factor."""
        scaled = self.factor * (prediction - self.prediction_offset) / self.scale
        return (truth - self.truth_offset) / self.scale, scaled


def fit_micro(truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> MicroParameters:
    """Fit common parameters to all images of a channel.

    Args:
        truths: clean images [(z) y x] with sides of at least 11 px.
        predictions: images of the same shapes, any offset and scale.

    Raises:
        MissingPackageError: the package ``microssim`` is not installed.
        ImageError: shapes differ, a value is not finite, a truth is constant, an image is too small, or the
            truth is only background.

    Source: Ashesh et al., MicroSSIM, 2024; method section 12.3.
    """
    package = microssim()
    planes = [pair for t, p in zip(truths, predictions, strict=True) for pair in _planes(t, p, SSIM_SIDE)]
    pixels = np.concatenate([truth.ravel() for truth, _ in planes])
    if np.percentile(pixels, BACKGROUND_PERCENTILE) == pixels.max():
        raise ImageError(
            f"MicroSSIM: nothing in the truth is above its background (got {pixels.max():g} for both). "
            f"Use another score for such images."
        )
    measure = package.MicroSSIM(bg_percentile=BACKGROUND_PERCENTILE)
    with _quiet():
        if len(planes) == 1:
            measure.fit(*planes[0])
        else:
            measure.fit([truth for truth, _ in planes], [prediction for _, prediction in planes])
    found = measure.get_parameters()
    return MicroParameters(
        truth_offset=float(found["offset_gt"]),
        prediction_offset=float(found["offset_pred"]),
        scale=float(found["max_val"]),
        factor=float(found["ri_factor"]),
    )


def micro_ssim(
    truths: Sequence[AnyArray], predictions: Sequence[AnyArray], parameters: MicroParameters | None = None
) -> list[float]:
    """MicroSSIM of every image.

    Args:
        truths: clean images [(z) y x] of one channel with sides of at least 11 px.
        predictions: images of the same shapes, any offset and scale.
        parameters: parameters of the normalisation; None fits them to all these images.

    Returns:
        One number per image, at most 1.

    Raises:
        MissingPackageError: the package ``microssim`` is not installed.
        ImageError: see ``fit_micro``.

    Source: Ashesh et al., MicroSSIM, 2024.
    """
    known = parameters or fit_micro(truths, predictions)
    measure = microssim().MicroSSIM(
        offset_gt=known.truth_offset,
        offset_pred=known.prediction_offset,
        max_val=known.scale,
        ri_factor=known.factor,
    )
    with _quiet():
        return [
            mean([float(measure.score(*pair)) for pair in _planes(truth, prediction, SSIM_SIDE)])
            for truth, prediction in zip(truths, predictions, strict=True)
        ]


def micro_ms3im(
    truths: Sequence[AnyArray], predictions: Sequence[AnyArray], parameters: MicroParameters | None = None
) -> list[float]:
    """MicroMS3IM of every image: MS-SSIM after the normalisation of MicroSSIM, in float64.

    Args:
        truths: clean images [(z) y x] of one channel with sides of at least 176 px.
        predictions: images of the same shapes, any offset and scale.
        parameters: parameters of the normalisation; None fits them to all these images.

    Returns:
        One number per image, 0 to 1.

    Raises:
        MissingPackageError: no ``parameters`` are given and the package ``microssim`` is not installed.
        ImageError: see ``fit_micro``.

    Source: Ashesh et al., MicroSSIM, 2024.
    """
    known = parameters or fit_micro(truths, predictions)
    scores = []
    for truth, prediction in zip(truths, predictions, strict=True):
        planes = [known.normalise(*pair) for pair in _planes(truth, prediction, MS_SSIM_SIDE)]
        scores.append(mean([ms_ssim_of_plane(t, p, float(np.ptp(t))) for t, p in planes]))
    return scores


def microssim() -> ModuleType:
    """Import the package.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        return importlib.import_module(PACKAGE)
    except ImportError as error:
        raise MissingPackageError(
            f"MicroSSIM: the package {PACKAGE} cannot be imported ({error}). "
            f"Install it with: pip install 'denoisplit[micro]'."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the package's progress bar, and its warnings about terms that it computes but does not use.

    These are square roots of local variances, which rounding makes negative where an image is flat.
    """
    with contextlib.redirect_stderr(io.StringIO()), np.errstate(invalid="ignore"):
        yield


def _planes(truth: AnyArray, prediction: AnyArray, side: int) -> list[tuple[Float64Array, Float64Array]]:
    return contrast_planes("MicroSSIM", truth, prediction, side=side)
