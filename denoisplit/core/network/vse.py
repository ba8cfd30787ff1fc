"""The Variational Splitting Encoder-Decoder: a hierarchical VAE whose outputs are the channels."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from denoisplit.core.devices import PRECISIONS, TF32
from denoisplit.core.errors import ChannelCountError
from denoisplit.core.network import camera_noise as cameras
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.network.interfaces import (
    Decoded,
    Decoder,
    Encoder,
    Features,
    FeatureShape,
    IntensityStats,
    KLScheme,
    NoiseModel,
    Rate,
)
from denoisplit.core.network.latent import level_numbers
from denoisplit.core.network.named_term import NamedTerm
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.objective import LossTerms, combine, distortion
from denoisplit.core.network.objective_terms import TermValue
from denoisplit.core.network.placing import decode
from denoisplit.core.network.units import at_least_float32

ALL_PIXELS: Final = (slice(None), slice(None))
"""Index of all pixels along y and x."""

_MEMORY_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


class VSE(nn.Module):
    """Encoder, decoder, noise model and KL scheme, joined by the intensity statistics of the data.

    Images go in and come out in detector counts; inside the network everything is normalised.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        decoder: Decoder,
        noise_model: NoiseModel,
        kl_scheme: KLScheme,
        statistics: IntensityStats,
        spatial_rank: int,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.noise_model = noise_model
        self.kl_scheme = kl_scheme
        self.statistics = statistics
        self.spatial_rank = spatial_rank
        self.network_dtype: torch.dtype | None = None
        self.tf32 = False
        # Measured once by predictions: the halo of tiles, and bytes per pixel by device and dtype.
        self.halo: tuple[int, ...] | None = None
        self.bytes_per_pixel: dict[tuple[object, ...], float] = {}
        # Weights use the memory layout of images: this is fast, and a loaded network rounds exactly like a
        # trained one.
        for part in (encoder, decoder):
            for tensor in (*part.parameters(), *part.buffers()):
                if tensor.dim() in _MEMORY_FORMATS:
                    tensor.data = tensor.data.to(tensor.dtype, memory_format=_MEMORY_FORMATS[tensor.dim()])

    @property
    def channels(self) -> int:
        """Number of target channels."""
        return self.statistics.channels

    @property
    def context(self) -> int:
        """Number of low-resolution scales of the surround that ``encode`` takes besides the image."""
        return self.encoder.input_scales - 1

    @property
    def level_strides(self) -> tuple[tuple[int, ...], ...]:
        """Pixels per latent position of every level, finest first."""
        return tuple(shape.stride for shape in self.encoder.feature_shapes)

    @property
    def stride(self) -> tuple[int, ...]:
        """Pixels per position of the coarsest level; tiles begin at multiples of it."""
        return self.level_strides[-1]

    @property
    def makes_a_plane(self) -> bool:
        """Whether the network makes one plane of a stack: it can neither be trained nor predict here."""
        return len(self.stride) != self.spatial_rank

    @property
    def multiple(self) -> tuple[int, ...]:
        """Image sides are padded to multiples of this: the stride, or less where maps exceed the image."""
        return side_multiple(self.encoder.feature_shapes)

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return next(self.parameters()).device

    @property
    def precision(self) -> str:
        """Precision in which the network runs, by its name in a spec."""
        if self.tf32:
            return TF32
        names = (name for name, dtype in PRECISIONS.items() if dtype == self.network_dtype)
        return next(names, str(self.network_dtype))

    @precision.setter
    def precision(self, name: str) -> None:
        self.network_dtype, self.tf32 = PRECISIONS[name], name == TF32

    def autocast(self) -> AbstractContextManager[object]:
        """Context in which the network runs in ``network_dtype`` (None: the dtype of its weights)."""
        dtype = self.network_dtype or torch.bfloat16
        return torch.autocast(self.device.type, dtype=dtype, enabled=self.network_dtype is not None)

    def encode(self, mixed: Tensor) -> Features:
        """Features of a mixed image [b scales (z) y x] in counts, sides multiples of ``multiple``."""
        normalised = self.statistics.normalise_mixed(mixed)
        features: Features = self.encoder(self._layout(normalised))
        return features

    def sample(self, features: Features, noise: NoiseSource) -> Tensor:
        """One posterior sample of the clean signal [b c (z) y x] in counts, float32 at least."""
        return self.draw(self.sample_maps(features, noise), noise)

    def sample_maps(self, features: Features, noise: NoiseSource) -> Tensor:
        """All output maps of one posterior sample [b maps (z) y x], normalised units, float32 at least."""
        return at_least_float32(self.decoder.sample(features, noise))

    def signal(self, maps: Tensor) -> Tensor:
        """Signal [b c (z) y x] in counts from output maps [b maps (z) y x]."""
        return self.statistics.to_counts(maps[:, : self.channels])

    def draw(self, maps: Tensor, noise: NoiseSource) -> Tensor:
        """The clean signal [b c (z) y x] in counts, drawn around that of output maps.

        Without a ``signal_variance``, it is the signal itself. Pixels have the noise of the level after the
        last.
        """
        signal, variance = self.signal(maps), self.signal_variance(maps)
        if variance is None:
            return signal
        return torch.addcmul(signal, variance.sqrt(), noise.normal(len(self.level_strides), signal))

    def camera(self, part: FramePart) -> Tensor | None:
        """Camera maps of the noise model for a part of an image [m 1 c (1) y x]; None without maps.

        Raises:
            NoiseModelError: its maps belong to an image with other sides.
        """
        maps = cameras.camera_of(self.noise_model, part)
        return None if maps is None else cameras.as_batch(maps, self.spatial_rank)

    def signal_variance(self, maps: Tensor) -> Tensor | None:
        """Variance of the clean signal around that of output maps; see ``NoiseModel.signal_variance``."""
        extra = self._extra(maps)
        return None if extra is None else self.noise_model.signal_variance(self.signal(maps), extra)

    def noise_variance(self, maps: Tensor, camera: Tensor | None = None) -> Tensor:
        """Variance of a measurement around the clean signal, [b c (z) y x], counts squared."""
        found = cameras.variance(self.noise_model, self.signal(maps), self._extra(maps), camera)
        own = self.signal_variance(maps)
        return found if own is None else (found - own).clamp(min=0)

    def noise_bias(self, maps: Tensor, camera: Tensor) -> Tensor:
        """Mean excess of these camera pixels over the signal of output maps, [b c (z) y x], counts."""
        return cameras.bias(self.noise_model, self.signal(maps), self._extra(maps), camera)

    def decode(self, mixed: Tensor, noise: NoiseSource) -> Decoded:
        """Output maps in normalised units, and all levels, of an image [b scales (z) y x], any size, counts.

        Sides that are not multiples of ``multiple`` are padded with the mean at both ends; the output is cut
        back. Axes that the features lack, such as a projected z, are not padded.
        """
        multiple = self.multiple
        size = tuple(mixed.shape[-len(multiple) :])
        before, after = _padding(size, multiple)
        normalised = self.statistics.normalise_mixed(mixed)
        if any(before) or any(after):
            pad = [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
            normalised = functional.pad(normalised, pad)
        window = tuple(slice(b, b + n) for b, n in zip(before, size, strict=True))
        decoded = decode(self.decoder, self.encoder(self._layout(normalised)), noise, window)
        return Decoded(output=at_least_float32(decoded.output), levels=decoded.levels)

    def loss(
        self,
        mixed: Tensor,
        targets: Tensor,
        noise: NoiseSource,
        *,
        kl_weight: float,
        channel_weights: tuple[float, ...] = (),
        sample_weights: Tensor | None = None,
        camera: Tensor | None = None,
        objectives: Sequence[NamedTerm] = (),
        pixels: tuple[slice, slice] = ALL_PIXELS,
    ) -> LossTerms:
        """Objective of a batch.

        Args:
            mixed: [b scales (z) y x], counts.
            targets: noisy target channels [b c (z) y x], counts.
            noise: source of the latent draws.
            kl_weight: multiplier of the rate at this step.
            channel_weights: see ``objective.distortion``.
            sample_weights: see ``objective.distortion``.
            camera: camera maps of the noise model for these pixels [m b c (z) y x]; see ``CameraNoiseModel``.
            objectives: further terms of the total.
            pixels: index of the pixels along y and x whose likelihood is taken.

        Raises:
            ChannelCountError: the targets have another shape than the output.
        """
        with self.autocast():
            decoded = self.decode(mixed, noise)
        signal = self.statistics.to_counts(decoded.output[:, : self.channels])
        if targets.shape != signal.shape:  # or they would be repeated along what they lack
            raise ChannelCountError(
                f"loss: the targets do not have the shape of the output (got {tuple(targets.shape)}, not "
                f"{tuple(signal.shape)}). Give every channel of every image of the batch."
            )
        extra = self._extra(decoded.output)
        log_prob = cameras.log_prob(
            self.noise_model,
            targets[..., *pixels].to(signal),
            signal[..., *pixels],
            None if extra is None else extra[..., *pixels],
            None if camera is None else camera[..., *pixels],
        )
        size = math.prod(targets.shape[2:])
        rate = (
            self.kl_scheme(decoded.levels, image_pixels=size, channels=self.channels)
            if decoded.levels
            else Rate(total=signal.new_zeros(()), per_level=signal.new_zeros(0))
        )
        return combine(
            distortion(log_prob, channel_weights=channel_weights, sample_weights=sample_weights),
            rate,
            kl_weight,
            tuple(
                TermValue(one.name, one.term.weight, one.value(signal, targets.to(signal), mixed[:, :1]))
                for one in objectives
            ),
            level_numbers(decoded.levels),
        )

    def _extra(self, maps: Tensor) -> Tensor | None:
        """The output maps that the noise model needs."""
        return maps[:, self.channels :] if self.noise_model.extra_maps else None

    def _layout(self, image: Tensor) -> Tensor:
        """Convert to channels-last memory, in which convolutions run fastest."""
        weight = next(self.encoder.parameters())
        image = image.to(device=weight.device, dtype=weight.dtype)
        return image.contiguous(memory_format=_MEMORY_FORMATS[image.dim()])


def side_multiple(shapes: tuple[FeatureShape, ...]) -> tuple[int, ...]:
    """Divisors of the image sides, per axis, with which every level strides without remainder.

    The coarsest stride if all maps cover the image once. A level that starts from a map of larger extent
    divides more pixels, so the image itself may have fewer.
    """
    multiple = (1,) * len(shapes[0].stride)
    extent = multiple
    for shape in shapes:
        divisors = (s // math.gcd(s, e) for s, e in zip(shape.stride, extent, strict=True))
        multiple = tuple(math.lcm(m, d) for m, d in zip(multiple, divisors, strict=True))
        extent = shape.extent
    return multiple


def _padding(size: tuple[int, ...], multiple: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Pixels to add before and after every axis to reach a multiple; an odd one is added after."""
    missing = tuple(-n % m for n, m in zip(size, multiple, strict=True))
    before = tuple(n // 2 for n in missing)
    return before, tuple(n - b for n, b in zip(missing, before, strict=True))
