"""Simulated fields that differ in structures, density, optics and exposure."""

import numpy as np
import pytest

from denoisplit.core.errors import ChannelCountError
from denoisplit.plugins.datasets.simulated_variety import SimulatedVariety

LISTS = (("filaments", "membranes"), ("mitochondria", "puncta"))
Options = SimulatedVariety.Options


def test_more_fields_keep_the_earlier_ones_and_each_is_exposed_to_its_own_light() -> None:
    few = SimulatedVariety(Options(fields=2, size=48, structures=LISTS), channels=("a", "b")).fields()
    many = SimulatedVariety(Options(fields=4, size=48, structures=LISTS), channels=("a", "b")).fields()
    for one, same in zip(few, many, strict=False):
        assert np.array_equal(one.observed[...], same.observed[...])
    bright = [float(np.quantile(one.clean[...], 0.99)) for one in many if one.clean is not None]
    assert max(bright) > 1.2 * min(bright)


def test_a_field_shows_one_structure_of_the_list_of_each_channel() -> None:
    """With one layer and no choice, a channel is that structure: the seed of the field decides alone."""
    both = SimulatedVariety(Options(fields=12, size=48, structures=LISTS), channels=("a", "b"))
    swapped = SimulatedVariety(Options(fields=12, size=48, structures=LISTS[::-1]), channels=("a", "b"))
    first, other = both.fields(), swapped.fields()
    assert not any(
        np.array_equal(a.observed[...], b.observed[...]) for a, b in zip(first, other, strict=True)
    )


def test_more_layers_are_more_structure() -> None:
    def covered(layers: tuple[int, int]) -> float:
        options = Options(fields=6, size=96, structures=(("puncta",),), layers=layers, haze=(0, 0))
        fields = SimulatedVariety(options, channels=("a",)).fields()
        clean = [one.clean[...] for one in fields if one.clean is not None]
        return float(np.mean([image > np.quantile(image, 0.01) + 4 for image in clean]))

    assert covered((4, 4)) > 1.3 * covered((1, 1))


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ChannelCountError, match="2 channels need as many lists"):
        SimulatedVariety(Options(structures=(("puncta",),)), channels=("a", "b"))
    with pytest.raises(ValueError, match="psf: the lowest must not exceed the highest"):
        Options(psf=(2.0, 1.0))
