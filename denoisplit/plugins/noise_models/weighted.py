"""Noise model: a mixture and a Gaussian whose log-likelihoods are averaged, as in MicroSplit."""

from collections.abc import Sequence

import attrs
import torch
from attrs.validators import ge, le
from torch import Tensor

from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.gaussian_mixture import GaussianMixture


class Weighted(NoiseModel):
    r"""Composite likelihood of a camera model and a Gaussian around the same signal.

    .. math:: \ell(y, s) = a \log p_{\text{mixture}}(y \mid s) + (1 - a) \log p_{\text{Gauss}}(y \mid s)

    with the mixture as a density in counts and the Gaussian as one in normalised units. A product of powers
    of densities is no density: :math:`e^\ell` does not integrate to 1 (``is_density`` is False), so losses
    compare with those of the same noise model only. The mixture alone describes the camera: ``sample``,
    ``variance`` and ``fit`` are those of the mixture, and the Gaussian only steers the training.

    Source: Ashesh et al., MicroSplit, 2025; CAREamics; method section 12.2.
    """

    is_density = False

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the composite likelihood.

        Attributes:
            weight: weight of the mixture, 0 to 1; the Gaussian has the rest.
            mixture: options of ``gaussian_mixture``.
            gaussian: options of ``gaussian``.
        """

        weight: float = attrs.field(default=0.9, validator=[ge(0), le(1)])
        mixture: GaussianMixture.Options = attrs.field(factory=GaussianMixture.Options)
        gaussian: Gaussian.Options = attrs.field(factory=Gaussian.Options)

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options = options
        self.statistics = statistics
        self.mixture = GaussianMixture(options.mixture, statistics=statistics)
        self.gaussian = Gaussian(options.gaussian, statistics=statistics)
        self.extra_maps = self.gaussian.extra_maps

    @property
    def counts_share(self) -> float:
        """Weight of the log-density in counts; the Gaussian's is in normalised units."""
        return self.options.weight

    @property
    def needs_fit(self) -> bool:
        """Whether the mixture has to be fitted."""
        return self.mixture.needs_fit

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit the mixture; raises as ``GaussianMixture.fit``."""
        return self.mixture.fit(pairs, seed=seed)

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Weighted mean of the two log-likelihoods; ``extra`` as in ``Gaussian.log_prob``."""
        camera = self.mixture.log_prob(observation, signal)
        scale = self.statistics.per_channel(self.statistics.target_std, camera)
        normalised = self.gaussian.log_prob(observation, signal, extra) + scale.log()
        return self.options.weight * camera + (1 - self.options.weight) * normalised

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Draw noisy counts [b c (z) y x] for clean counts from the mixture."""
        del extra
        return self.mixture.sample(signal, generator)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of the mixture [b c (z) y x], counts squared."""
        del extra
        return self.mixture.variance(signal)
