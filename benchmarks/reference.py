"""The reference network reimplemented: float32, eager, channels first, one module per described step.

Written from the description of the method (sections 1.1 to 1.6); its tensors have the names of the reference,
so that weights can be exchanged. It has only what the comparison needs: 2D, no lateral context.
"""

from typing import Final

import attrs
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from benchmarks.inputs import Architecture

DROPOUT: Final = 0.1
_CLIP: Final = 20.0
_FLOOR: Final = 1e-6
_NORMALISED_BEYOND: Final = 4


@attrs.frozen
class LevelTerms:
    """Terms of a level besides its features.

    Attributes:
        sample: z [b k y x].
        divergence: divergence per image [b]; None in prediction.
        per_position: divergence summed over latent channels [b y x]; None in prediction.
        log_posterior: ln q(z) per image [b]; computed by the reference, but unused.
    """

    sample: Tensor
    divergence: Tensor | None
    per_position: Tensor | None
    log_posterior: Tensor


class Gate(nn.Module):
    """1x1 convolution to twice the channels; one half gates the other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 2 * width, 1)
        self.act = nn.ELU()

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        a, g = self.conv(x).chunk(2, dim=1)
        result: Tensor = self.act(a) * torch.sigmoid(g)
        return result


class Residual(nn.Module):
    """Twice (batch norm, ELU, convolution, dropout), a gate, plus the input."""

    def __init__(self, width: int, *, gated: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                nn.BatchNorm2d(width),
                nn.ELU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.Dropout2d(DROPOUT),
            ]
        if gated:
            layers.append(Gate(width))
        self.block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        result: Tensor = self.block(x) + x
        return result


class Resampling(nn.Module):
    """An optional strided (or transposed) convolution, then a residual block."""

    def __init__(self, width: int, pre_conv: nn.Module | None, *, gated: bool = True) -> None:
        super().__init__()
        self.pre_conv = pre_conv
        self.res = Residual(width, gated=gated)

    def forward(self, x: Tensor) -> Tensor:
        """Return [b f y x] at half, twice or the same size."""
        if self.pre_conv is not None:
            x = self.pre_conv(x)
        result: Tensor = self.res(x)
        return result


class BottomUp(nn.Module):
    """A level of the encoder."""

    def __init__(self, width: int) -> None:
        super().__init__()
        down = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.net_downsized = nn.Sequential(Resampling(width, down))

    def forward(self, x: Tensor) -> Tensor:
        """Return features at half the size."""
        result: Tensor = self.net_downsized(x)
        return result


class Merge(nn.Module):
    """Concatenation, 1x1 convolution, gated residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(2 * width, width, 1), Residual(width))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Same shape as each."""
        result: Tensor = self.layer(torch.cat([first, second], dim=1))
        return result


def _normal(parameters: Tensor) -> Normal:
    """Return the distribution whose means and raw log-variances are the channel halves."""
    mean, raw = parameters.chunk(2, dim=1)
    raw = torch.clamp(raw, max=_CLIP)
    positive = raw > 0
    variance = torch.where(positive, 1 + raw, torch.exp(torch.where(positive, torch.zeros_like(raw), raw)))
    return Normal(mean, torch.sqrt(variance + _FLOOR), validate_args=False)


class Stochastic(nn.Module):
    """Posterior, prior, draw."""

    def __init__(self, width: int, latent: int, *, top: bool) -> None:
        super().__init__()
        self.conv_in_p = None if top else nn.Conv2d(width, 2 * latent, 3, padding=1)
        self.conv_in_q = nn.Conv2d(width, 2 * latent, 3, padding=1)
        self.conv_out = nn.Conv2d(latent, width, 3, padding=1)

    def forward(
        self, p_features: Tensor, q_features: Tensor, noise: Tensor | None, *, predicting: bool
    ) -> tuple[Tensor, LevelTerms]:
        """Return features [b f y x] and terms; without ``noise`` it draws, as in training and prediction."""
        prior = _normal(p_features if self.conv_in_p is None else self.conv_in_p(p_features))
        posterior = _normal(self.conv_in_q(q_features))
        z = posterior.mean + posterior.stddev * (torch.randn_like(posterior.mean) if noise is None else noise)
        log_q = _log_prob(posterior, z)
        total = log_q.sum((1, 2, 3))
        if predicting:
            return self.conv_out(z), LevelTerms(z, None, None, total)
        divergence = log_q - _log_prob(prior, z)
        return self.conv_out(z), LevelTerms(z, divergence.sum((1, 2, 3)), divergence.sum(1), total)


def _log_prob(distribution: Distribution, value: Tensor) -> Tensor:
    """Return the log-density; torch types the method of the base class only."""
    return distribution.log_prob(value)


class TopDown(nn.Module):
    """A level of the decoder."""

    def __init__(self, architecture: Architecture, index: int, *, patch: int) -> None:
        super().__init__()
        width, latent, levels = architecture.width, architecture.latent, architecture.levels
        self.top = index == levels - 1
        self.factor = (2 * (1 + index)) ** -0.5 if levels > _NORMALISED_BEYOND else 1.0
        if self.top:
            side = patch // 2**levels
            self.top_prior_params = nn.Parameter(torch.zeros(1, 2 * latent, side, side))
        else:
            self.merge = Merge(width)
            self.skip_connection_merger = Merge(width)
        self.stochastic = Stochastic(width, latent, top=self.top)
        up = nn.ConvTranspose2d(width, width, 3, stride=2, padding=1, output_padding=1)
        self.deterministic_block = nn.Sequential(Resampling(width, up))

    def forward(
        self, features: Tensor, above: Tensor | None, noise: Tensor | None, *, predicting: bool
    ) -> tuple[Tensor, LevelTerms]:
        """Return the state for the level below and the terms of this one."""
        if above is None:
            prior: Tensor = self.top_prior_params.expand(features.shape[0], -1, -1, -1)
            q = features
        else:
            prior, q = above, self.merge(features, above)
        x, terms = self.stochastic(prior, q / self.factor, noise, predicting=predicting)
        if above is not None:
            x = self.skip_connection_merger(x, above)
        return self.deterministic_block(x), terms


class ReferenceNetwork(nn.Module):
    """Normalised mixed images in, normalised channels out."""

    def __init__(self, architecture: Architecture, *, patch: int, channels: int) -> None:
        super().__init__()
        width = architecture.width
        self.first_bottom_up = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ELU(), Resampling(width, None, gated=False)
        )
        self.bottom_up_layers = nn.ModuleList(BottomUp(width) for _ in range(architecture.levels))
        self.top_down_layers = nn.ModuleList(
            TopDown(architecture, index, patch=patch) for index in range(architecture.levels)
        )
        self.final_top_down = nn.Sequential(Resampling(width, None))
        self.output_layer = nn.Conv2d(width, channels, 3, padding=1)

    def forward(
        self, x: Tensor, *, noise: list[Tensor] | None = None, predicting: bool = False
    ) -> tuple[Tensor, tuple[LevelTerms, ...]]:
        """Return channels [b c y x], and the terms of all levels, finest first; ``noise`` likewise."""
        bottom_up: list[Tensor] = []
        x = self.first_bottom_up(x)
        for level in self.bottom_up_layers:
            x = level(x)
            bottom_up.append(x)
        state: Tensor | None = None
        terms: list[LevelTerms] = []
        for index in reversed(range(len(bottom_up))):
            draw = None if noise is None else noise[index]
            state, found = self.top_down_layers[index](bottom_up[index], state, draw, predicting=predicting)
            terms.append(found)
        return self.output_layer(self.final_top_down(state)), tuple(reversed(terms))
