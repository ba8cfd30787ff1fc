"""Fit of a polynomial Gaussian mixture to pairs: maximum likelihood, starting from binned moments."""

from bisect import bisect_left

import attrs
import numpy as np
import torch
from scipy.optimize import minimize, nnls
from torch import Tensor

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import counted
from denoisplit.core.network.interfaces import FitReport
from denoisplit.plugins.noise_models.mixture_maths import (
    NOTHING,
    Components,
    components,
    distribution,
    log_density,
    total_variance,
)
from denoisplit.plugins.noise_models.pair_checks import CheckedPairs
from denoisplit.plugins.noise_models.pair_moments import (
    FAR_OFF,
    NOTABLE,
    Misfit,
    Moments,
    binned_moments,
    choose_half_even,
    choose_plain,
    dither,
    doubt_variance,
    fit_report,
    variance_misfit,
)

DOMINANT = 0.99
MOSTLY_FLOORED = 0.5

_OUTSIDE = (-0.25, 1.25)
_CONTINUED = 4.0
"""Just outside the signal range, a good fit has at most this many times the largest variance."""


@attrs.frozen(kw_only=True)
class FitSettings:
    """Settings of the fit.

    Attributes:
        components: number of Gaussians K.
        coefficients: number of polynomial coefficients D.
        variance_floor: smallest variance, counts squared; None to choose from the pairs.
        pairs: largest number of pairs used.
        steps: largest number of iterations of the optimiser.
    """

    components: int
    coefficients: int
    variance_floor: float | None
    pairs: int
    steps: int


@attrs.frozen
class Fitted:
    """Result of the fit of one channel.

    Attributes:
        weights: [3 K D], counts.
        floor: smallest variance, counts squared.
        report: quality of the fit.
    """

    weights: Tensor
    floor: float
    report: FitReport


def fit_channel(pairs: CheckedPairs, settings: FitSettings, *, channel: int, seed: int) -> Fitted:
    """Fit one channel; deterministic given ``seed``.

    Works in units of the range of the signal and of the overall noise, on at most ``settings.pairs`` pairs:
    half of them drawn at random, half evenly over the signal, since bright pixels are rare. Weighting by
    signal does not bias a conditional density.
    """
    rng = np.random.default_rng(seed)
    t = (pairs.signal - pairs.low) / (pairs.high - pairs.low)
    residual = pairs.observation - pairs.signal
    scale = float(residual.std())
    plain = choose_plain(len(t), settings.pairs, rng)
    chosen = plain if len(t) <= settings.pairs else choose_half_even(t, settings.pairs, rng)
    moments = binned_moments(t, residual / scale, pairs.resolved / scale**2)
    floor = settings.variance_floor
    if floor is None:
        # A quarter of the smallest variance seen: rarely binds within the range, keeps it positive outside.
        floor = max(0.25 * float(moments.variance.min()) * scale**2, 1e-6 * scale**2)
    floor = max(floor, pairs.resolved)  # a density must not be narrower than the steps of a digital camera
    unit_floor = torch.tensor(floor / scale**2, dtype=torch.float64)
    unit = (torch.from_numpy(t[chosen]), torch.from_numpy(residual[chosen] / scale))
    fitted = _sound(moments, *unit, unit_floor, settings)
    weights = fitted.movedim(1, 2).contiguous()
    weights[0] *= scale
    weights[1] += 2 * np.log(scale)
    in_counts = attrs.evolve(moments, variance=moments.variance * scale**2)
    misfit = _misfit(in_counts, weights.movedim(2, 1), torch.tensor(floor, dtype=torch.float64))
    if settings.variance_floor is None:  # a floor given by the user is not questioned
        pairs = attrs.evolve(
            pairs,
            warnings=(
                *pairs.warnings,
                *doubt_variance(
                    pairs, misfit, "More coefficients, or noise_model poisson_gaussian or histogram, may fit"
                ),
            ),
        )
    pairs = attrs.evolve(pairs, warnings=(*pairs.warnings, *_fewer(fitted.shape[2], settings.components)))
    spread = dither(len(plain), pairs.step, rng)
    report = _report(pairs, t[plain], residual[plain], spread, weights, floor, channel)
    return Fitted(weights, floor, report)


def at_signal(t: Tensor, weights: Tensor, floor: Tensor) -> Components:
    """Return the components of one channel with weights [3 K D] at 1-D ``t``."""
    return components(t, weights.movedim(2, 1).unsqueeze(-1), floor)


def _sound(moments: Moments, t: Tensor, residual: Tensor, floor: Tensor, settings: FitSettings) -> Tensor:
    """Return the most likely weights [3 D K] whose variance is that of the pairs, or the nearest to it.

    Pairs do not determine a component with hardly any weight. Kept within their residuals, it mostly does no
    harm. If it does, there is one component less, and so on; but not with a floor that the user gave, which
    may be what keeps the variances apart.
    """
    farthest = float(residual.abs().max())
    fewest = 1 if settings.variance_floor is None else settings.components
    attempts = [
        (settings.components, None),
        *((k, farthest) for k in range(settings.components, fewest - 1, -1)),
    ]
    tried: list[tuple[tuple[int, int, float], Tensor]] = []
    for k, bound in attempts:
        tilts = (0.0, float(np.sign(moments.skewness @ moments.count))) if k > 1 else (0.0,)
        starts = [_start(moments, k, settings.coefficients, tilt) for tilt in tilts]
        found = _maximum_likelihood(starts, t, residual, floor, settings.steps, bound)
        off = _runaway(moments, found, floor)
        tried.append(((bisect_left((NOTABLE, FAR_OFF), off), -k, off), found))
        if off <= NOTABLE:
            break
    return min(tried, key=lambda one: one[0])[1]


def _fewer(components: int, wanted: int) -> list[str]:
    """Tell that a mixture has fewer components than wanted."""
    if components == wanted:
        return []
    return [f"the pairs determine {counted(components, 'component')} only (of {wanted}), which were fitted"]


def _start(moments: Moments, k: int, d: int, tilt: float) -> Tensor:
    """Return weights [3 D K] for the binned variances: components of different width, shifted by ``tilt``."""
    powers = moments.t[:, None] ** np.arange(d)
    # The relative error of a variance from n pairs is about 1/sqrt(n); thousands of pairs are enough.
    trust = np.sqrt(np.minimum(moments.count, 5000)) / moments.variance
    variance, _ = nnls(powers * trust[:, None], moments.variance * trust)
    variance = np.maximum(variance, 1e-3 * variance.max())
    std, *_ = np.linalg.lstsq(powers * trust[:, None], np.sqrt(moments.variance) * trust, rcond=None)
    position = np.linspace(-1, 1, k) if k > 1 else np.zeros(1)
    spread = np.exp(position * (0.5 if tilt == 0 else 0.5 * tilt))
    shift = 0.7 * tilt * np.abs(tilt) * position
    weights = np.zeros((3, d, k))
    weights[0] = std[:, None] * shift
    weights[1] = np.log(variance[:, None] * spread)
    return torch.from_numpy(weights)


def _misfit(moments: Moments, weights: Tensor, floor: Tensor) -> Misfit:
    """Compare the variance of weights [3 D K] with that of the pairs."""
    mixture = components(torch.from_numpy(moments.t), weights.unsqueeze(-1), floor)
    return variance_misfit(moments, total_variance(mixture).numpy())


def _runaway(moments: Moments, weights: Tensor, floor: Tensor) -> float:
    """Return the factor of that misfit, or of the variance's growth outside the signal range if larger."""
    mixture = components(torch.tensor(_OUTSIDE, dtype=torch.float64), weights.unsqueeze(-1), floor)
    outside = float(total_variance(mixture).max() / moments.variance.max()) / _CONTINUED
    return max(_misfit(moments, weights, floor).factor, outside)


def _maximum_likelihood(
    starts: list[Tensor],
    t: Tensor,
    residual: Tensor,
    floor: Tensor,
    steps: int,
    farthest: float | None = None,
) -> Tensor:
    """Return the most likely weights [3 D K]: every start gets a short run, the best one is finished."""
    thin = max(1, len(t) // 20_000)
    trials = [_minimise(s, t[::thin], residual[::thin], floor, min(steps, 40), farthest) for s in starts]
    best = min(trials, key=lambda trial: trial[1])[0]
    return _minimise(best, t, residual, floor, steps, farthest)[0]


def _minimise(
    start: Tensor, t: Tensor, residual: Tensor, floor: Tensor, steps: int, farthest: float | None
) -> tuple[Tensor, float]:
    """Return weights and mean negative log-likelihood after at most ``steps`` iterations of L-BFGS.

    If ``farthest`` is given, coefficients of means and of stds stay within it.
    """
    tops = torch.full(start.shape, np.inf, dtype=torch.float64)
    bottoms = -tops
    if farthest is not None:
        tops[0], bottoms[0], tops[1] = farthest, -farthest, 2 * float(np.log(farthest))

    def loss(flat: Float64Array) -> tuple[float, Float64Array]:
        weights = torch.from_numpy(flat).reshape(start.shape).requires_grad_()
        value = -log_density(residual, components(t, weights.unsqueeze(-1), floor)).mean()
        (gradient,) = torch.autograd.grad(value, weights)
        return float(value.detach()), gradient.flatten().numpy()

    found = minimize(
        loss,
        torch.clamp(start, bottoms, tops).flatten().numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(bottoms.flatten().tolist(), tops.flatten().tolist(), strict=True)),
        options={"maxiter": steps, "ftol": 2e-7, "gtol": 1e-5},
    )
    return torch.from_numpy(found.x).reshape(start.shape), float(found.fun)


def doubts(mixture: Components, floor: float) -> tuple[str, ...]:
    """Return the doubts about a mixture at 1-D signals, one sentence each."""
    share = mixture.log_weight.exp()
    sentences = []
    if int((mixture.log_weight > NOTHING / 2).any(1).sum()) > 1 and float(share.mean(1).max()) > DOMINANT:
        sentences.append(
            f"one of {len(share)} components carries all the weight: the noise is a single Gaussian"
        )
    bound = float((share * (mixture.variance <= floor)).sum(0).mean())
    if bound > MOSTLY_FLOORED:
        sentences.append(
            f"the variance floor of {floor:.3g} counts squared holds {bound:.0%} of the weight: the noise "
            f"would be narrower"
        )
    return tuple(sentences)


def _report(
    pairs: CheckedPairs,
    t: Float64Array,
    residual: Float64Array,
    spread: Float64Array,
    weights: Tensor,
    floor: float,
    channel: int,
) -> FitReport:
    """Report likelihood and calibration on pairs drawn at random."""
    mixture = at_signal(torch.from_numpy(t), weights, torch.tensor(floor, dtype=torch.float64))
    log_prob = log_density(torch.from_numpy(residual), mixture)
    transformed = distribution(torch.from_numpy(residual + spread), mixture).numpy()
    found = [*doubts(mixture, floor)]
    if not found and len(mixture.shift) > 1:
        single = Components(
            torch.zeros_like(mixture.shift[:1]),
            total_variance(mixture)[None],
            torch.zeros_like(mixture.log_weight[:1]),
        )
        gain = float((log_prob - log_density(torch.from_numpy(residual), single)).sum())
        # Akaike: every parameter more than those of one Gaussian gains this much by chance.
        if gain < 3 * (len(mixture.shift) - 1) * weights.shape[2]:
            found.append(
                f"the {len(mixture.shift)} components coincide: the noise is a single Gaussian, "
                f"components: 1 describes it as well"
            )
    advice = "more components or coefficients may help"
    return fit_report(pairs, channel, -float(log_prob.mean()), transformed, advice, found)
