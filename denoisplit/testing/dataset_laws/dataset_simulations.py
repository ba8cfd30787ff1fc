"""Laws of data sets that make their images: light as told, and numbers that stay."""

import itertools
from collections.abc import Iterator
from typing import Any, Final

import attrs
import numpy as np

from denoisplit.core.images.bases import Field
from denoisplit.testing.dataset_laws.dataset_fields import largest_correlation
from denoisplit.testing.dataset_laws.dataset_refusals import RefusalTests
from denoisplit.testing.dataset_laws.simulated_numbers import NUMBERS
from denoisplit.testing.whole_numbers import takes

_PLUGINS: Final = "denoisplit.plugins."
_SEED: Final = "seed"
_FEW: Final = {"fields": 12, "size": 32}
"""Options of simulations, by which they make little, where they take these numbers."""

_ADVICE: Final = (
    ": begin from the seed and the number of the field, as default_rng((seed, number)) does; where it only "
    "orders or chooses images, give the option another name"
)
_ALIKE: Final = 64
"""Pixels of like brightness whose noise is compared with each other."""


_LIGHT: Final = ("photons", "background", "gain", "offset")


class SimulationTests(RefusalTests):
    """Laws of simulations."""

    def test_simulated_light_is_as_told(self) -> None:
        """For denoisplit's own with ``photons`` (of the 99th percentile), background, gain and offset.

        No percentile is brighter, the brightest pixel no darker, and it is dark where no structure is. In
        others, the same words may mean, for example, a mean.
        """
        options = self.defaults()
        if not self._is_built_in() or not {*_LIGHT} <= {one.alias for one in attrs.fields(type(options))}:
            return
        options = attrs.evolve(options, fields=6, size=64)
        photons, background = (np.ravel(one) for one in (options.photons, options.background))
        for field in self.dataset(options).fields():
            assert field.clean is not None, f"the truth of {field.name} is not known"
            for channel in field.clean:
                light = (np.asarray(channel, np.float64) - options.offset) / options.gain
                assert light.min() > 0.99 * background[0], f"{field.name} is darker than its background"
                above = np.quantile(light, 0.99)
                assert above < 1.01 * (photons[-1] + background[-1]), (
                    f"{field.name} is too bright ({above:.3g})"
                )
                assert light.max() > 0.99 * (photons[0] + background[0]), f"{field.name} is too dark"
                assert np.median(light) < 0.5 * light.max() + background[-1], f"{field.name} has no structure"

    def test_another_seed_gives_other_fields(self) -> None:
        """Of data sets that make their images, with an option ``seed``: none of one is there with the next.

        Neither with its noise. Training and validation may be told apart by their seeds alone.
        """
        if self.reads_a_folder():
            return
        options = self.defaults()
        if not all(takes(options, _SEED, seed) for seed in (1, 2)):
            return
        few = {name: number for name, number in _FEW.items() if takes(options, name, number)}
        one, two = (self.dataset(attrs.evolve(options, **few, **{_SEED: seed})).fields() for seed in (1, 2))
        for field, other in itertools.product(one, two):
            where = f"{field.name} with the seed 1 and {other.name} with the seed 2"
            shared = set(map(bytes, _channels(field))) & set(map(bytes, _channels(other)))
            assert not shared, f"{where} share an image{_ADVICE}"
            noises = [_signs(each) for each in (field, other)]
            if noises[0] is not None and noises[1] is not None and noises[0].size == noises[1].size:
                together = largest_correlation(*noises)
                assert together < 8 / noises[0].size ** 0.5 + 0.02, f"{where} share their noise{_ADVICE}"

    def test_a_seed_gives_the_numbers_that_it_always_gave(self) -> None:
        """What was learnt from a simulation can be learnt again; another one has another name.

        For denoisplit's own, in a few fields whose numbers are known.
        """
        for known in NUMBERS.get(self.name(), ()) if self._is_built_in() else ():
            names = tuple(str(number) for number in range(known.channels))
            fields = self.dataset(attrs.evolve(self.defaults(), **known.options), names).fields()
            found = np.concatenate([_numbers(field) for field in fields])
            expected = [float(number) for number in known.numbers.split()]
            assert len(found) == len(expected), f"{len(found)} numbers describe the fields"
            for one, before in zip(found, expected, strict=True):
                assert np.isclose(one, before, rtol=2e-5), (
                    f"a number of the fields with {known.options} is {one:.6g}, but was {before:.6g}"
                )

    def _is_built_in(self) -> bool:
        return str(self.target().__module__).startswith(_PLUGINS)


def _channels(field: Field) -> Iterator[Any]:
    return (np.ascontiguousarray(channel) for channel in np.asarray(field.observed))


def _signs(field: Field) -> Any:
    """Return the sign of the noise in every pixel of a field, None where there is no clean reference.

    Of numbers, bright pixels, which have most of the noise, would say little about the others. The mean of
    pixels of like brightness is taken off: with few photons most signs are negative, so that fields with the
    same dark corners would have that in common.
    """
    if field.clean is None:
        return None
    signs = np.sign(np.asarray(field.observed, np.float64) - field.clean)
    for channel, clean in zip(signs.reshape(len(signs), -1), np.asarray(field.clean), strict=True):
        for alike in np.array_split(np.argsort(clean, axis=None), max(1, channel.size // _ALIKE)):
            channel[alike] -= channel[alike].mean()
    return signs.ravel()


def _numbers(field: Field) -> Any:
    """Return means of the whole, the first row and the last column of every channel, and exposed pixels."""
    clean, observed = (np.asarray(image, np.float64) for image in (field.clean, field.observed))
    repeats = (
        np.empty((0, *observed.shape)) if field.repeats is None else np.asarray(field.repeats, np.float64)
    )
    means = (clean.mean((1, 2)), clean[:, 0].mean(1), clean[:, :, -1].mean(1))
    return np.concatenate([*means, observed[:, 5, 5], observed.std((1, 2)), repeats[:, :, 5, 5].ravel()])
