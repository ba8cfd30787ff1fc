"""Simulated fields with a known truth: cellular structures, optics and a camera."""

from typing import Any, final

import attrs
import numpy as np
from attrs.validators import deep_iterable, ge, gt, in_, le

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import ChannelCountError
from denoisplit.core.images.bases import Dataset, Field, PixelSize
from denoisplit.plugins.datasets.simulation.camera import Camera, CameraKind
from denoisplit.plugins.datasets.simulation.light import photons_of
from denoisplit.plugins.datasets.simulation.structures import STRUCTURES

_TRUTH, _NOISE = 0, 1
_PIXEL = PixelSize((0.1, 0.1), "µm")


@final
class Simulated(Dataset):
    """Filaments, mitochondria, puncta and membranes as a fluorescence microscope would see them, 2D.

    A field depends on the seed and its own number only, so asking for more fields keeps the earlier ones. The
    clean image is the exact mean of all possible exposures, in counts including the offset.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Structures, optics and camera to simulate.

        Attributes:
            fields: number of fields.
            size: side of a field, pixels.
            structures: one of ``filaments``, ``mitochondria``, ``puncta``, ``membranes`` per channel; empty
                takes them in this order.
            photons: photons of a bright pixel of the structure in one exposure (its 99th percentile).
            background: photons per pixel where there is no structure.
            psf: standard deviation of the point-spread function, pixels.
            haze: fraction of the light that comes from out of focus, 0 to 1.
            camera: ``poisson`` (sCMOS, CCD) or ``em`` (electron multiplying, twice the shot-noise variance).
            gain: counts per photon.
            offset: counts without light.
            read_noise: standard deviation, counts.
            repeats: further exposures of every field.
            seed: seed of all random numbers.
        """

        fields: int = attrs.field(default=16, validator=ge(1))
        size: int = attrs.field(default=256, validator=ge(16))
        structures: tuple[str, ...] = attrs.field(default=(), validator=deep_iterable(in_(tuple(STRUCTURES))))
        photons: float = attrs.field(default=30.0, validator=gt(0))
        background: float = attrs.field(default=1.0, validator=ge(0))
        psf: float = attrs.field(default=1.3, validator=gt(0))
        haze: float = attrs.field(default=0.15, validator=[ge(0), le(1)])
        camera: CameraKind = attrs.field(default="poisson", validator=in_(("poisson", "em")))
        gain: float = attrs.field(default=2.0, validator=gt(0))
        offset: float = 100.0
        read_noise: float = attrs.field(default=3.0, validator=ge(0))
        repeats: int = attrs.field(default=0, validator=ge(0))
        seed: int = attrs.field(default=0, validator=ge(0))

    def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
        names = options.structures or tuple(STRUCTURES)[: len(channels)]
        if len(names) != len(channels):
            raise ChannelCountError(
                f"simulated data: {len(channels)} channels need as many structures (got {len(names)}). "
                f"Give structures, each of {', '.join(STRUCTURES)}, as often as you like."
            )
        self.options, self.channels, self.structures = options, channels, names
        self.camera = Camera(
            kind=options.camera, gain=options.gain, offset=options.offset, read_noise=options.read_noise
        )

    def fields(self) -> tuple[Field, ...]:
        """All fields: noisy and clean channels [c y x] and repeats [r c y x], float32 counts."""
        return tuple(self._field(number) for number in range(self.options.fields))

    def _field(self, number: int) -> Field:
        photons = np.stack([self._photons(number, channel) for channel in range(len(self.structures))])
        rng = self._rng(number, _NOISE)
        exposures = [self._float32(self.camera.expose(photons, rng)) for _ in range(1 + self.options.repeats)]
        return Field(
            name=f"simulated {self.options.seed}-{number}",
            observed=exposures[0],
            clean=self._float32(self.camera.expected(photons)),
            repeats=np.stack(exposures[1:]) if self.options.repeats else None,
            pixel_size=_PIXEL,
        )

    def _photons(self, number: int, channel: int) -> Float64Array:
        """Expected photons per pixel of one channel, [y x]."""
        options = self.options
        shape = (options.size, options.size)
        light = STRUCTURES[self.structures[channel]](self._rng(number, _TRUTH, channel), shape)
        return photons_of(
            light,
            psf=options.psf,
            haze=options.haze,
            photons=options.photons,
            background=options.background,
        )

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.options.seed, spawn_key=key))

    def _float32(self, counts: Float64Array) -> np.ndarray[Any, np.dtype[np.float32]]:
        return counts.astype(np.float32)
