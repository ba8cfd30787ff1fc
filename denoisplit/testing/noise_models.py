"""Conformance suite for noise models: density, samples, derivatives."""

import itertools
from contextlib import suppress
from functools import partial

import pytest
import torch
from hypothesis import strategies as st
from scipy.stats import kstest
from torch import Tensor

from denoisplit.core.errors import ChannelCountError
from denoisplit.testing.global_generators import leaving_generators_alone
from denoisplit.testing.noise_model_laws.noise_model_cameras import NoiseModelCameraTests
from denoisplit.testing.noise_model_laws.noise_model_numbers import NoiseModelNumberTests
from denoisplit.testing.strategies import uniform
from denoisplit.testing.suite import assert_close, assert_equal, in_two_and_three_dimensions, tried

_FAR = 60.0
"""Standard deviations."""

_DRAWS = 3000
_SMALL = 1e-3

_SMOOTH, _STEPS = 1e-3, 0.01
"""Largest errors of the moments of a smooth density, and of one with steps."""


class NoiseModelTests(NoiseModelNumberTests, NoiseModelCameraTests):
    """Laws of noise models: a true density, finite everywhere, that agrees with its samples and moments."""

    @in_two_and_three_dimensions
    def test_the_density_integrates_to_one(self, rank: int) -> None:
        """``exp(log_prob)`` is a density in counts over the observation, whatever the signal."""
        for _, density in self.densities(rank):
            found = density.integral
            wrong, most = (found - 1).abs(), _exact(found - density.coarse.integral)
            assert bool((wrong < most).all()), f"the density integrates to 1 +- {float(wrong.max()):.3g}"

    @in_two_and_three_dimensions
    def test_the_mean_is_the_signal_or_a_declared_bias_away(self, rank: int) -> None:
        """A model whose mean is not the signal has a method ``bias(signal)``, in counts."""
        for model, density in self.densities(rank):
            wrong = ((density.mean - self.bias(model, density.signal).flatten()) / density.std).abs()
            most = _exact((density.mean - density.coarse.mean) / density.std)
            assert bool((wrong < most).all()), (
                f"the mean is {float(wrong.max()):.3g} std away from the signal (and its declared bias)"
            )

    @in_two_and_three_dimensions
    def test_the_variance_is_that_of_the_density(self, rank: int) -> None:
        """``variance`` agrees with the second moment of ``exp(log_prob)``."""
        for _, density in self.densities(rank):
            ratio, most = density.variance / density.std**2, _exact(density.coarse.std / density.std - 1)
            assert bool(((ratio - 1).abs() < most).all()), (
                f"the variance is {float(ratio.min()):.6g} to {float(ratio.max()):.6g} times that of the "
                f"density"
            )

    @in_two_and_three_dimensions
    def test_samples_agree_with_the_density(self, rank: int) -> None:
        """The probability integral transform of samples is uniform."""
        for seed, (model, density) in enumerate(self.densities(rank)):
            drawn = self.samples(model, density.signal, _DRAWS, seed)
            for column in range(drawn.shape[1]):
                transformed = density.probability_below(column, drawn[:, column])
                p = float(kstest(transformed, "uniform").pvalue)
                assert p > 1e-6, f"samples do not follow the density (Kolmogorov-Smirnov p = {p:.2g})"

    @in_two_and_three_dimensions
    @tried(8, data=st.data(), seed=st.integers(0, 99))
    def test_samples_have_the_declared_mean_and_variance(
        self, rank: int, data: st.DataObject, seed: int
    ) -> None:
        """Also for a composite likelihood, which has no density to compare with."""
        model, signal = self.drawn(data), self.signals(rank, seed=seed)
        drawn = self.samples(model, signal, _DRAWS, seed)
        std = model.variance(signal, self.maps(model, signal)).sqrt().detach().flatten()
        off = (drawn.mean(0) - (signal + self.bias(model, signal)).flatten()) / std
        assert float(off.abs().max()) < 6 / _DRAWS**0.5, "samples have another mean than the signal"
        ratio = drawn.std(0) / std
        assert float((ratio - 1).abs().max()) < 0.25, (
            f"samples have {float(ratio.max()):.3g} to {float(ratio.min()):.3g} times the declared std"
        )

    @in_two_and_three_dimensions
    @tried(8, data=st.data(), seed=st.integers(0, 99))
    def test_samples_come_from_the_generator_alone(self, rank: int, data: st.DataObject, seed: int) -> None:
        """The same generator gives the same samples, and the global ones are left alone."""
        model, signal = self.drawn(data), self.signals(rank)
        maps = self.maps(model, signal)
        with leaving_generators_alone("a sample"):
            one, two, other = (
                model.sample(signal, torch.Generator().manual_seed(s), maps) for s in (seed, seed, seed + 1)
            )
        assert_equal(two, one, "the same generator gives other samples")
        assert not torch.equal(other, one), "another generator gives the same samples"

    @in_two_and_three_dimensions
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
    @tried(8, data=st.data(), side=st.sampled_from([-1.0, 1.0]), far=st.sampled_from([0.0, -1e4, 1e5]))
    def test_value_and_gradient_are_finite_far_away(
        self, rank: int, dtype: torch.dtype, data: st.DataObject, side: float, far: float
    ) -> None:
        """At 60 standard deviations, and for signals beyond everything that was fitted."""
        model = self.drawn(data).to(dtype)
        signal = (self.signals(rank) + far).to(dtype)
        maps = self.maps(model, signal)
        observation = signal + side * _FAR * model.variance(signal, maps).detach().sqrt()
        signal.requires_grad_()
        value = model.log_prob(observation, signal, maps)
        (gradient,) = torch.autograd.grad(value.sum(), signal)
        assert value.dtype == dtype, f"log_prob is in {value.dtype} for images in {dtype}"
        assert value.shape == signal.shape, f"the shape {tuple(value.shape)} comes out"
        assert bool(value.isfinite().all()), "the log-density is not finite"
        assert bool(gradient.isfinite().all()), "the gradient is not finite"

    @in_two_and_three_dimensions
    @tried(8, data=st.data(), side=st.sampled_from([-1.0, 1.0]))
    def test_far_away_is_unlikely_and_has_a_gradient(
        self, rank: int, data: st.DataObject, side: float
    ) -> None:
        """At 60 standard deviations a density that ends in a constant floor would teach nothing."""
        model, signal = self.drawn(data), self.signals(rank)
        maps = self.maps(model, signal)
        observation = signal + side * _FAR * model.variance(signal, maps).detach().sqrt()
        signal.requires_grad_()
        far = model.log_prob(observation, signal, maps)
        (gradient,) = torch.autograd.grad(far.sum(), signal)
        assert bool((gradient != 0).all()), "there is no gradient"
        near = model.log_prob(signal.detach(), signal, maps)
        assert bool((near > far).all()), "an observation far away is likelier than one at the signal"

    @in_two_and_three_dimensions
    @tried(8, data=st.data())
    def test_a_pixel_knows_nothing_of_other_pixels_and_channels(self, rank: int, data: st.DataObject) -> None:
        """The likelihood of a pixel depends on its own signal and observation."""
        model, signal = self.drawn(data), self.signals(rank, batch=2)
        maps, observation = self.maps(model, signal), signal + 5
        before = model.log_prob(observation, signal, maps).detach()
        changes = (("observation", (20.0, 0.0)), ("signal", (0.0, 20.0)))
        for channel, (name, change) in itertools.product(range(signal.shape[1]), changes):
            where = (1, channel, *(0,) * rank)
            seen, clean = observation.clone(), signal.clone()
            seen[where] += change[0]
            clean[where] += change[1]
            after = model.log_prob(seen, clean, maps).detach()
            assert float(after[where]) != float(before[where]), f"the {name} of a pixel has no effect on it"
            after[where] = before[where]
            assert_close(after, before, f"the {name} of a pixel has an effect on others")

    @in_two_and_three_dimensions
    def test_images_of_other_channels_are_refused(self, rank: int) -> None:
        """Not repeated: ``units.of_same_channels`` refuses an observation, ``per_channel`` a signal."""
        model, signal = self.model(self.smallest()), self.signals(rank)
        one = signal[:, :1]
        maps, of_one = self.maps(model, signal), self.maps(model, one)
        for seen, clean, extra in ((one, signal, maps), (signal, one, of_one)):
            counts = f"an observation of {seen.shape[1]} channels is taken for a signal of {clean.shape[1]}"
            with suppress(ChannelCountError):
                model.log_prob(seen, clean, extra)
                pytest.fail(f"{counts}: raise a ChannelCountError")
        generator = torch.Generator().manual_seed(0)
        for name, run in (
            ("log_prob", partial(model.log_prob, one)),
            ("sample", lambda clean, extra: model.sample(clean, generator, extra)),
            ("variance", model.variance),
        ):
            with suppress(ChannelCountError):
                found = run(one, of_one).shape[1]
                assert found == 1, f"{name} repeats one channel as {found}: raise a ChannelCountError"

    @in_two_and_three_dimensions
    def test_what_is_not_a_number_stays_so_and_disturbs_no_other_pixel(self, rank: int) -> None:
        """A NaN gives a NaN, no error and no plausible number, so that training names what went wrong."""
        model, signal = self.model(self.smallest()), self.signals(rank, batch=2)
        maps, where = self.maps(model, signal), (1, 1, *(0,) * rank)
        before = model.log_prob(signal + 5, signal, maps).detach()
        for name in ("observation", "signal"):
            values = {"observation": signal + 5, "signal": signal.clone()}
            values[name][where] = torch.nan
            after = model.log_prob(values["observation"], values["signal"], maps).detach()
            assert bool(after[where].isnan()), (
                f"a {name} that is NaN has the likelihood {float(after[where])}"
            )
            after[where] = before[where]
            assert_close(after, before, f"a {name} that is NaN has an effect on other pixels")

    @in_two_and_three_dimensions
    @tried(8, data=st.data())
    def test_the_shape_of_the_image_does_not_matter(self, rank: int, data: st.DataObject) -> None:
        """The same pixels in another arrangement, side by side with a copy, or in another batch."""
        model, signal = self.drawn(data), self.signals(rank, batch=2)
        maps = self.maps(model, signal)
        found = model.log_prob(signal + 7, signal, maps).detach()
        flat = None if maps is None else maps.flatten(2).unsqueeze(2)
        row = signal.flatten(2).unsqueeze(2)
        assert_close(
            model.log_prob(row + 7, row, flat).detach().flatten(2), found.flatten(2), "pixels in a row differ"
        )
        wide = torch.cat([signal, signal], dim=-1)
        beside = None if maps is None else torch.cat([maps, maps], dim=-1)
        both = model.log_prob(wide + 7, wide, beside).detach()
        assert_close(both, torch.cat([found] * 2, dim=-1), "an image beside its copy has another likelihood")
        second = None if maps is None else maps[1:]
        alone = model.log_prob(signal[1:] + 7, signal[1:], second).detach()
        assert_close(alone, found[1:], "an image alone has another likelihood than in a batch")

    @in_two_and_three_dimensions
    def test_predicted_maps_have_an_effect(self, rank: int) -> None:
        """A model that asks the network for ``extra_maps`` uses them, with a gradient, each for its channel.

        Those of a channel lie together: [b c*extra_maps (z) y x].
        """
        model, signal = self.model(self.smallest()), self.signals(rank)
        maps = self.maps(model, signal)
        if maps is None:
            return
        maps.requires_grad_()
        likelihood = model.log_prob(signal + uniform(3, -50, 50, *signal.shape), signal, maps)
        total = likelihood.sum()
        gradient = (
            torch.autograd.grad(total, maps, allow_unused=True, retain_graph=True)[0]
            if total.requires_grad
            else None
        )
        assert gradient is not None, "no gradient reaches the predicted maps"
        assert bool(gradient.isfinite().all()), "the gradient of the predicted maps is not finite"
        for channel in range(signal.shape[1]):
            (own,) = torch.autograd.grad(likelihood[:, channel].sum(), maps, retain_graph=True)
            mine = slice(channel * model.extra_maps, (channel + 1) * model.extra_maps)
            assert float(own[:, mine].abs().max()) > 0, (
                f"the predicted maps of channel {channel} have no effect on it"
            )
            own[:, mine] = 0
            assert float(own.abs().max()) == 0, (
                f"predicted maps of other channels have an effect on channel {channel}"
            )

    @in_two_and_three_dimensions
    @tried(8, data=st.data())
    def test_the_variance_of_the_signal_is_a_share_of_every_pixel(
        self, rank: int, data: st.DataObject
    ) -> None:
        """A model with a ``signal_variance`` has it pixel by pixel, and its ``variance`` includes it."""
        model, signal = self.drawn(data), self.signals(rank, batch=2)
        maps = self.maps(model, signal)
        found = model.signal_variance(signal, maps)
        if found is None:
            return
        assert maps is not None, "only a model with extra_maps is asked for a variance of the signal"
        found = found.detach()
        assert found.shape == signal.shape, f"the variance of the signal has the shape {tuple(found.shape)}"
        assert bool((found >= 0).all()), "the variance of the signal is negative, or not a number"
        assert found.dtype == signal.dtype, f"a sample is in {found.dtype} for a signal in {signal.dtype}"
        certain = self.certain_maps(model, signal)
        sure = model.signal_variance(signal, certain)
        noise, rest = model.variance(signal, certain).detach(), model.variance(signal, maps).detach() - found
        assert sure is not None, "the maps decide whether there is a variance of the signal"
        assert bool((sure < _SMALL * noise).all()), "maps far below 0 leave a variance of the signal"
        assert_close(
            rest / (noise - sure.detach()),
            torch.ones_like(noise),
            "variance and signal_variance differ by more than noise",
            rtol=1e-6,
        )
        alone = model.signal_variance(signal[:1, ..., :1], maps[:1, ..., :1])
        assert alone is not None, "a single pixel has no variance of the signal"
        assert_close(alone.detach(), found[:1, ..., :1], "other pixels have an effect on the variance of one")
        others = maps.clone()
        others[:, model.extra_maps :] += 1
        changed = model.signal_variance(signal, others)
        assert changed is not None, "the maps decide whether there is a variance of the signal"
        assert_close(
            changed[:, 0].detach(), found[:, 0], "other channels have an effect on that of the first"
        )


def _exact(apart: Tensor) -> float:
    """Return the tolerance for numbers that differ by ``apart`` on a coarser grid; larger for steps."""
    return min(_SMOOTH + 10 * float(apart.abs().max()), _STEPS)
