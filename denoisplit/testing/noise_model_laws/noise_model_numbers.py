"""Laws of noise models about derivatives, precision, units and options."""

import math
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import IntensityStats, NoiseModel
from denoisplit.testing.derivatives import assert_derivative
from denoisplit.testing.noise_model_laws.noise_model_cases import FEW
from denoisplit.testing.noise_model_laws.noise_model_fits import NoiseModelFitTests, image_of
from denoisplit.testing.noise_model_laws.pixel_maps import (
    OfOnePixel,
    maps_of_a_part,
    seen_by_a_pixel,
    with_maps,
)
from denoisplit.testing.option_effects import Trace, assert_options_have_effects
from denoisplit.testing.strategies import random
from denoisplit.testing.suite import (
    assert_close,
    assert_equal,
    examples,
    in_two_and_three_dimensions,
    not_examined,
    tried,
)

_UNIT, _OTHER_UNIT = 1000.0, 0.05
"""Times as many counts, and the nats by which a fit to fewer pairs in these counts may be off."""

_BRIGHTER, _BESIDE = 4.0, 0.1
"""Times as many counts in another channel, and the nats by which a fit at random may then be off."""

_OWN = (
    "it has to follow from the channel's own. Where one camera is fitted to the pairs of all channels, the "
    "suite says so by is_of_one_camera"
)

_FLOOR = "log_variance_floor"


class NoiseModelNumberTests(NoiseModelFitTests):
    """Laws of numbers: derivatives are correct, half precision does no harm, and no option is idle."""

    @in_two_and_three_dimensions
    @tried(8, data=st.data(), far=st.sampled_from([1.0, 4.0]))
    def test_derivatives_are_those_of_differences(self, rank: int, data: st.DataObject, far: float) -> None:
        """Of the likelihood with respect to observation, signal and predicted maps, and of the variance."""
        model, signal = self.drawn(data), self.signals(rank, batch=2)
        maps = self.maps(model, signal)
        std = model.variance(signal, maps).detach().sqrt()
        observation = signal + far * std * random(5, *signal.shape)
        extra = () if maps is None else (maps,)

        def value(seen: Tensor, clean: Tensor, *given_maps: Tensor) -> Tensor:
            return model.log_prob(seen, clean, *given_maps)

        def variance(clean: Tensor, *given_maps: Tensor) -> Tensor:
            return model.variance(clean, *given_maps)

        for moving, what in enumerate(("observation", "signal", "maps")[: 2 + len(extra)]):
            arguments = [observation, signal, *extra]

            def of_one(one: Tensor, at: int = moving, among: Any = arguments) -> Tensor:
                return value(*among[:at], one, *among[at + 1 :])

            assert_derivative(of_one, (arguments[moving],), f"the derivative by the {what}")
        assert_derivative(variance, (signal, *extra), "the derivative of the variance")

    @in_two_and_three_dimensions
    @tried(8, data=st.data())
    def test_trainable_parameters_have_true_derivatives(self, rank: int, data: st.DataObject) -> None:
        """The parameters that are trained with the network."""
        model, signal = self.drawn(data), self.signals(rank, batch=2)
        names = [name for name, one in model.named_parameters() if one.requires_grad]
        if not names:
            return
        maps, observation = self.maps(model, signal), signal + 7 * random(5, *signal.shape)

        def value(*parameters: Tensor) -> Tensor:
            changed = dict(zip(names, parameters, strict=True))
            found: Tensor = torch.func.functional_call(model, changed, (observation, signal, maps))
            return found

        model.forward = model.log_prob
        parameters = tuple(dict(model.named_parameters())[name] for name in names)
        assert_derivative(value, parameters, "the derivative by the parameters", step=1e-6)

    @in_two_and_three_dimensions
    @pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
    @tried(8, data=st.data())
    def test_half_precision_is_only_that_of_the_arguments(
        self, rank: int, half: torch.dtype, data: st.DataObject
    ) -> None:
        """The likelihood of rounded numbers is that of float32, to which they are promoted."""
        model, signal = self.drawn(data).float(), self.signals(rank, batch=2).to(half)
        maps = self.maps(model, signal)
        observation = (signal.float() + 20 * random(4, *signal.shape).float()).to(half)
        wide = None if maps is None else maps.float()
        with torch.no_grad():
            for seen in (observation, observation.float()):
                found = model.log_prob(seen, signal, maps)
                expected = model.log_prob(seen.float(), signal.float(), wide)
                assert found.dtype == torch.float32, (
                    f"log_prob is in {found.dtype} for numbers in {half}: promote them to float32"
                )
                assert_close(found, expected, f"{half} changes the likelihood", rtol=1e-4, atol=1e-4)
            variance = model.variance(signal, maps).float()
            expected = model.variance(signal.float(), wide)
        assert_close(variance, expected, f"{half} changes the variance", rtol=1e-2, atol=1e-4)

    @in_two_and_three_dimensions
    def test_as_it_is_made_it_has_the_precision_of_the_images(self, rank: int) -> None:
        """Trainings convert no buffers: those in double precision are for its own steps alone."""
        model, signal = self.new(self.smallest()), self.signals(rank).float()
        if model.needs_fit:
            model.fit(self.pairs(FEW), seed=0)
        maps, generator = self.maps(model, signal), torch.Generator().manual_seed(0)
        with torch.no_grad():
            found = {
                "log_prob": model.log_prob(signal + 7, signal, maps),
                "sample": model.sample(signal, generator, maps),
                "variance": model.variance(signal, maps),
                "bias": model.bias(signal),
            }
        for name, values in found.items():
            assert values.dtype == torch.float32, f"{name} is in {values.dtype} for images in float32"

    @in_two_and_three_dimensions
    @tried(8, data=st.data())
    def test_arguments_stay_as_they_are(self, rank: int, data: st.DataObject) -> None:
        """Arguments are not overwritten."""
        model, signal = self.drawn(data), self.signals(rank, batch=2)
        maps, observation = self.maps(model, signal), signal + 7
        arguments = [one for one in (observation, signal, maps) if one is not None]
        before = [one.clone() for one in arguments]
        with torch.no_grad():
            model.log_prob(observation, signal, maps)
            model.sample(signal, torch.Generator().manual_seed(0), maps)
            model.variance(signal, maps)
        for one, two in zip(arguments, before, strict=True):
            assert_equal(one, two, "an argument is overwritten")

    def test_other_units_change_the_density_by_their_logarithm(self) -> None:
        """Of images, pairs and statistics; the likelihood of a composite changes by ``counts_share`` of it.

        ``counts_share`` is the weight of the log-density in counts within the likelihood, 1 if undeclared. A
        model that fits nothing and ignores the statistics knows one camera, in the counts of this camera.
        """
        for options, unit in ((self.defaults(), _UNIT), (self.smallest(), 1 / _UNIT)):
            if isinstance(self.new(options), OfOnePixel):
                pytest.skip("its maps are in counts")
            factors = [unit] * self.statistics().channels
            model, other = self.model(options), self._of_other_counts(options, unit, factors, factors)
            signal = self.signals(2, batch=2)
            observation, maps = signal + 20 * random(3, *signal.shape), self.maps(model, signal)
            with torch.no_grad():
                likelihood = model.log_prob(observation, signal, maps)
                if not model.needs_fit and torch.equal(likelihood, other.log_prob(observation, signal, maps)):
                    pytest.skip("its options are in counts")
                found = other.log_prob(unit * observation, unit * signal, maps).mean()
                share = float(getattr(model, "counts_share", 1.0))
                expected = likelihood.mean() - share * math.log(unit)
            assert abs(float(found - expected)) < _OTHER_UNIT, (
                f"counts that are {unit:g} times as many change the likelihood to {float(found):.4g} instead "
                f"of {float(expected):.4g} nats"
            )

    def test_the_noise_of_a_channel_is_that_of_its_own_images(self) -> None:
        """It stays when another channel, and with it the mixed image, has other statistics and pairs.

        Models without a fit are examined with several options, those with one with the simplest. Where one
        camera is fitted to all channels, see ``is_of_one_camera``, the pairs are the same.
        """
        signal, observation = image_of(self.pairs())
        beside = "statistics" if self.is_of_one_camera() else "statistics and pairs"
        for options in (self.smallest(), *(one for one in self.chosen() if not self.new(one).needs_fit)):
            model = self.model(options)
            maps = self.maps(model, signal)
            for other in range(signal.shape[1]):
                changed = self._beside_another(options, other)
                own = [channel for channel in range(signal.shape[1]) if channel != other]
                with torch.no_grad():
                    densities = [one.log_prob(observation, signal, maps)[:, own] for one in (model, changed)]
                    variances = [one.variance(signal, maps)[:, own] for one in (model, changed)]
                apart = float((densities[1] - densities[0]).abs().mean())
                larger = float((variances[1] / variances[0]).log().abs().mean().exp())
                where = f"where channel {other} has other {beside}"
                assert apart < _BESIDE, (
                    f"{where}, the likelihood of another channel is {apart:.3g} nats off: {_OWN}"
                )
                assert larger < 1 + _BESIDE, (
                    f"{where}, the variance of another channel is {larger:.3g} times as large or as small: "
                    f"{_OWN}"
                )

    def _beside_another(self, options: Any, channel: int) -> NoiseModel:
        """Return the model where a channel is brighter, and the mixed image with it."""
        factors = [_BRIGHTER if n == channel else 1.0 for n in range(self.statistics().channels)]
        times = [1.0] * len(factors) if self.is_of_one_camera() else factors
        try:
            return self._of_other_counts(options, _BRIGHTER, factors, times)
        except NoiseModelError as error:
            not_examined(f"another channel with {_BRIGHTER:g} times the counts is refused ({error})")

    def _of_other_counts(
        self, options: Any, mixed: float, factors: Sequence[float], times: Sequence[float]
    ) -> NoiseModel:
        """Return the model of images with other counts.

        Args:
            options: its options.
            mixed: times as many counts of the mixed image.
            factors: times as many counts of each channel.
            times: times as many counts in the pairs of each channel.
        """
        given = self.statistics()
        statistics = IntensityStats(
            mixed_mean=mixed * given.mixed_mean,
            mixed_std=mixed * given.mixed_std,
            target_mean=[f * one for f, one in zip(factors, given.target_mean, strict=True)],
            target_std=[f * one for f, one in zip(factors, given.target_std, strict=True)],
        )
        model = seen_by_a_pixel(self.made(options, statistics))
        if model.needs_fit:
            pairs = zip(times, self.pairs(), strict=True)
            own = [attrs.evolve(x, signal=n * x.signal, observation=n * x.observation) for n, x in pairs]
            model.fit(own, seed=0)
        return model.double().eval()

    @in_two_and_three_dimensions
    def test_a_floor_is_a_floor_and_nothing_else(self, rank: int) -> None:
        """An option ``log_variance_floor``: below it the variance is raised, above it nothing changes."""
        for options in examples(self.options()):
            if _FLOOR not in {field.alias for field in attrs.fields(type(options))}:
                return
            without, with_floor = (
                self.model(attrs.evolve(options, **{_FLOOR: floor})) for floor in (None, -1.0)
            )
            signal = self.signals(rank, batch=3)
            maps = self.maps(without, signal)
            if maps is None:
                continue
            raised = with_floor.variance(signal, 3 * maps)
            free = without.variance(signal, 3 * maps)
            per_channel = self.statistics().per_channel(self.statistics().target_std, signal)
            lowest = (per_channel.square() * math.exp(-1.0)).expand_as(free)
            assert_close(raised, torch.maximum(free, lowest), "a floor does not raise to the floor alone")

    def test_every_option_has_an_effect(self) -> None:
        """On likelihood, variance or maps of a camera, at ordinary and extreme signals and predicted maps."""

        def trace(options: Any) -> Trace:
            model = self.model(options)
            seen = [(f"{name} {one.requires_grad}", one.detach()) for name, one in model.named_parameters()]
            seen += maps_of_a_part(model)
            for far in (0.0, 3e3, -3e3):
                signal = self.signals(2, batch=2) + far
                maps = self.maps(model, signal)
                wide = None if maps is None else 6 * maps
                with torch.no_grad():
                    seen.append(("value", model.log_prob(signal + 20, signal, wide)))
                    seen.append(("far value", model.log_prob(signal + 2e3, signal, wide)))
                    seen.append(("variance", model.variance(signal, wide)))
            return tuple(seen)

        drawn = examples(self.options(), 5)
        drawn += [with_maps(one, fields) for one in drawn if (fields := self.map_fields())]
        assert_options_have_effects(drawn, trace, unseen=self.unseen)
