"""The network as it is exported: a function of tensors alone."""

import copy
import math
from collections.abc import Mapping, Sequence

import attrs
import torch
from torch import Tensor, nn

from denoisplit.core.errors import ExportError, PluginError
from denoisplit.core.exporting.ports import NoiseInput, Ports
from denoisplit.core.network.camera_noise import waits_for_maps
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.tiles.receptive_field import FIRST_PROBE, halo

_ADVICE = "Predict with denoisplit"


@attrs.frozen
class GivenNoise(NoiseSource):
    """Noise that the caller of an exported network gives, by level."""

    tensors: Mapping[int, Tensor]

    def normal(self, level: int, like: Tensor) -> Tensor:
        """The tensor that was given for the level."""
        return self.tensors[level].to(like.dtype)


@attrs.frozen
class _Asked(NoiseSource):
    """Zeros; records the shapes [b k (z) y x] that are asked for, by level."""

    shapes: dict[int, tuple[int, ...]] = attrs.field(factory=dict)

    def normal(self, level: int, like: Tensor) -> Tensor:
        self.shapes[level] = tuple(like.shape)
        return torch.zeros_like(like)


class ExportedGraph(nn.Module):
    """A copy of a network in float32 on the CPU, with latent noise among its inputs.

    Counts come in and counts go out: what the network knows of intensities is part of the graph.

    Args:
        vse: the network.
        levels: numbers of the levels that have a latent, in the order of their noise.
        bounds: lowest and highest value of mixed images in training, counts; infinite for none.
    """

    def __init__(self, vse: VSE, levels: Sequence[int], bounds: tuple[float, float]) -> None:
        super().__init__()
        self.vse = vse
        self._levels = tuple(levels)
        self._bounds = bounds

    def forward(self, mixed: Tensor, *noise: Tensor) -> tuple[Tensor, Tensor]:
        """One posterior sample.

        Args:
            mixed: [b 1 (z) y x], counts.
            noise: standard normal numbers for every level with a latent [b k (z) y x], and for the pixels
                [b c (z) y x] where the network says how far they are off; zeros take the mean of each.

        Returns:
            Signal [b c (z) y x], counts, and the natural logarithm of the variance of a measurement around
            it by the noise model [b c (z) y x], counts squared.
        """
        lowest, highest = self._bounds
        if math.isfinite(lowest):
            mixed = mixed.clamp(min=lowest)
        if math.isfinite(highest):
            mixed = mixed.clamp(max=highest)
        features = self.vse.encoder(self.vse.statistics.normalise_mixed(mixed))
        given = GivenNoise(dict(zip(self._levels, noise, strict=True)))
        maps = self.vse.sample_maps(features, given)
        variance = self.vse.noise_variance(maps)
        return self.vse.draw(maps, given), variance.clamp(min=torch.finfo(variance.dtype).tiny).log()


def exported_graph(
    vse: VSE, channels: tuple[str, ...], bounds: tuple[float, float]
) -> tuple[ExportedGraph, Ports]:
    """The graph of a network, and its inputs and outputs.

    Raises:
        ExportError: this network is not a function of one image and noise.
    """
    _require_function_of_an_image(vse)
    try:
        seen: tuple[int, ...] | None = halo(vse, last_probe=FIRST_PROBE)
    except PluginError:  # it looks so far that tiles are of no use
        seen = None
    copied = copy.deepcopy(vse).to(device="cpu", dtype=torch.float32).eval().requires_grad_(False)
    copied.network_dtype = None
    noise = _noise_inputs(copied)
    ports = Ports(
        axes="zyx"[-vse.spatial_rank :],
        channels=channels,
        noise=noise,
        step=vse.stride,
        halo=seen,
        statistics=vse.statistics,
    )
    return ExportedGraph(copied, [one.level for one in noise], bounds).eval(), ports


def _require_function_of_an_image(vse: VSE) -> None:
    if vse.context:
        raise ExportError(
            f"export: the network looks at the surround of an image, too, which only denoisplit cuts out "
            f"(got {vse.context} lower resolutions). {_ADVICE}, or train without lateral context."
        )
    if vse.makes_a_plane:
        raise ExportError(
            f"export: the network makes one plane of a stack, so its output has other axes than its input "
            f"(got {vse.spatial_rank} and {len(vse.stride)} spatial axes). {_ADVICE}, or use another encoder."
        )
    if waits_for_maps(vse.noise_model):
        raise ExportError(
            f"export: the noise model has maps of camera pixels, and other programs do not say which pixels "
            f"an image shows. {_ADVICE}, or train with a noise model without maps, such as gaussian_mixture."
        )


def _noise_inputs(vse: VSE) -> tuple[NoiseInput, ...]:
    """Find the levels that ask for noise, and what it looks like, by decoding a small image."""
    sides = tuple(2 * step for step in vse.stride)
    asked = _Asked()
    with torch.inference_mode():
        vse.sample(vse.encode(torch.full((1, 1, *sides), vse.statistics.mixed_mean)), asked)
    found = []
    for level, (_, channels, *positions) in sorted(asked.shapes.items()):
        of_pixels = level == len(vse.level_strides)
        stride = (1,) * vse.spatial_rank if of_pixels else vse.level_strides[level]
        one = NoiseInput(level=level, channels=channels, stride=stride, of_pixels=of_pixels)
        if one.shape(1, sides)[2:] != tuple(positions):
            raise ExportError(
                f"export: the latent of level {level} has other positions than its features "
                f"(got {positions} for {list(sides)} pixels). {_ADVICE}, or use the decoder ladder."
            )
        found.append(one)
    return tuple(found)
