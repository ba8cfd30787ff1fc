"""Noise model: a camera whose pixels have an offset, a gain and a read noise each."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import torch
from attrs.validators import ge
from numpy.typing import NDArray
from torch import Tensor

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.network.camera_noise import CameraNoiseModel
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoisePairs
from denoisplit.core.network.pointwise import pointwise
from denoisplit.core.network.units import at_least_float32, of_same_channels
from denoisplit.plugins.noise_models.camera_files import read_maps
from denoisplit.plugins.noise_models.camera_options import as_given, first_pixel, named, positive
from denoisplit.plugins.noise_models.pair_checks import CheckedPairs, check_all
from denoisplit.plugins.noise_models.poisson_gaussian_fit import FitSettings
from denoisplit.plugins.noise_models.poisson_gaussian_maths import Camera, draw, log_density, variance
from denoisplit.plugins.noise_models.requirements import require_channels, unfitted
from denoisplit.plugins.noise_models.scmos_fit import fit_pixels, on_pixel, pixel
from denoisplit.plugins.noise_models.split_numbers import join, split

NAMES = ("gain", "offset", "read_noise")


class Scmos(CameraNoiseModel):
    r"""Poisson photons with the gain, offset and Gaussian read noise of every pixel of an sCMOS camera.

    .. math:: p(y_i \mid s) = \sum_n \operatorname{Poisson}(n; \lambda)\, \mathcal N(y_i; o_i + g_i n, r_i^2),
        \quad \lambda = (s - \bar o) / \bar g

    The signal s is in counts of a nominal camera, whose every pixel has the median offset and gain of the
    maps: it shows the specimen without the pattern of the camera, and pixels with the same photons have the
    same signal. An observation is in the counts of its own pixel; ``bias`` is their mean difference. Options
    that are None are fitted, one number per channel for all pixels, while the maps stay fixed.

    Source: Huang et al., Nature Methods 2013.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the camera.

        Gain, offset and read noise are each a number, the path of an image (any readable format; axes y x for
        all channels, or c y x), a list of one path per channel, or None for a number to fit.

        Attributes:
            gain: counts per photon (photo-electron).
            offset: counts without light: the mean of dark frames.
            read_noise: std of dark frames, counts (not the variance); at least 0.05 photons are assumed.
            origin: row and column of the images' first pixel in the maps, for images of a part of the chip;
                None for images of the size of the maps.
            fit_pairs: largest number of pairs used per channel.
            fit_steps: largest number of iterations of the optimiser.
        """

        gain: float | Path | tuple[Path, ...] | None = attrs.field(
            default=None, converter=as_given, validator=positive
        )
        offset: float | Path | tuple[Path, ...] | None = attrs.field(
            default=None, converter=as_given, validator=named
        )
        read_noise: float | Path | tuple[Path, ...] | None = attrs.field(
            default=None, converter=as_given, validator=positive
        )
        origin: tuple[int, int] | None = attrs.field(default=None, validator=first_pixel)
        fit_pairs: int = attrs.field(default=30_000, validator=ge(1000))
        fit_steps: int = attrs.field(default=60, validator=ge(1))

    numbers: Tensor
    maps: Tensor

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options = options
        self.channels = statistics.channels
        given = [getattr(options, name) for name in NAMES]
        self.files = {
            name: value if isinstance(value, tuple) else (value,)
            for name, value in zip(NAMES, given, strict=True)
            if isinstance(value, Path | tuple)
        }
        # The nominal camera: [gain, offset, read noise] of every channel, NaN where not known yet.
        known = [float("nan") if isinstance(v, Path | tuple) or v is None else float(v) for v in given]
        self.register_buffer("numbers", split(torch.tensor([known] * self.channels, dtype=torch.float64)))
        # [m c y x], the maps of those of the three that are files; c is 1 where channels share them.
        self.register_buffer("maps", torch.zeros(len(self.files), 1, 0, 0))

    def read(self, formats: Sequence[ImageFormat]) -> None:
        """Read the maps; see ``CameraNoiseModel.read``."""
        if not self.files:
            return
        found = read_maps(self.files, formats, channels=self.channels)
        channels = max(map(len, found))
        device = self.numbers.device
        self.maps = torch.stack([one.expand(channels, -1, -1) for one in found]).to(device)
        numbers = join(self.numbers.cpu(), torch.float64)
        for name, one in zip(self.files, found, strict=True):
            numbers[:, NAMES.index(name)] = one.flatten(1).median(dim=1).values.double()
        self.numbers = split(numbers).to(device)

    def camera_maps(self, sides: tuple[int, int] | None = None) -> Tensor | None:
        """Return the maps from files; see ``CameraNoiseModel.camera_maps``."""
        if not self.files:
            return None
        rows, columns = self.maps.shape[-2:]
        if not rows:
            raise NoiseModelError(
                f"noise model scmos: its maps were not read (got {', '.join(self.files)} in files). "
                f"Call read, or load a state dict."
            )
        maps = self.maps.expand(-1, self.channels, -1, -1)
        if sides is None:
            return maps
        first = self.options.origin
        size = f"the maps have {rows} x {columns} pixels, the image {sides[0]} x {sides[1]}"
        if first is None:
            if sides != (rows, columns):
                raise NoiseModelError(
                    f"noise model scmos: {size}. Use images of all of them, maps of the pixels of "
                    f"the images, or say which pixel of the maps is their first (model.noise_model.origin: "
                    f"[y, x])."
                )
            return maps
        (y, x), (height, width) = first, sides
        if y + height > rows or x + width > columns:
            raise NoiseModelError(
                f"noise model scmos: {size}, which from origin {list(first)} on reaches beyond them. "
                f"Correct model.noise_model.origin."
            )
        return maps[..., y : y + height, x : x + width]

    @property
    def needs_fit(self) -> bool:
        """True until everything without a map is given, fitted, or loaded from a state dict."""
        free = [i for i, name in enumerate(NAMES) if name not in self.files]
        return bool(self.numbers[:, free, 0].isnan().any())

    def log_prob(
        self,
        observation: Tensor,
        signal: Tensor,
        extra: Tensor | None = None,
        *,
        camera: Tensor | None = None,
    ) -> Tensor:
        """Log-density of the counts of pixels, given clean counts of the nominal camera."""
        del extra
        observation, signal = of_same_channels(observation, signal)
        here = self._camera(signal, camera)
        numbers = [one.expand_as(signal) for one in attrs.astuple(here, recurse=False)]
        return pointwise(_log_density, observation, self._on_pixels(signal, here), *numbers)

    def sample(
        self,
        signal: Tensor,
        generator: torch.Generator,
        extra: Tensor | None = None,
        *,
        camera: Tensor | None = None,
    ) -> Tensor:
        """Noisy counts [b c (z) y x] of the pixels for clean counts."""
        del extra
        signal = at_least_float32(signal)
        here = self._camera(signal, camera)
        with torch.no_grad():
            return draw(self._on_pixels(signal, here), here, generator)

    def variance(
        self, signal: Tensor, extra: Tensor | None = None, *, camera: Tensor | None = None
    ) -> Tensor:
        """Variance of the observation [b c (z) y x], counts squared."""
        del extra
        signal = at_least_float32(signal)
        here = self._camera(signal, camera)
        return variance(self._on_pixels(signal, here), here)

    def bias(self, signal: Tensor, extra: Tensor | None = None, *, camera: Tensor | None = None) -> Tensor:
        """Mean of the observation minus the signal [b c (z) y x], counts."""
        del extra
        signal = at_least_float32(signal)
        return self._on_pixels(signal, self._camera(signal, camera)) - signal

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Fit the options that are None, for every channel; maps must have been read and stay fixed."""
        maps = self.camera_maps()
        free = [i for i, name in enumerate(NAMES) if getattr(self.options, name) is None]
        numbers = join(self.numbers.cpu(), torch.float64)
        numbers[:, free] = float("nan")
        settings = FitSettings(pairs=self.options.fit_pairs, steps=self.options.fit_steps)
        reports = []
        for channel, checked in enumerate(check_all(pairs, self.channels, "scmos")):
            fitted, report = fit_pixels(
                checked,
                numbers[channel].numpy(),
                None if maps is None else self._at(checked, maps[:, channel]),
                settings,
                own=pairs[channel].origin == "repeats",
                channel=channel,
                seed=seed + channel,
            )
            numbers[channel] = torch.from_numpy(fitted)
            reports.append(report)
        self.numbers = split(numbers).to(self.numbers.device)
        return tuple(reports)

    def _at(self, pairs: CheckedPairs, maps: Tensor) -> NDArray[np.float64]:
        """Return gain, offset and read noise [3 pairs] of every pair's pixel, NaN for those without a map."""
        if pairs.place is None:
            raise NoiseModelError(
                f"{pairs.where}: maps of a camera need pairs of known pixels (got none). Give every pair its "
                f"place."
            )
        y, x = pairs.place + np.array(self.options.origin or (0, 0))[:, None]
        rows, columns = maps.shape[-2:]
        if y.max() >= rows or x.max() >= columns:
            raise NoiseModelError(
                f"{pairs.where}: pixels beyond the maps of {rows} x {columns} (got row {y.max()}, column "
                f"{x.max()}). Correct model.noise_model.origin, or give maps of all pixels."
            )
        found = np.full((3, len(y)), np.nan)
        for name, one in zip(self.files, maps.cpu().numpy(), strict=True):
            found[NAMES.index(name)] = one[y, x]
        return found

    def _camera(self, signal: Tensor, camera: Tensor | None) -> Camera:
        """Return the parameters of the pixels of an image, which broadcast against it."""
        require_channels(signal, self.channels, "scmos")
        nominal = attrs.asdict(self._nominal(signal))
        if self.files:
            if camera is None or len(camera) != len(self.files):
                raise NoiseModelError(
                    f"noise model scmos: the maps of the pixels in question are needed (got "
                    f"{'none' if camera is None else len(camera)} of {len(self.files)}). Give as camera what "
                    f"camera_maps says of them."
                )
            maps = at_least_float32(camera).to(signal)
            nominal |= dict(zip(self.files, maps, strict=True))
        return pixel(**nominal)

    def _nominal(self, signal: Tensor) -> Camera:
        numbers = join(self.numbers, signal.dtype)
        if unfitted(self):
            raise NoiseModelError(
                "noise model scmos: not fitted. Call fit, load a state dict, or give gain, offset and "
                "read_noise."
            )
        return Camera(*numbers.view(self.channels, 3, *(1,) * (signal.ndim - 2)).unbind(1))

    def _on_pixels(self, signal: Tensor, here: Camera) -> Tensor:
        return on_pixel(signal, here, self._nominal(signal)) if self.files else signal


def _log_density(
    observation: Tensor, mean: Tensor, gain: Tensor, offset: Tensor, read_noise: Tensor
) -> Tensor:
    return log_density(observation, mean, Camera(gain, offset, read_noise))
