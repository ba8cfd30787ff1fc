"""Laws of noise models about maps of a camera; they do not apply to models without maps."""

from typing import Any

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.camera_noise import CameraNoiseModel, as_batch
from denoisplit.core.network.interfaces import NoisePairs
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.testing.noise_model_laws.noise_model_cases import FEW, NoiseModelCases
from denoisplit.testing.noise_model_laws.pixel_maps import PART, SIDES, map_fields, with_maps
from denoisplit.testing.refusals import refusing
from denoisplit.testing.strategies import uniform
from denoisplit.testing.suite import assert_close, assert_equal, in_two_and_three_dimensions, not_examined

_GRID = 801
_REACH = 7.4
_DRAWS = 4000
_ORIGIN = "origin"
_NUMBER = 3.0
"""Numbers of a camera whose pixels are all alike."""

_LOST = 0.02
"""Largest loss of a fit against the truth, nats per pixel."""


class NoiseModelCameraTests(NoiseModelCases):
    """Laws of maps: every pixel has a true density of its own, in any part of the image."""

    def camera_options(self) -> Any:
        """Return options with maps of 6 x 7 pixels; by default random ones wherever a path is taken."""
        options = self.defaults()
        return with_maps(options, map_fields(type(options)))

    def with_maps(self) -> tuple[CameraNoiseModel, Tensor]:
        """Return a noise model, float64, and its maps [m c y x]; skip the test for a model without maps."""
        if not issubclass(self.target(), CameraNoiseModel):
            pytest.skip("it has no maps of a camera")
        model = self.camera(self.camera_options())
        if model.needs_fit:
            rng = np.random.default_rng(0)
            pairs = [
                attrs.evolve(one, place=np.stack([rng.integers(0, side, one.signal.size) for side in SIDES]))
                for one in self.pairs()
            ]
            model.fit(pairs, seed=0)
        model.double().eval()
        maps = model.camera_maps()
        if maps is None:
            not_examined("options with maps of a camera (override camera_options)")
        return model, maps

    def test_every_pixel_has_a_true_density(self) -> None:
        """It integrates to 1, and has the mean and the variance that the model declares there."""
        model, maps = self.with_maps()
        signal, camera = self._image(maps, 2), as_batch(maps, 2)
        with torch.no_grad():
            bias, std = model.bias(signal, camera=camera), model.variance(signal, camera=camera).sqrt()
            steps = 0.05 * torch.linspace(-_REACH, _REACH, _GRID, dtype=torch.float64).sinh()
            steps = steps.view(-1, 1, 1, 1)
            observation = signal + bias + steps * std
            many = signal.expand_as(observation)
            values = model.log_prob(observation, many, camera=camera).exp() * std
        for power, expected in enumerate((1.0, 0.0, 1.0)):
            found = torch.trapezoid(values * steps**power, steps.flatten(), dim=0)
            wrong = float((found - expected).abs().max())
            assert wrong < 0.02, f"moment {power} of the density of a pixel is off by {wrong:.3g}"

    def test_samples_of_every_pixel_have_its_mean_and_variance(self) -> None:
        """Given the maps that they are drawn with."""
        model, maps = self.with_maps()
        signal, camera = self._image(maps, 2), as_batch(maps, 2)
        many = signal.expand(_DRAWS, *signal.shape[1:])
        drawn = model.sample(many, torch.Generator().manual_seed(0), camera=camera).detach()
        std = model.variance(signal, camera=camera).sqrt().detach()
        off = (drawn.mean(0, keepdim=True) - signal - model.bias(signal, camera=camera).detach()) / std
        assert float(off.abs().max()) < 6 / _DRAWS**0.5, "samples of a pixel have another mean"
        ratio = drawn.std(0, keepdim=True) / std
        assert float((ratio - 1).abs().max()) < 0.25, "samples of a pixel have another variance"

    def test_more_light_gives_more_counts(self) -> None:
        """In every pixel, on average."""
        model, maps = self.with_maps()
        camera = as_batch(maps, 2)
        ends = torch.tensor([self.range_of(channel) for channel in range(maps.shape[1])], dtype=maps.dtype)
        dark, bright = (
            (one + model.bias(one, camera=camera)).detach()
            for one in (end.view(1, -1, 1, 1).expand(1, -1, *SIDES) for end in ends.unbind(1))
        )
        assert bool((bright > dark).all()), "some pixels have no more counts where there is more light"

    @in_two_and_three_dimensions
    def test_a_part_of_an_image_is_that_part(self, rank: int) -> None:
        """Likelihood, variance and bias of a crop are the crops of those of the image."""
        model, maps = self.with_maps()
        signal, camera = self._image(maps, rank), as_batch(maps, rank)
        part = (..., slice(2, 5), slice(1, 7))

        def of(clean: Tensor, own: Tensor) -> tuple[Tensor, ...]:
            return (
                model.log_prob(clean + 7, clean, camera=own).detach(),
                model.variance(clean, camera=own).detach(),
                model.bias(clean, camera=own).detach(),
            )

        whole, crop = of(signal, camera), of(signal[part], camera[part])
        for name, one, two in zip(("likelihood", "variance", "bias"), whole, crop, strict=True):
            assert one.shape == signal.shape, f"the {name} has the shape {tuple(one.shape)}"
            assert_close(two, one[part], f"the {name} of a crop is not the crop of it")

    def test_pixels_differ_and_maps_stay_as_they_are(self) -> None:
        """Equal counts are not equally likely everywhere; every map has an effect; none is overwritten."""
        model, maps = self.with_maps()
        camera = as_batch(maps, 2).clone()
        before, signal = (
            camera.clone(),
            self._image(maps, 2).mean((2, 3), keepdim=True).expand(1, -1, *SIDES),
        )
        found = model.log_prob(signal + 7, signal, camera=camera).detach()
        assert float(found.flatten(2).std(-1).min()) > 0, "all pixels are alike"
        assert_equal(camera, before, "maps are overwritten")
        for number in range(len(camera)):
            other = camera.clone()
            other[number] *= 1.1
            changed = model.log_prob(signal + 7, signal, camera=other).detach()
            assert not torch.equal(changed, found), f"map {number} has no effect"

    def test_maps_are_part_of_the_state_and_fit_images_of_their_size(self) -> None:
        """A model that is loaded reads no file; an image of other sides is refused in one line."""
        model, maps = self.with_maps()
        other = self.made(self.camera_options())
        assert isinstance(other, CameraNoiseModel)
        other.double().load_state_dict(model.state_dict(), strict=True)
        found = other.camera_maps(SIDES)
        assert found is not None, "a loaded model has no maps"
        assert not other.needs_fit, "a loaded model needs a fit"
        assert_equal(found, maps, "a loaded model has other maps")
        with refusing(NoiseModelError):
            other.camera_maps((SIDES[0] + 1, SIDES[1] + 1))

    def test_numbers_without_a_map_are_fitted_with_the_maps_of_the_others(self) -> None:
        """To pairs of different pixels, some with an ``origin``: nearly as likely as under the truth."""
        _, maps = self.with_maps()
        options = self.camera_options()
        fields = {field.alias for field in attrs.fields(type(options))}
        for number, name in enumerate(self.map_fields()):
            try:
                truth = self.camera(attrs.evolve(options, **{name: _NUMBER}))
                unknown = attrs.evolve(options, **{name: None})
                if truth.needs_fit or not self.made(unknown).needs_fit:
                    continue
            except (TypeError, ValueError, NoiseModelError):
                continue  # it is a map, or nothing
            others = maps[[n for n in range(len(maps)) if n != number]]
            first = (2, 1) if _ORIGIN in fields and number % 2 == 0 else (0, 0)
            given = {_ORIGIN: first} if any(first) else {}
            fitted = self.camera(attrs.evolve(unknown, **given))
            pairs, own = self.seen_by(truth, others, first, seed=0)
            fitted.fit(pairs, seed=0)
            fresh, own = self.seen_by(truth.double().eval(), others, first, seed=1)
            seen, signal = (
                torch.as_tensor(np.stack([getattr(one, part) for one in fresh]))[None, ..., None]
                for part in ("observation", "signal")
            )
            with torch.no_grad():
                best, found = (
                    model.double().eval().log_prob(seen, signal, camera=own).mean((0, 2, 3))
                    for model in (truth, fitted)
                )
            assert float((best - found).max()) < _LOST, (
                f"without a map of {name}, the fit loses {(best - found).tolist()} nats per pixel"
            )

    def camera(self, options: Any) -> CameraNoiseModel:
        """Return a noise model that has read its maps."""
        model = self.made(options)
        assert isinstance(model, CameraNoiseModel)
        model.read(installed_formats())
        return model

    def seen_by(
        self, truth: CameraNoiseModel, maps: Tensor, first: tuple[int, int], seed: int
    ) -> tuple[list[NoisePairs], Tensor]:
        """Draw pairs from a camera; return them and maps [m 1 c n 1] of their pixels, from ``first`` on."""
        rng = np.random.default_rng(seed)
        sides = [side - begin for side, begin in zip(SIDES, first, strict=True)]
        place = np.stack([rng.integers(0, side, FEW) for side in sides])
        rows, columns = place + np.array(first)[:, None]
        own = maps[..., rows, columns][:, None, ..., None]
        signal = torch.stack(
            [uniform(seed + channel, *self.range_of(channel), FEW) for channel in range(maps.shape[1])]
        )[None, ..., None]
        seen = truth.double().sample(signal, torch.Generator().manual_seed(seed), camera=own).detach()
        pairs = [
            NoisePairs(signal=clean.flatten().numpy(), observation=noisy.flatten().numpy(), place=place)
            for clean, noisy in zip(signal[0], seen[0], strict=True)
        ]
        return pairs, own

    def test_an_origin_says_which_part_of_the_maps_an_image_shows(self) -> None:
        """An option ``origin``, recognised by its name: row and column of the first pixel in the maps."""
        model, maps = self.with_maps()
        options = self.camera_options()
        if _ORIGIN not in {field.alias for field in attrs.fields(type(options))}:
            return
        with pytest.raises(NoiseModelError):
            model.camera_maps(PART)
        for y, x in ((0, 0), (2, 1), tuple(side - part for side, part in zip(SIDES, PART, strict=True))):
            moved = self.made(attrs.evolve(options, **{_ORIGIN: (y, x)}))
            assert isinstance(moved, CameraNoiseModel)
            moved.double().load_state_dict(model.state_dict(), strict=True)
            found = moved.camera_maps(PART)
            assert found is not None, "a part of the maps is none"
            assert_equal(found, maps[..., y : y + PART[0], x : x + PART[1]], f"the maps from {y}, {x} on")
            for wrong in ((SIDES[0] - y + 1, PART[1]), (PART[0], SIDES[1] - x + 1)):
                with refusing(NoiseModelError):
                    moved.camera_maps(wrong)

    def _image(self, maps: Tensor, rank: int) -> Tensor:
        """Return clean counts [1 c (2) y x] of the pixels of the maps."""
        channels = maps.shape[1]
        place = uniform(3, 0.1, 0.9, 1, channels, *(2,) * (rank - 2), *SIDES)
        ends = torch.tensor([self.range_of(channel) for channel in range(channels)], dtype=place.dtype)
        low, high = ends.view(channels, 2, *(1,) * rank).unbind(1)
        return low + (high - low) * place
