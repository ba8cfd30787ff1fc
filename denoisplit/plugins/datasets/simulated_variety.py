"""Simulated fields that differ in structures, density, optics and exposure."""

from typing import Any, Final, final

import attrs
import numpy as np
from attrs.validators import deep_iterable, ge, gt, in_, le, min_len

from denoisplit.core.arrays import Float64Array
from denoisplit.core.errors import ChannelCountError
from denoisplit.core.images.bases import Dataset, Field, PixelSize
from denoisplit.plugins.datasets.simulation.camera import Camera
from denoisplit.plugins.datasets.simulation.light import photons_of
from denoisplit.plugins.datasets.simulation.structures import STRUCTURES

_SETTINGS, _TRUTH, _NOISE = 0, 1, 2
_PIXEL: Final = PixelSize((0.1, 0.1), "µm")


@final
class SimulatedVariety(Dataset):
    """Fields of many kinds of simulated structures, none like the next, to learn from before real images, 2D.

    Structures, density, blur, haze and brightness are drawn anew for every field. A field depends on the seed
    and its own number only. The clean image is the exact mean of all possible exposures, in counts including
    the offset.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Structures, optics and camera to choose from.

        Attributes:
            fields: number of fields.
            size: side of a field, pixels.
            structures: for each channel the structures of which a field shows one; ``filaments``,
                ``mitochondria``, ``puncta`` and ``membranes``, in this order, if empty.
            layers: lowest and highest number of drawings of a structure that lie over each other.
            photons: lowest and highest number of photons of a bright pixel in one exposure.
            background: lowest and highest number of photons per pixel where there is no structure.
            psf: lowest and highest standard deviation of the point-spread function, pixels.
            haze: lowest and highest fraction of the light that comes from out of focus, 0 to 1.
            gain: counts per photon.
            offset: counts without light.
            read_noise: standard deviation, counts.
            seed: seed of all random numbers.
        """

        fields: int = attrs.field(default=64, validator=ge(1))
        size: int = attrs.field(default=256, validator=ge(16))
        structures: tuple[tuple[str, ...], ...] = attrs.field(
            default=(), validator=deep_iterable(deep_iterable(in_(tuple(STRUCTURES)), min_len(1)))
        )
        layers: tuple[int, int] = attrs.field(default=(1, 3), validator=deep_iterable(ge(1)))
        photons: tuple[float, float] = attrs.field(default=(10.0, 80.0), validator=deep_iterable(gt(0)))
        background: tuple[float, float] = attrs.field(default=(0.5, 4.0), validator=deep_iterable(ge(0)))
        psf: tuple[float, float] = attrs.field(default=(1.0, 3.0), validator=deep_iterable(gt(0)))
        haze: tuple[float, float] = attrs.field(default=(0.0, 0.4), validator=deep_iterable([ge(0), le(1)]))
        gain: float = attrs.field(default=2.0, validator=gt(0))
        offset: float = 100.0
        read_noise: float = attrs.field(default=3.0, validator=ge(0))
        seed: int = attrs.field(default=0, validator=ge(0))

        def __attrs_post_init__(self) -> None:
            for name in ("layers", "photons", "background", "psf", "haze"):
                low, high = getattr(self, name)
                if low > high:
                    raise ValueError(
                        f"{name}: the lowest must not exceed the highest (got {low}, {high}). Exchange them"
                    )

    def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
        names = options.structures or tuple((name,) for name in tuple(STRUCTURES)[: len(channels)])
        if len(names) != len(channels):
            raise ChannelCountError(
                f"simulated data: {len(channels)} channels need as many lists of structures (got "
                f"{len(names)}). Give structures, lists of {', '.join(STRUCTURES)}."
            )
        self.options, self.channels, self.structures = options, channels, names
        self.camera = Camera(
            kind="poisson", gain=options.gain, offset=options.offset, read_noise=options.read_noise
        )

    def fields(self) -> tuple[Field, ...]:
        """All fields: noisy and clean channels [c y x], float32 counts."""
        return tuple(self._field(number) for number in range(self.options.fields))

    def _field(self, number: int) -> Field:
        options, rng = self.options, self._rng(number, _SETTINGS)
        psf, haze = rng.uniform(*options.psf), rng.uniform(*options.haze)
        photons = np.stack(
            [
                photons_of(
                    self._structure(rng, number, channel),
                    psf=psf,
                    haze=haze,
                    photons=float(np.exp(rng.uniform(*np.log(options.photons)))),
                    background=rng.uniform(*options.background),
                )
                for channel in range(len(self.structures))
            ]
        )
        return Field(
            name=f"simulated variety {options.seed}-{number}",
            observed=self._float32(self.camera.expose(photons, self._rng(number, _NOISE))),
            clean=self._float32(self.camera.expected(photons)),
            pixel_size=_PIXEL,
        )

    def _structure(self, rng: np.random.Generator, number: int, channel: int) -> Float64Array:
        """Brightness of one channel before the optics, [y x]."""
        kinds = self.structures[channel]
        draw = STRUCTURES[kinds[int(rng.integers(len(kinds)))]]
        layers = int(rng.integers(self.options.layers[0], self.options.layers[1] + 1))
        truth, shape = self._rng(number, _TRUTH, channel), (self.options.size, self.options.size)
        return sum((draw(truth, shape) for _ in range(layers)), np.zeros(shape))

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.options.seed, spawn_key=key))

    def _float32(self, counts: Float64Array) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.asarray(counts, dtype=np.float32)
