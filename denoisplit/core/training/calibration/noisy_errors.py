r"""Squared errors of a prediction, estimated against noisy images.

A noisy target :math:`y = s + n` differs from the prediction m by the error and the noise,

.. math:: E[(y - m)^2] = E[(s - m)^2] + \operatorname{Var}(n) - 2 \operatorname{Cov}(n, m),

and the covariance is zero only if the mixed image x does not carry this noise. Where it does, with the weight
:math:`w = \partial x / \partial y` (1 / channels in a mean, 1 in a sum), Stein's lemma gives it for Gaussian
noise that is independent from pixel to pixel:

.. math:: \operatorname{Cov}(n_i, m_i) = \operatorname{Var}(n_i) \, w \, E[\partial m_i / \partial x_i].

The slope comes from one probe: the mixed image is changed by a random sign times part of the std of its noise
at every pixel, and the change of the prediction is divided by that of the same pixel, so that the effects of
all others average out. The latent noise is the same for both, which makes the network a function.

Var(n) is measured in the noisy image itself, by fourth differences along both axes of the plane: they remove
nearly all structure that an objective has blurred, and keep the variance of white noise. A fitted noise model
is right at the signals of most pixels; elsewhere, for example in dim pixels, it would spoil small errors.

The error of a sum over a region has both terms as sums,

.. math:: E[(\sum_i y_i - m_i)^2] = E[(\sum_i s_i - m_i)^2] + \sum_i \operatorname{Var}(n_i)
    - 2 w \sum_{ij} \operatorname{Var}(n_j) E[\partial m_i / \partial x_j],

because the noise of pixels is independent, but a predicted pixel depends on the noise of its neighbours. The
same probe gives the last term: with a step :math:`\delta_j` of random sign at every pixel, the expectation of
:math:`\sum_i \Delta m_i \cdot \sum_j \operatorname{Var}(n_j) / \delta_j` is that double sum.

Two approximations: the noise is assumed to be Gaussian and independent between pixels, and a weight by the
predicted variance, as in a factor, to be independent of the noise of the pixel itself.

Source: Stein, Annals of Statistics 1981; Ramani, Blu & Unser, IEEE TIP 2008; decision 11.
"""

from collections.abc import Callable
from typing import Final

import attrs
import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter

from denoisplit.core.arrays import AnyArray, Float64Array
from denoisplit.core.errors import CalibrationError

_STEP: Final = 0.3
"""Size of the probe in stds of the noise: large against rounding, small against the noise."""

_SURROUND: Final = 3.0
"""Width of the local average of the noise variance for the covariance, pixels."""

_DIFFERENCE: Final = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / np.sqrt(70.0)
"""Fourth difference that keeps the variance of white noise."""

Mean = Callable[[AnyArray], AnyArray]
"""Function from a mixed image [(z) y x] to the predicted mean [c (z) y x], counts; without random draws."""

Sums = Callable[[AnyArray], Float64Array]
"""Function from an image [c (z) y x] to its sums over regions [c regions]."""


def noise_variance(observed: AnyArray) -> Float64Array:
    """Estimate the noise variance of every pixel; the estimates are right only on average.

    Args:
        observed: noisy images [... y x], counts.

    Returns:
        Same shape, counts squared, 0 or more; a border of two pixels repeats the pixels next to it.

    Raises:
        CalibrationError: fewer than five pixels along y or x.
    Source: Immerkær, Computer Vision and Image Understanding 1996, with fourth differences.
    """
    margin = len(_DIFFERENCE) // 2
    if min(observed.shape[-2:]) < len(_DIFFERENCE):
        raise CalibrationError(
            f"calibration: the noise of an image cannot be measured in so few pixels (got shape "
            f"{observed.shape}). Hold out fields of {len(_DIFFERENCE)} x {len(_DIFFERENCE)} pixels or more."
        )
    rough = observed.astype(np.float64)
    for axis in (-2, -1):
        rough = correlate1d(rough, _DIFFERENCE, axis=axis)
    inner = rough[..., margin:-margin, margin:-margin]
    around = [(0, 0)] * (observed.ndim - 2) + [(margin, margin)] * 2
    variance: Float64Array = np.pad(inner**2, around, mode="edge")
    return variance


def squares_from_repeats(mean: AnyArray, observed: AnyArray, repeats: AnyArray) -> Float64Array:
    """Estimate squared errors from further exposures, whose noise is not in the mixed image.

    With two or more exposures, the products of the residuals of all pairs are averaged; their expectation is
    the squared error. With one, the noise variance is subtracted: half the squared difference from the
    observed channels.

    Args:
        mean: prediction [c (z) y x], counts.
        observed: noisy channels that the mixed image was made from, same shape, counts.
        repeats: further exposures [r c (z) y x], counts.

    Returns:
        Squared errors [c (z) y x], counts squared; single ones may be negative.
    """
    residual = repeats.astype(np.float64) - mean
    count = len(residual)
    if count == 1:
        squares: Float64Array = residual[0] ** 2 - (repeats[0].astype(np.float64) - observed) ** 2 / 2
        return squares
    pairs: Float64Array = (residual.sum(0) ** 2 - (residual**2).sum(0)) / (count * (count - 1))
    return pairs


@attrs.frozen(kw_only=True, eq=False)
class Probe:
    """Response of a prediction to a change of the mixed image; arrays [c (z) y x], counts.

    Attributes:
        change: change of the prediction.
        taken: change of the mixed image [1 (z) y x], of random sign.
        noise: variance of the noise of every pixel, an average over its surround, counts squared.
        share: weight of the noise of every channel in the mixed image.
    """

    change: Float64Array
    taken: Float64Array
    noise: Float64Array
    share: float


@attrs.frozen(kw_only=True, eq=False)
class NoisyErrors:
    """Estimates of the squared errors of a field, and of sums over it; arrays [c (z) y x].

    Attributes:
        residual: noisy channels minus prediction, counts.
        noise: noise variance of every pixel, right on average, counts squared.
        probe: response to a change of the mixed image; None if the noise is not in the mixed image.
    """

    residual: Float64Array
    noise: Float64Array
    probe: Probe | None

    def squares(self) -> Float64Array:
        """Squared errors [c (z) y x], counts squared; single ones may be negative."""
        squares: Float64Array = self.residual**2 - self.noise
        if self.probe is not None:
            squares += (
                2 * self.probe.share * self.probe.noise * _quotient(self.probe.change, self.probe.taken)
            )
        return squares

    def sum_squares(self, sums: Sums) -> Float64Array:
        """Squared errors of sums over regions [c regions], counts squared; single ones may be negative."""
        squares: Float64Array = sums(self.residual) ** 2 - sums(self.noise)
        if self.probe is not None:
            followed = sums(_quotient(self.probe.noise, self.probe.taken))
            squares += 2 * self.probe.share * sums(self.probe.change) * followed
        return squares


@attrs.frozen(kw_only=True, eq=False)
class RepeatedErrors:
    """The same estimates from further exposures; see ``squares_from_repeats``.

    Attributes:
        mean: prediction [c (z) y x], counts.
        observed: noisy channels, same shape, counts.
        repeats: further exposures [r c (z) y x], counts.
    """

    mean: AnyArray
    observed: AnyArray
    repeats: AnyArray

    def squares(self) -> Float64Array:
        """Squared errors [c (z) y x], counts squared; single ones may be negative."""
        return squares_from_repeats(self.mean, self.observed, self.repeats)

    def sum_squares(self, sums: Sums) -> Float64Array:
        """Squared errors of sums over regions [c regions], counts squared; single ones may be negative."""
        repeats = np.stack([sums(repeat) for repeat in self.repeats])
        return squares_from_repeats(sums(self.mean), sums(self.observed), repeats)


def errors_from_observed(
    observed: AnyArray,
    mixed: AnyArray,
    mean: AnyArray,
    mean_of: Mean,
    *,
    share: float,
    rng: np.random.Generator,
) -> NoisyErrors:
    """Estimate errors from the noisy channels themselves.

    Args:
        observed: noisy channels [c (z) y x], counts.
        mixed: mixed image of the prediction [(z) y x], counts.
        mean: prediction [c (z) y x], counts.
        mean_of: predicts the mean for the probe; may average over fewer samples than ``mean`` does.
        share: weight of the noise of every channel in the mixed image; 0 if this is another exposure.
        rng: random generator of the signs of the probe.

    Raises:
        CalibrationError: images of fewer than 5 x 5 pixels.
    """
    noise, probe = noise_variance(observed), None
    if share:
        # The estimate at a single pixel depends on its noise, and so does the slope of a nonlinear network:
        # their product would be biased. The average over the surround hardly depends on it.
        around = gaussian_filter(noise, (0,) * (noise.ndim - 2) + (_SURROUND, _SURROUND))
        change, taken = _probed(mixed, mean_of, share * np.sqrt(around.sum(0)), rng)
        probe = Probe(change=change, taken=taken, noise=around, share=share)
    return NoisyErrors(residual=observed.astype(np.float64) - mean, noise=noise, probe=probe)


def _probed(
    mixed: AnyArray, mean_of: Mean, noise: Float64Array, rng: np.random.Generator
) -> tuple[Float64Array, Float64Array]:
    """Probe a prediction: its change [c (z) y x] and that of the mixed image [1 (z) y x]."""
    step = _STEP * noise * (rng.integers(0, 2, mixed.shape) * 2 - 1)
    up, down = ((mixed + side * step).astype(mixed.dtype) for side in (1, -1))
    change = mean_of(up).astype(np.float64) - mean_of(down)
    # The step after rounding to the type of the image.
    return change, (up.astype(np.float64) - down)[None]


def _quotient(change: Float64Array, taken: Float64Array) -> Float64Array:
    """Quotient; 0 where there is no step, because there is no noise."""
    quotient: Float64Array = np.divide(change, taken, out=np.zeros_like(change), where=taken != 0)
    return quotient
