r"""Squared errors of a prediction, estimated against noisy images.

A noisy target :math:`y = s + n` differs from the prediction m by the error and the noise,

.. math:: E[(y - m)^2] = E[(s - m)^2] + \operatorname{Var}(n) - 2 \operatorname{Cov}(n, m),

and the covariance is zero only if the mixed image x does not carry this noise. Where it does, with the weight
:math:`w = \partial x / \partial y` (1 / channels in a mean, 1 in a sum), Stein's lemma gives it for Gaussian
noise that is independent from pixel to pixel:

.. math:: \operatorname{Cov}(n_i, m_i) = \operatorname{Var}(n_i) \, w \, E[\partial m_i / \partial x_i].

The slope comes from one probe: the mixed image is changed by a random sign times part of the std of its noise
at every pixel, and the change of the prediction is divided by that of the same pixel, so that all others
average out. The latent noise is the same for both, which makes the network a function.

What is approximate: the noise is taken for Gaussian, with the variance of the noise model at the predicted
signal instead of the true one; and a weight by the predicted variance, as in a factor, for independent of the
noise of the pixel itself.

Source: Stein, Annals of Statistics 1981; Ramani, Blu & Unser, IEEE TIP 2008; decision 11.
"""

from collections.abc import Callable
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.errors import CalibrationError

Array = npt.NDArray[np.float64]
AnyArray = npt.NDArray[Any]

_STEP: Final = 0.3
"""Size of the probe in units of the std of the noise: large against rounding, small against the noise."""

_TOLERANCE: Final = 1.1


@attrs.frozen(kw_only=True)
class Predictor:
    """A prediction as a function of the mixed image, and the noise of its channels.

    Attributes:
        mean: mixed image [(z) y x] to predicted mean [c (z) y x], counts; the same input, the same output.
        variance: clean signal [c (z) y x] in counts to variance of its noise, counts squared.
    """

    mean: Callable[[AnyArray], AnyArray]
    variance: Callable[[AnyArray], AnyArray]


def squares_from_repeats(mean: AnyArray, observed: AnyArray, repeats: AnyArray) -> Array:
    """Squared errors from further exposures, whose noise is not in the mixed image; needs no noise model.

    Of two or more exposures, the product of the residuals of every pair has the squared error as its
    expectation; of one, half the squared difference from the observed channels is the variance of the noise.

    Args:
        mean: prediction [c (z) y x], counts.
        observed: noisy channels that the mixed image was made of, same shape.
        repeats: [r c (z) y x].

    Returns:
        [c (z) y x], counts squared; single ones may be negative.
    """
    residual = repeats.astype(np.float64) - mean
    count = len(residual)
    if count == 1:
        squares: Array = residual[0] ** 2 - (repeats[0].astype(np.float64) - observed) ** 2 / 2
        return squares
    pairs: Array = (residual.sum(0) ** 2 - (residual**2).sum(0)) / (count * (count - 1))
    return pairs


def squares_from_observed(
    observed: AnyArray,
    mixed: AnyArray,
    mean: AnyArray,
    predictor: Predictor,
    *,
    share: float,
    rng: np.random.Generator,
) -> Array:
    """Squared errors from the noisy channels themselves.

    Args:
        observed: noisy channels [c (z) y x], counts.
        mixed: what the prediction was made from [(z) y x], counts.
        mean: prediction [c (z) y x], counts.
        predictor: to probe; its mean may be over fewer samples.
        share: weight of the noise of every channel in the mixed image; 0 where that is another exposure.
        rng: of the signs of the probe.

    Returns:
        [c (z) y x], counts squared; single ones may be negative.

    Raises:
        CalibrationError: the noise model has more noise than there is in the images, or no finite one.
    """
    noise = np.asarray(predictor.variance(mean), dtype=np.float64)
    _check_noise(noise, observed)
    squares: Array = (observed.astype(np.float64) - mean) ** 2 - noise
    if share:
        squares += 2 * share * noise * _slope(mixed, predictor, np.sqrt(share**2 * noise.sum(0)), rng)
    return squares


def _slope(mixed: AnyArray, predictor: Predictor, noise: Array, rng: np.random.Generator) -> Array:
    """Estimate of how much every predicted pixel follows the mixed image at its own place [c (z) y x]."""
    # A pixel without noise has no covariance, whatever its slope: any step does.
    step = _STEP * np.where(noise > 0, noise, 1)
    signs = rng.integers(0, 2, mixed.shape) * 2 - 1
    up, down = (mixed.astype(np.float64) + side * step * signs for side in (1, -1))
    # The steps as they are after rounding to the type of the image.
    up, down = up.astype(mixed.dtype), down.astype(mixed.dtype)
    change = predictor.mean(up).astype(np.float64) - predictor.mean(down)
    slope: Array = change / (up.astype(np.float64) - down)
    return slope


def _check_noise(noise: Array, observed: AnyArray) -> None:
    """Neighbours differ by at least their noise, which exposes a noise model that has too much of it."""
    if not (np.isfinite(noise).all() and (noise >= 0).all()):
        raise CalibrationError(
            f"calibration: the noise model has no finite variance at {int((~np.isfinite(noise)).sum())} of "
            f"{noise.size} pixels. Fit the noise model to images like these."
        )
    for channel, image in enumerate(observed.astype(np.float64)):
        found = min(float((np.diff(image, axis=axis) ** 2).mean()) / 2 for axis in (-2, -1))
        if float(noise[channel].mean()) > _TOLERANCE * found:
            raise CalibrationError(
                f"calibration: the noise model has more noise in channel {channel} than its images can have "
                f"(got variance {noise[channel].mean():.4g}, that of neighbours is {found:.4g}). Use a noise "
                f"model that is fitted to these images, or give clean images of held-out fields."
            )
