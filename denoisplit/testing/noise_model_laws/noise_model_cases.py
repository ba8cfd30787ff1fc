"""Test cases for noise models: statistics, pairs to fit, signals, and the density on a grid."""

import copy
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from denoisplit.core.errors import NoiseModelError, SpecError
from denoisplit.core.network.camera_noise import CameraNoiseModel
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.testing import strategies
from denoisplit.testing.noise_model_laws.noise_density import Density
from denoisplit.testing.noise_model_laws.noise_model_pairs import CAMERAS, OTHERS, USUAL
from denoisplit.testing.noise_model_laws.pixel_maps import (
    map_fields,
    named_maps,
    scratch,
    seen_by_a_pixel,
    with_maps,
)
from denoisplit.testing.option_effects import covering
from denoisplit.testing.seen_layers import whole
from denoisplit.testing.strategies import random, uniform
from denoisplit.testing.suite import ComponentTests

GAIN, OFFSET, READ_NOISE = 2.0, 80.0, 5.0
FEW, MANY = 3000, 20_000
"""Pairs per channel of a fit: enough for most laws, and for those about its quality."""

_CHOSEN = 6
"""Number of options, besides the defaults, with which a noise model is examined."""

_APART = 0.6
"""Factor between channels; further ones differ by its multiples."""

PEDESTAL = 2000.0
"""Counts between channels, besides: signals of all but the first are far above zero."""

_PLACES = (-0.3, -0.12, -0.024, 1.0, 1.3)
"""Further signals for densities: far below, at hardly any light, at the end of the range, beyond it."""

_GRID = 4001
_REACH = 9.0
_FINENESS = 0.05
"""The grid is a hyperbolic sine of steps: fine at the signal, out to a few hundred standard deviations."""


class NoiseModelCases(ComponentTests):
    """Noise models to examine, fitted where they need it.

    Attributes:
        lowest, highest: range of the signals of the first channel, counts; those of others are wider.
    """

    kind: ClassVar[str] = "noise_model"
    lowest: ClassVar[float] = 100.0
    highest: ClassVar[float] = 900.0

    def statistics(self) -> IntensityStats:
        """Statistics of two channels."""
        return IntensityStats(mixed_mean=650, mixed_std=220, target_mean=[500, 2850], target_std=[230, 390])

    def factor(self, channel: int) -> float:
        """Return the factor between the counts of a channel and those of the first."""
        return 1 if self.is_of_one_camera() else 1 + _APART * channel

    def pedestal(self, channel: int) -> float:
        """Return the counts by which the offset of a channel is above that of the first."""
        return 0 if self.is_of_one_camera() else PEDESTAL * channel

    def is_of_one_camera(self) -> bool:
        """Whether one camera is fitted to the pairs of all channels; by default each has its own."""
        return False

    def range_of(self, channel: int) -> tuple[float, float]:
        """Return the range of the signals of a channel, counts: no two channels have the same."""
        factor, pedestal = self.factor(channel), PEDESTAL * channel
        return pedestal + factor * self.lowest, pedestal + factor * self.highest

    def pairs(self, count: int = FEW, *, seed: int = 0, camera: str = USUAL) -> tuple[NoisePairs, ...]:
        """Draw pairs from cameras with shot noise and read noise, one entry per channel, all different.

        Pairs of another ``camera`` (see ``noise_pairs``) have a defect.
        """
        made = []
        for channel in range(self.statistics().channels):
            rng, factor = np.random.default_rng([seed, channel]), self.factor(channel)
            gain, read_noise = GAIN * factor**2, READ_NOISE * factor
            offset = self.pedestal(channel) + OFFSET * factor
            signal = rng.uniform(*self.range_of(channel), count)
            photons = rng.poisson((signal - offset) / gain)
            noisy = offset + gain * photons + read_noise * rng.normal(size=count)
            pairs = NoisePairs(signal=signal, observation=noisy, origin="conformance suite")
            made.append((CAMERAS | OTHERS)[camera](pairs, rng))
        return tuple(made)

    def options(self) -> st.SearchStrategy[Any]:
        """Draw options to examine the component with; files that a camera needs are maps.

        Options ``lowest`` and ``highest`` are the ends of a range of counts. An option ``path`` names the
        files that a method ``export(channel, path)`` writes from a fitted model.
        """
        cls = self.target().Options
        top = max(self.range_of(channel)[1] for channel in range(self.statistics().channels))
        ends = {"lowest": (0.4 * self.lowest, 1.5 * self.lowest), "highest": (2 * top, top)}
        known = {field.alias for field in attrs.fields(cls) if field.init}
        counts: dict[str, st.SearchStrategy[object]] = {
            name: st.none() | st.sampled_from(ends[name]) for name in known & set(ends)
        }
        files = self.exported() if "path" in known else None
        if files:
            counts["path"] = st.none() | st.just(files)
        found = strategies.options(cls, **counts)
        if not issubclass(self.target(), CameraNoiseModel):
            return found
        variants = st.integers(0, 1)
        return st.builds(lambda one, n: with_maps(one, named_maps(one), n), found, variants)

    def exported(self) -> tuple[Path, ...]:
        """Return one file per channel of a fit with the default options; none without a method ``export``."""
        suite: Any = type(self)
        return _exported(suite, self.target()) if hasattr(self.target(), "export") else ()

    def require_files(self) -> tuple[Path, ...]:
        """Return the same; skip the test if there are none."""
        return self.exported() or pytest.skip("it writes no files")

    def require_fit(self, options: Any) -> None:
        """Skip the test for a model that needs no fit."""
        if not self.new(options).needs_fit:
            pytest.skip("it needs no fit")

    def map_fields(self) -> tuple[str, ...]:
        """Return the options that may name a map of a camera; none for a model without maps."""
        return map_fields(self.target().Options) if issubclass(self.target(), CameraNoiseModel) else ()

    def made(self, options: Any, statistics: IntensityStats | None = None) -> NoiseModel:
        """Return a noise model as the composer makes it, with random numbers where it starts at random."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made: NoiseModel = self.target()(options, statistics=statistics or self.statistics())
        return whole(made)

    def new(self, options: Any) -> NoiseModel:
        """Return the same; a model that needs maps of a camera becomes that of a single pixel."""
        return seen_by_a_pixel(self.made(options))

    def model(self, options: Any, camera: str = USUAL, pairs: int | None = None) -> NoiseModel:
        """Return a noise model ready for use, float64; fitted once for the same options and pairs."""
        return copy.deepcopy(self._ready(options, camera, pairs)[0])

    def reports(self, options: Any, camera: str = USUAL) -> tuple[FitReport, ...]:
        """Return the reports of the fit of ``model``."""
        return self._ready(options, camera)[1]

    def enough(self, options: Any) -> int:
        """Return the pairs per channel of a fit: many with the default options, for laws of its quality."""
        return MANY if options == self.defaults() else FEW

    def _ready(
        self, options: Any, camera: str, pairs: int | None = None
    ) -> tuple[NoiseModel, tuple[FitReport, ...]]:
        suite, count = type(self), pairs or self.enough(options)
        key = (suite.statistics, suite.pairs, self.is_of_one_camera())
        return _ready(_Recipe(self.target(), options, key, count, camera, self))

    def drawn(self, data: st.DataObject) -> NoiseModel:
        """Draw a noise model ready for use, with the defaults or one of a few varied options."""
        return self.model(data.draw(st.sampled_from(self.chosen())))

    def chosen(self) -> tuple[Any, ...]:
        """Return the defaults, where they can be built, and a few varied options."""
        suite: Any = type(self)
        return _chosen(suite, self.target())

    def signals(self, rank: int, *, batch: int = 1, seed: int = 0, places: Sequence[float] = ()) -> Tensor:
        """Return clean counts [b c (z) y x], two within the range, and more at ``places``, 0 to 1 in it."""
        channels = self.statistics().channels
        shape = (batch, channels, *(1,) * (rank - 2), 1)
        further = torch.tensor(places, dtype=torch.float64).expand(*shape, -1)
        place = torch.cat([uniform(seed, 0.03, 0.97, *shape, 2), further], -1)
        low, high = torch.tensor([self.range_of(c) for c in range(channels)], dtype=place.dtype).unbind(1)
        space = (-1, *(1,) * rank)
        return low.view(space) + (high - low).view(space) * place

    def maps(self, model: NoiseModel, like: Tensor) -> Tensor | None:
        """Return maps as the network would predict them, None for a model without."""
        if model.extra_maps == 0:
            return None
        shape = (like.shape[0], like.shape[1] * model.extra_maps, *like.shape[2:])
        return random(11, *shape).to(like.dtype)

    def bias(self, model: NoiseModel, signal: Tensor) -> Tensor:
        """Return the mean of the observation minus the signal that the model declares."""
        return model.bias(signal).detach()

    def samples(self, model: NoiseModel, signal: Tensor, count: int, seed: int) -> Tensor:
        """Draw observations [count pixels] of one image of signals."""
        many = signal.expand(count, *signal.shape[1:])
        maps = self.maps(model, signal)
        extra = None if maps is None else maps.expand(count, *maps.shape[1:])
        return model.sample(many, torch.Generator().manual_seed(seed), extra).detach().flatten(1)

    def densities(self, rank: int) -> tuple[tuple[NoiseModel, Density], ...]:
        """Return noise models and their densities, made once; skip the test for composite likelihoods."""
        suite: Any = type(self)
        found = kept_densities(suite, self.target(), rank)
        if not found:
            pytest.skip("it declares that it is no density")
        return found

    def density(self, model: NoiseModel, rank: int) -> Density:
        """Compute the density at a few signals."""
        signal = self.signals(rank, places=_PLACES)
        maps = self.maps(model, signal)
        variance = model.variance(signal, maps).detach()
        even = torch.linspace(-_REACH, _REACH, _GRID, dtype=torch.float64)
        steps = (_FINENESS * even.sinh()).view(-1, *(1,) * (signal.ndim - 1))
        offsets = steps * variance.sqrt()
        many = signal.expand_as(offsets)
        extra = None if maps is None else maps.expand(_GRID, *maps.shape[1:])
        with torch.no_grad():
            values = model.log_prob(many + offsets, many, extra).exp()
        return Density(
            signal=signal,
            steps=_FINENESS * even.cosh() * (even[1] - even[0]),
            offsets=offsets.flatten(1),
            values=values.flatten(1),
            variance=variance.flatten(),
        )


@attrs.frozen
class _Recipe:
    """Everything that a fitted model depends on. Fits take most of the time, so there is one per recipe."""

    target: type
    options: Any = attrs.field(eq=repr)
    given: tuple[Any, ...]
    count: int
    camera: str
    cases: NoiseModelCases = attrs.field(eq=False)


@functools.lru_cache(maxsize=256)
def _ready(recipe: _Recipe) -> tuple[NoiseModel, tuple[FitReport, ...]]:
    model = recipe.cases.new(recipe.options)
    pairs = recipe.cases.pairs(recipe.count, camera=recipe.camera) if model.needs_fit else ()
    reports = model.fit(pairs, seed=0) if model.needs_fit else ()
    return model.double().eval(), reports


def exported(model: Any, channels: int, name: str) -> tuple[Path, ...]:
    """Export every channel of a noise model, to a folder that exists until the process ends."""
    paths = tuple(scratch() / f"{name}{channel}" for channel in range(channels))
    for channel, path in enumerate(paths):
        model.export(channel, path)
    return paths


@functools.lru_cache(maxsize=64)
def _exported(suite: Any, target: type) -> tuple[Path, ...]:
    cases: NoiseModelCases = suite()
    model: Any = cases.new(cases.defaults())
    model.fit(cases.pairs(seed=5), seed=0)
    return exported(model, cases.statistics().channels, f"{target.__name__}-")


@functools.lru_cache(maxsize=8)
def kept_densities(suite: Any, _target: type, rank: int) -> tuple[tuple[NoiseModel, Density], ...]:
    """Return the noise models and densities of ``densities``."""
    cases: NoiseModelCases = suite()
    models = [cases.model(options) for options in cases.chosen()]
    return tuple((model, cases.density(model, rank)) for model in models if model.is_density)


@functools.lru_cache(maxsize=64)
def _chosen(suite: Any, _target: type) -> tuple[Any, ...]:
    """Return the defaults, where they can be built, and options that cover many pairs of values."""
    cases: NoiseModelCases = suite()

    def usable(options: Any) -> bool:
        try:
            cases.model(options)
        except (SpecError, NoiseModelError):
            return False
        return True

    usual = [one for one in [cases.defaults()] if usable(one)]
    return (*usual, *covering(cases.options(), usable, _CHOSEN))
