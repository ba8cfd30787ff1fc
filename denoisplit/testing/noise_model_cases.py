"""What it takes to examine a noise model: statistics, pairs to fit, signals, and the density on a grid."""

import copy
import functools
from typing import Any, ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from denoisplit.core.errors import NoiseModelError, SpecError
from denoisplit.core.network.camera import CameraNoiseModel
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.testing.noise_model_pixels import named_maps, seen_by_a_pixel, with_maps
from denoisplit.testing.option_effects import covering
from denoisplit.testing.strategies import random, uniform
from denoisplit.testing.suite import ComponentTests, usable

_GAIN, _OFFSET, _READ_NOISE = 2.0, 80.0, 5.0
FEW, MANY = 4500, 20_000
"""Pairs per channel of a fit: enough for most laws, and for those that ask how good it is."""

_FITS = 6
"""Options, beside the defaults, with which a noise model is fitted."""

_APART = 0.6
"""Channels differ by this factor, and by its multiples."""

_GRID = 4001
_REACH = 9.0
_FINENESS = 0.05
"""The grid is a hyperbolic sine of steps: fine at the signal, out to a few hundred standard deviations."""


@attrs.frozen(kw_only=True)
class Density:
    """The density of the observation at some signals.

    Attributes:
        signal: one image [1 c (z) y x], counts.
        offsets: observations minus signal [n pixels], counts.
        values: density [n pixels], per count.
        variance: what the model declares [pixels], counts squared.
    """

    signal: Tensor
    offsets: Tensor
    values: Tensor
    variance: Tensor

    @property
    def integral(self) -> Tensor:
        """Over all observations [pixels]."""
        return self._moment(torch.ones_like(self.values))

    @property
    def mean(self) -> Tensor:
        """Mean observation minus signal [pixels], counts."""
        return self._moment(self.offsets) / self.integral

    @property
    def std(self) -> Tensor:
        """Standard deviation of the observation [pixels], counts."""
        return (self._moment((self.offsets - self.mean) ** 2) / self.integral).sqrt()

    def probability_below(self, pixel: int, drawn: Tensor) -> npt.NDArray[np.float64]:
        """Probability of at most the observations ``drawn`` of one pixel."""
        offsets, values = self.offsets[:, pixel], self.values[:, pixel]
        steps = torch.cumulative_trapezoid(values, offsets)
        below = torch.cat([steps.new_zeros(1), steps])
        relative = drawn - self.signal.flatten()[pixel]
        found: npt.NDArray[np.float64] = np.interp(relative.numpy(), offsets.numpy(), below.numpy())
        return found

    def _moment(self, weight: Tensor) -> Tensor:
        return torch.trapezoid(self.values * weight, self.offsets, dim=0)


class NoiseModelCases(ComponentTests):
    """Noise models to examine, fitted where they have to be.

    Attributes:
        lowest, highest: range of the signals of the first channel, counts; those of others are wider.
    """

    kind: ClassVar[str] = "noise_model"
    lowest: ClassVar[float] = 100.0
    highest: ClassVar[float] = 900.0

    def statistics(self) -> IntensityStats:
        """Statistics of two channels."""
        return IntensityStats(mixed_mean=650, mixed_std=220, target_mean=[500, 850], target_std=[230, 390])

    def range_of(self, channel: int) -> tuple[float, float]:
        """Range of the signals of a channel, counts: no two channels have the same."""
        factor = 1 + _APART * channel
        return factor * self.lowest, factor * self.highest

    def pairs(self, count: int = FEW, *, seed: int = 0) -> tuple[NoisePairs, ...]:
        """Pairs of cameras with shot noise and read noise, one entry per channel, no two of them alike."""
        made = []
        for channel in range(self.statistics().channels):
            rng, factor = np.random.default_rng([seed, channel]), 1 + _APART * channel
            gain, offset, read_noise = _GAIN * factor**2, _OFFSET * factor, _READ_NOISE * factor
            signal = rng.uniform(*self.range_of(channel), count)
            photons = rng.poisson((signal - offset) / gain)
            noisy = offset + gain * photons + read_noise * rng.normal(size=count)
            made.append(NoisePairs(signal=signal, observation=noisy, origin="conformance suite"))
        return tuple(made)

    def options(self) -> st.SearchStrategy[Any]:
        """Options to examine the component with; the files that a camera needs are maps."""
        found = super().options()
        if not issubclass(self.target(), CameraNoiseModel):
            return found
        variants = st.integers(0, 1)
        return st.builds(lambda one, n: with_maps(one, named_maps(one), n), found, variants)

    def made(self, options: Any, statistics: IntensityStats | None = None) -> NoiseModel:
        """A noise model as the composer makes it, with random numbers where it starts at chance."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made: NoiseModel = self.target()(options, statistics=statistics or self.statistics())
        return made

    def new(self, options: Any) -> NoiseModel:
        """The same; one that needs maps of a camera is that of a single pixel."""
        return seen_by_a_pixel(self.made(options))

    def model(self, options: Any, pairs: int = FEW) -> NoiseModel:
        """A noise model ready for use, float64; a fit to so many pairs is made once for the same options."""
        return copy.deepcopy(self._ready(options, pairs)[0])

    def reports(self, options: Any, pairs: int = FEW) -> tuple[FitReport, ...]:
        """What the fit of ``model`` reported."""
        return self._ready(options, pairs)[1]

    def _ready(self, options: Any, pairs: int) -> tuple[NoiseModel, tuple[FitReport, ...]]:
        suite = type(self)
        return _ready(_Recipe(self.target(), options, suite.statistics, suite.pairs, pairs, self))

    def drawn(self, data: st.DataObject) -> NoiseModel:
        """A noise model with drawn options, ready for use; fits are made for a few options alone."""
        suite: Any = type(self)
        few = _few(suite, self.target())
        options = st.just(self.defaults()) | (st.sampled_from(few) if few else self.options())
        return usable(data, options, self.model, (SpecError, NoiseModelError))

    def signals(self, rank: int, *, batch: int = 1, seed: int = 0) -> Tensor:
        """Clean counts [b c (z) y x] within the range."""
        channels = self.statistics().channels
        place = uniform(seed, 0.03, 0.97, batch, channels, *(1,) * (rank - 2), 1, 2)
        low, high = torch.tensor([self.range_of(c) for c in range(channels)], dtype=place.dtype).unbind(1)
        space = (-1, *(1,) * rank)
        return low.view(space) + (high - low).view(space) * place

    def maps(self, model: NoiseModel, like: Tensor) -> Tensor | None:
        """Maps as the network would predict them, None for a model that wants none."""
        if model.extra_maps == 0:
            return None
        shape = (like.shape[0], like.shape[1] * model.extra_maps, *like.shape[2:])
        return random(11, *shape).to(like.dtype)

    def bias(self, model: NoiseModel, signal: Tensor) -> Tensor:
        """Mean of the observation minus the signal, as the model declares it."""
        return model.bias(signal).detach()

    def samples(self, model: NoiseModel, signal: Tensor, count: int, seed: int) -> Tensor:
        """Observations [count pixels] of one image of signals."""
        many = signal.expand(count, *signal.shape[1:])
        maps = self.maps(model, signal)
        extra = None if maps is None else maps.expand(count, *maps.shape[1:])
        return model.sample(many, torch.Generator().manual_seed(seed), extra).detach().flatten(1)

    def density(self, model: NoiseModel, rank: int) -> Density:
        """The density at a few signals; the test is skipped for a composite likelihood."""
        if not model.is_density:
            pytest.skip("it declares that it is no density")
        signal = self.signals(rank)
        maps = self.maps(model, signal)
        variance = model.variance(signal, maps).detach()
        steps = _FINENESS * torch.linspace(-_REACH, _REACH, _GRID, dtype=torch.float64).sinh()
        offsets = steps.view(-1, *(1,) * (signal.ndim - 1)) * variance.sqrt()
        many = signal.expand_as(offsets)
        extra = None if maps is None else maps.expand(_GRID, *maps.shape[1:])
        with torch.no_grad():
            values = model.log_prob(many + offsets, many, extra).exp()
        return Density(
            signal=signal,
            offsets=offsets.flatten(1),
            values=values.flatten(1),
            variance=variance.flatten(),
        )


@attrs.frozen
class _Recipe:
    """All that a fitted model depends on. Fits take the most time of an exam: there is one per recipe."""

    target: type
    options: Any = attrs.field(eq=repr)
    statistics: Any
    pairs: Any
    count: int
    cases: NoiseModelCases = attrs.field(eq=False)


@functools.lru_cache(maxsize=256)
def _ready(recipe: _Recipe) -> tuple[NoiseModel, tuple[FitReport, ...]]:
    model = recipe.cases.new(recipe.options)
    reports = model.fit(recipe.cases.pairs(recipe.count), seed=0) if model.needs_fit else ()
    return model.double().eval(), reports


@functools.lru_cache(maxsize=64)
def _few(suite: Any, _target: type) -> tuple[Any, ...]:
    """Options in which as many values meet as can be in so few fits; none of a model that is not fitted."""
    cases: NoiseModelCases = suite()

    def built(options: Any) -> NoiseModel | None:
        try:
            return cases.new(options)
        except (SpecError, NoiseModelError):
            return None

    usual = built(cases.defaults())
    if usual is None or not usual.needs_fit:
        return ()
    return tuple(covering(cases.options(), lambda one: built(one) is not None, _FITS))
