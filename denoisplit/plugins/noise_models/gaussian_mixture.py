"""Noise model: a Gaussian mixture whose parameters depend on the signal, one mixture per channel."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from attrs.validators import ge, gt, min_len, optional
from torch import Tensor, nn

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.core.network.pointwise import Pointwise, pointwise
from denoisplit.core.network.units import at_least_float32, of_same_channels
from denoisplit.plugins.noise_models.exchange import ChannelMixture, read_mixture, write_mixture
from denoisplit.plugins.noise_models.mixture_fit import FitSettings, at_signal, doubts, fit_channel
from denoisplit.plugins.noise_models.mixture_maths import (
    Components,
    components,
    draw,
    log_density,
    pad,
    total_variance,
    unpad,
    widened,
)
from denoisplit.plugins.noise_models.pair_checks import check_all
from denoisplit.plugins.noise_models.requirements import as_paths, not_fitted, require_channels, require_paths

_PROBES = 33
"""Number of signals at which learnable parameters are checked."""


class GaussianMixture(NoiseModel):
    r"""Mixture of Gaussians with polynomial parameters; its mean is the signal.

    .. math:: \log p(y \mid s) = \log \sum_k \pi_k(s)\, \mathcal N(y; \mu_k(s), v_k(s))

    Beyond the fitted range of the signal the polynomials are extrapolated and the variance is floored. All
    numbers are in ``state_dict``; one with other numbers of components or coefficients loads, too. With
    ``learnable``, the polynomials are trainable parameters; range and floor stay fixed.

    Source: Prakash et al., Fully unsupervised probabilistic Noise2Void, ISBI 2020; Ashesh & Jug, denoiSplit,
    ECCV 2024; method section 4.1.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the mixture.

        Attributes:
            components: number of Gaussians per channel.
            coefficients: polynomial coefficients per parameter (2: linear in the signal).
            variance_floor: smallest variance of a component, counts squared; None takes a
                quarter of the smallest variance found in the pairs.
            path: one ``.npz`` file per channel, read instead of fitting; None to fit.
            fit_pairs: largest number of pairs used per channel.
            fit_steps: largest number of iterations of the optimiser.
            learnable: go on training the fitted parameters, or those in the files, with the network.
        """

        components: int = attrs.field(default=3, validator=ge(1))
        coefficients: int = attrs.field(default=2, validator=ge(1))
        variance_floor: float | None = attrs.field(default=None, validator=optional(gt(0)))
        path: tuple[Path, ...] | None = attrs.field(
            default=None, converter=as_paths, validator=optional(min_len(1))
        )
        fit_pairs: int = attrs.field(default=60_000, validator=ge(1000))
        fit_steps: int = attrs.field(default=200, validator=ge(1))
        learnable: bool = False

    weights: Tensor
    signal_range: Tensor
    variance_floor: Tensor

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options = options
        self.channels = statistics.channels
        shape = (self.channels, 3, options.components, options.coefficients)
        if options.learnable:
            self.weights = nn.Parameter(torch.zeros(shape))
        else:
            self.register_buffer("weights", torch.zeros(shape))
        self.register_buffer("signal_range", torch.zeros(self.channels, 2))
        self.register_buffer("variance_floor", torch.zeros(self.channels, 2))
        self._ready = False
        if options.path is not None:
            require_paths(options.path, self.channels, "gaussian_mixture")
            # A trained model has the numbers in its state dict, so its files need not exist any more.
            if all(path.exists() for path in options.path):
                self._set(read_mixture(path) for path in options.path)

    @property
    def needs_fit(self) -> bool:
        """True until the parameters are fitted, read from files, or loaded from a state dict."""
        return not self._ready

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Log-density of noisy counts; see ``NoiseModel``."""
        del extra
        return self._pixelwise(self._log_density, observation, signal)

    def log_prob_around(self, observation: Tensor, signal: Tensor, variance: Tensor) -> Tensor:
        """Log-density of noisy counts whose clean counts are Gaussian around ``signal``.

        Args:
            observation: [b c (z) y x], counts.
            signal: mean of the clean counts, at which the noise is evaluated.
            variance: variance of the clean counts [b c (z) y x], counts squared.
        """
        return self._pixelwise(self._log_density_around, observation, signal, variance)

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Noisy counts [b c (z) y x] for clean counts."""
        del extra
        signal = at_least_float32(signal)
        with torch.no_grad():
            return signal + draw(self._components(signal), generator)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of the observation [b c (z) y x], counts squared."""
        del extra
        return total_variance(self._components(at_least_float32(signal)))

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit every channel to its pairs by maximum likelihood."""
        missing = [str(path) for path in self.options.path or () if not path.exists()]
        if missing:
            raise NoiseModelError(
                f"noise model gaussian_mixture: no such file ({', '.join(missing)}). Correct `path`, or "
                f"leave it out to fit the noise model to the images."
            )
        settings = FitSettings(
            components=self.options.components,
            coefficients=self.options.coefficients,
            variance_floor=self.options.variance_floor,
            pairs=self.options.fit_pairs,
            steps=self.options.fit_steps,
        )
        mixtures, reports = [], []
        for channel, checked in enumerate(check_all(pairs, self.channels, "gaussian_mixture")):
            fitted = fit_channel(checked, settings, channel=channel, seed=seed + channel)
            weight = fitted.weights.reshape(-1, self.options.coefficients).numpy()
            mixtures.append(ChannelMixture(weight, checked.low, checked.high, fitted.floor))
            reports.append(fitted.report)
        self._set(mixtures)
        return tuple(reports)

    def concerns(self) -> tuple[tuple[int, str], ...]:
        """Report channels whose learnable mixture collapsed or lies on its variance floor."""
        if not self.options.learnable or not self._ready:
            return ()
        t = torch.linspace(0, 1, _PROBES, dtype=torch.float64)
        found: list[tuple[int, str]] = []
        for channel, (weights, floor) in enumerate(zip(self.weights, self.variance_floor, strict=True)):
            bound = floor.double().sum().cpu()
            mixture = at_signal(t, weights.detach().double().cpu(), bound)
            found += [(channel, sentence) for sentence in doubts(mixture, float(bound))]
        return tuple(found)

    def export(self, channel: int, path: Path) -> None:
        """Write one channel in the exchange format; raises as ``log_prob``."""
        self._require_ready()
        low, high = self.signal_range[channel].tolist()
        weight = unpad(self.weights[channel].detach()).double().flatten(0, 1).cpu().numpy()
        write_mixture(path, ChannelMixture(weight, low, high, sum(self.variance_floor[channel].tolist())))

    def _pixelwise(self, density: Pointwise, *images: Tensor) -> Tensor:
        """Call in blocks, but where parameters learn, which blocks would keep from their gradients."""
        observation, signal = of_same_channels(*images[:2])
        given = (observation, signal, *map(at_least_float32, images[2:]))
        return density(*given) if self.options.learnable else pointwise(density, *given)

    def _log_density(self, observation: Tensor, signal: Tensor) -> Tensor:
        return log_density(observation - signal, self._components(signal))

    def _log_density_around(self, observation: Tensor, signal: Tensor, variance: Tensor) -> Tensor:
        return log_density(observation - signal, widened(self._components(signal), variance))

    def _components(self, signal: Tensor) -> Components:
        self._require_ready()
        require_channels(signal, self.channels, "gaussian_mixture")
        space = (1,) * (signal.ndim - 2)
        low, high = self.signal_range.to(signal.dtype).unbind(1)
        t = (signal - low.view(-1, *space)) / (high - low).view(-1, *space)
        # [c 3 K D] to [3 D K 1 c 1 1], which broadcasts against [b c y x]
        weights = self.weights.to(signal.dtype).permute(1, 3, 2, 0)[:, :, :, None]
        weights = weights.reshape(*weights.shape, *space)
        return components(t, weights, self.variance_floor.to(signal.dtype).sum(1).view(-1, *space))

    def _require_ready(self) -> None:
        if not self._ready:
            raise not_fitted("gaussian_mixture", self.options.path, "parameters")

    def _set(self, mixtures: Iterable[ChannelMixture]) -> None:
        mixtures = list(mixtures)
        device = self.weights.device
        self._take(
            pad([torch.from_numpy(m.weight).float().reshape(3, -1, m.weight.shape[1]) for m in mixtures]).to(
                device
            )
        )
        self.signal_range = torch.tensor([[m.min_signal, m.max_signal] for m in mixtures], device=device)
        floor = torch.tensor([m.variance_floor for m in mixtures], dtype=torch.float64)
        # As pairs of float32: files hold the floor in float64, which not every device has.
        self.variance_floor = torch.stack([floor.float(), (floor - floor.float()).float()], dim=1).to(device)
        self._ready = True

    def _take(self, weights: Tensor) -> None:
        """Take these weights; learnable ones are changed in place, as an optimiser may already hold them."""
        if not self.options.learnable:
            self.weights = weights
        elif weights.shape == self.weights.shape:
            self.weights.data.copy_(weights)
        else:
            self.weights = nn.Parameter(weights)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take the number of components and coefficients from the state dict, then load as usual."""
        weights = state_dict.get(prefix + "weights")
        limits = state_dict.get(prefix + "signal_range")
        if isinstance(weights, Tensor) and weights.ndim == 4 and weights.shape[:2] == self.weights.shape[:2]:
            self._take(torch.zeros_like(weights, dtype=self.weights.dtype, device=self.weights.device))
        super()._load_from_state_dict(state_dict, prefix, *args)
        if isinstance(limits, Tensor):
            self._ready = bool((limits[:, 1] > limits[:, 0]).all())
