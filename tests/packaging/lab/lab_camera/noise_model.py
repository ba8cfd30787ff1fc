"""Noise model: Gaussian, with the offset and the read noise of every pixel."""

import math
from collections.abc import Sequence
from pathlib import Path

import attrs
import torch
from attrs.validators import gt
from torch import Tensor

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.images.io import open_image
from denoisplit.core.network.camera_noise import CameraNoiseModel
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoisePairs
from denoisplit.core.network.units import of_same_channels


class UnevenPixels(CameraNoiseModel):
    """Shot noise that grows with the signal, and the offset and read noise of every pixel, in all channels.

    The signal is in counts of a pixel of the median offset.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the camera.

        Attributes:
            offset: image [y x] of the counts without light.
            read_noise: image [y x] of the std of dark frames, counts.
            gain: counts per photon.
        """

        offset: Path = attrs.field(converter=Path)
        read_noise: Path = attrs.field(converter=Path)
        gain: float = attrs.field(default=2.0, validator=gt(0))

    maps: Tensor

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options, self.channels = options, statistics.channels
        self.register_buffer("maps", torch.zeros(2, 0, 0))  # offset and read noise

    def read(self, formats: Sequence[ImageFormat]) -> None:
        """Both maps, from files."""
        paths = (self.options.offset, self.options.read_noise)
        found = [torch.from_numpy(open_image(path, formats).pixels.astype("float32")) for path in paths]
        if found[0].ndim != 2 or found[0].shape != found[1].shape or not (found[1] > 0).all():
            raise NoiseModelError(
                f"noise model uneven_pixels: {paths[0]} and {paths[1]} are no two images [y x] of one size, "
                f"the second above zero (got {tuple(found[0].shape)} and {tuple(found[1].shape)}). "
                f"Give those of the camera."
            )
        self.maps = torch.stack(found)

    def camera_maps(self, sides: tuple[int, int] | None = None) -> Tensor:
        """Offset and read noise [2 c y x]."""
        if sides not in (None, tuple(self.maps.shape[1:])) or not self.maps.numel():
            raise NoiseModelError(
                f"noise model uneven_pixels: no maps of {sides} pixels (got those of "
                f"{tuple(self.maps.shape[1:])}). Give images of the size of the maps."
            )
        return self.maps[:, None].expand(-1, self.channels, -1, -1)

    @property
    def needs_fit(self) -> bool:
        """All is given."""
        return False

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Nothing to fit."""
        del pairs, seed
        return ()

    def log_prob(
        self,
        observation: Tensor,
        signal: Tensor,
        extra: Tensor | None = None,
        *,
        camera: Tensor | None = None,
    ) -> Tensor:
        """Of counts of the pixels [b c (z) y x]."""
        observation, signal = of_same_channels(observation, signal)
        mean = signal + self.bias(signal, extra, camera=camera)
        std = self.variance(signal, extra, camera=camera).sqrt()
        score = (observation - mean) / std
        return -0.5 * score.square() - std.log() - 0.5 * math.log(2 * math.pi)

    def sample(
        self,
        signal: Tensor,
        generator: torch.Generator,
        extra: Tensor | None = None,
        *,
        camera: Tensor | None = None,
    ) -> Tensor:
        """Counts of the pixels [b c (z) y x]."""
        signal = signal.to(torch.promote_types(signal.dtype, torch.float32))
        mean = signal + self.bias(signal, extra, camera=camera)
        std = self.variance(signal, extra, camera=camera).sqrt()
        return mean + std * torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)

    def variance(
        self, signal: Tensor, extra: Tensor | None = None, *, camera: Tensor | None = None
    ) -> Tensor:
        """Shot noise, which ends smoothly where there is no light, and read noise."""
        del extra
        signal = signal.to(torch.promote_types(signal.dtype, torch.float32))
        light = signal - self.maps[0].median().to(signal.dtype)
        photons = (light + (light.square() + self.options.gain**2).sqrt()) / 2
        return self.options.gain * photons + self._here(signal, camera)[1].square()

    def bias(self, signal: Tensor, extra: Tensor | None = None, *, camera: Tensor | None = None) -> Tensor:
        """Offset of the pixel above the median one."""
        del extra
        offset = self._here(signal, camera)[0] - self.maps[0].median().to(signal.dtype)
        return offset.expand_as(signal)

    def _here(self, signal: Tensor, camera: Tensor | None) -> Tensor:
        if camera is None:
            raise NoiseModelError(
                "noise model uneven_pixels: the maps of the pixels in question are needed (got none). Give "
                "as camera what camera_maps says of them."
            )
        return camera.to(torch.promote_types(signal.dtype, torch.float32))
