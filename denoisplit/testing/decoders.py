"""Conformance suite for decoders."""

import copy
import itertools
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
import torch
from torch import Tensor

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import Decoded, Decoder, FeatureShape
from denoisplit.core.network.latent import divergence
from denoisplit.testing.network_laws.decoder_cases import MAPS
from denoisplit.testing.network_laws.decoder_geometry import features_used, reach_around
from denoisplit.testing.network_laws.decoder_priors import PriorTests
from denoisplit.testing.network_laws.decoding import BATCH, DecoderCase, LevelNoise, decoder_case
from denoisplit.testing.network_laws.geometry import assert_there, assert_vanishes
from denoisplit.testing.strategies import random, uniform
from denoisplit.testing.suite import (
    RANKS,
    accepted,
    assert_close,
    assert_differs,
    assert_equal,
    dead_parameters,
    generic,
    in_two_and_three_dimensions,
)

_FEW = 3
"""Largest number of levels of features whose places are looked at."""

_BESIDE = 2
"""Number of pixels at the cut of a window that may differ."""


class DecoderTests(PriorTests):
    """Laws of decoders: the same noise gives the same output, every part has an effect, priors generate."""

    def test_it_takes_features_of_two_or_three_dimensions(self) -> None:
        """A component may refuse a number of dimensions, but not both."""
        options, usable = self.smallest(), 0
        for rank in RANKS:
            for shapes in self.pyramids(rank):
                with suppress(SpecError):
                    self.new(options, shapes)
                    usable += 1
        assert usable, "no features are taken, neither of two nor of three dimensions"

    @in_two_and_three_dimensions
    def test_features_that_are_taken_are_decoded(self, rank: int) -> None:
        """Also those of a single level, of many, and of levels of unequal widths."""
        for shapes in self.pyramids(rank):
            with suppress(SpecError):
                case = decoder_case(partial(self.new, self.smallest(), shapes), shapes)
                output, widths = case.decode(LevelNoise(1)).output, [one.channels for one in shapes]
                assert output.shape == (BATCH, MAPS, *case.image), (
                    f"the output has the shape {tuple(output.shape)} for features of {widths} channels"
                )

    @in_two_and_three_dimensions
    def test_features_of_one_width_are_taken_where_unequal_ones_are(self, rank: int) -> None:
        """Encoders have one width at all levels, unless their options say otherwise."""
        for shapes in (one for one in self.pyramids(rank) if self._takes(one)):
            alike = tuple(attrs.evolve(one, channels=shapes[0].channels) for one in shapes)
            widths = [one.channels for one in shapes]
            assert self._takes(alike), (
                f"features of {widths} channels are taken, of {widths[0]} at all levels not"
            )

    @in_two_and_three_dimensions
    def test_pixels_are_made_of_the_features_at_their_place(self, rank: int) -> None:
        """On average: surrounds are cut off evenly, and nothing is rotated or swapped."""
        for shapes in (one for one in self.pyramids(rank) if self._takes(one)):
            surrounded = max(shapes[-1].extent) > 1
            # Of many levels, and in space without surrounds, there is nothing else to see for much more time.
            if len(shapes) > _FEW or not (surrounded or rank == min(RANKS)):
                continue
            case = decoder_case(partial(self.new, self.smallest(), shapes), shapes, patches=4)
            for level, found, expected in features_used(case):
                assert_there(found, expected, f"pixels are made of the features of level {level}")

    @in_two_and_three_dimensions
    def test_borders_are_far_from_each_other(self, rank: int) -> None:
        """Features at the beginning of an axis have no effect on the output at its end: tiles can be.

        For volumes, the simplest decoder only.
        """
        flat = rank == min(RANKS)
        for case in self.cases(rank) if flat else (accepted(lambda: self.taken(self.smallest(), rank)),):
            for axis in range(len(case.image)):
                assert_vanishes(
                    partial(reach_around, case, axis),
                    f"the beginning of axis {axis} has an effect on the output at its end",
                )

    @in_two_and_three_dimensions
    def test_output_has_the_declared_maps_and_the_size_of_the_image(self, rank: int) -> None:
        """[b maps (z) y x]."""
        for case in self.cases(rank):
            expected = (len(case.features[0]), MAPS, *case.image)
            output = case.decode(LevelNoise(1)).output
            assert output.shape == expected, f"the output has the shape {tuple(output.shape)}, not {expected}"
            assert bool(output.isfinite().all()), "the output is not finite"

    @in_two_and_three_dimensions
    def test_no_map_is_a_copy_of_another(self, rank: int) -> None:
        """With weights that are not those of the beginning, which may be zero."""
        for case in self.cases(rank):
            decoder = generic(partial(copy.deepcopy, case.decoder), 3)
            with torch.no_grad():
                output = decoder(case.features, LevelNoise(1)).output
            for one, two in itertools.combinations(range(MAPS), 2):
                assert_differs(output[:, two], output[:, one], f"map {two} is a copy of map {one}")

    @in_two_and_three_dimensions
    def test_a_window_is_that_part_of_the_output(self, rank: int) -> None:
        """Wherever it begins and ends; only pixels beside a cut may differ, which the last layer sees."""
        for number, case in enumerate(self.cases(rank, patches=2)):
            shares = uniform(number, 0, 0.25, len(case.image), 2).tolist()
            ends = [(round(n * a), round(n * b)) for n, (a, b) in zip(case.image, shares, strict=True)]
            window: Any = tuple(slice(a, n - b) for n, (a, b) in zip(case.image, ends, strict=True))
            whole = case.decode(LevelNoise(1)).output
            with torch.no_grad():
                cut = case.decoder(case.features, LevelNoise(1), window=window).output
            expected = whole[..., *window]
            assert cut.shape == expected.shape, f"the window has the shape {tuple(cut.shape)}"
            inner: Any = tuple(
                slice(_BESIDE * (a > 0), n - a - b - _BESIDE * (b > 0))
                for n, (a, b) in zip(case.image, ends, strict=True)
            )
            assert_close(cut[..., *inner], expected[..., *inner], "a window shows another part of the output")

    @in_two_and_three_dimensions
    def test_the_same_noise_gives_the_same_output(self, rank: int) -> None:
        """The decoder draws nothing itself: all chance comes from the noise source."""
        for case in self.cases(rank):
            first, second = case.decode(LevelNoise(1)), case.decode(LevelNoise(1))
            assert_equal(second.output, first.output, "the same noise gives another output")
            for one, two in zip(first.levels, second.levels, strict=True):
                assert_equal(two.sample, one.sample, "the same noise gives another sample")

    @in_two_and_three_dimensions
    def test_prediction_gives_the_output_of_training(self, rank: int) -> None:
        """``sample`` leaves out what only the rate needs, and nothing else."""
        for case in self.cases(rank):
            with torch.no_grad():
                predicted = case.decoder.sample(case.features, LevelNoise(1))
            assert_close(predicted, case.decode(LevelNoise(1)).output, "prediction and training differ")

    @in_two_and_three_dimensions
    def test_half_precision_does_not_round_the_output(self, rank: int) -> None:
        """In counts of eight bits, the spread of samples would vanish."""
        for trial in self.trials(rank):
            decoder, features = trial.module.float(), tuple(one.float() for one in trial.inputs)
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                decoded = decoder(features, LevelNoise(1))
                outputs = (decoded.output, decoder.sample(features, LevelNoise(1)))
            for output in outputs:
                assert output.dtype == torch.float32, f"the output is rounded to {output.dtype}"
                assert not torch.equal(output.bfloat16().float(), output), "the output has eight bits"

    @in_two_and_three_dimensions
    def test_a_sample_is_the_posterior_mean_plus_std_times_noise(self, rank: int) -> None:
        """Every level draws with its own noise, reparameterised."""
        for case in self.cases(rank):
            noise = LevelNoise(1)
            for index, level in case.by_number(case.decode(noise)).items():
                posterior = level.posterior
                drawn = posterior.mean + posterior.stddev * noise.of(index, tuple(level.sample.shape))
                assert_close(level.sample, drawn, f"the sample of level {index} is not mean + std * noise")

    @in_two_and_three_dimensions
    def test_noise_is_asked_for_once_per_level_coarsest_first(self, rank: int) -> None:
        """By its number, with the size of its features; in training, in prediction and in generation."""
        for case in self.cases(rank):
            trained, predicted, generated = LevelNoise(1), LevelNoise(1), LevelNoise(1)
            levels = case.by_number(case.decode(trained))
            with torch.no_grad():
                case.decoder.sample(case.features, predicted)
                with suppress(SpecError):
                    case.decoder.generate(case.image, generated, batch=BATCH)
            count = len(case.shapes)
            assert set(levels) <= set(range(count)), (
                f"noise of levels {list(levels)} is asked for, of {count}"
            )
            sizes = {level: case.shapes[level].size(case.image) for level in levels}
            expected = [(level, (BATCH, *sizes[level])) for level in reversed(levels)]
            for where, noise in (("training", trained), ("prediction", predicted), ("generation", generated)):
                asked = [(level, (shape[0], *shape[2:])) for level, shape in noise.asked]
                assert asked == expected or (noise is generated and not asked), (
                    f"in {where} noise is asked for as {asked} instead of {expected}"
                )
            found = {number: tuple(level.sample.shape[2:]) for number, level in levels.items()}
            assert found == sizes, f"latents have the sizes {found}, the features of their levels {sizes}"

    @in_two_and_three_dimensions
    def test_every_level_of_features_and_of_noise_matters(self, rank: int) -> None:
        """No features are ignored; noise matters at every level that has a latent, and at no other."""
        for case in self.cases(rank):
            first = case.decode(LevelNoise(1))
            for level in range(len(case.features)):
                other = case.decode(LevelNoise(1), case.changed(level)).output
                assert_differs(other, first.output, f"the features of level {level} have no effect")
            for level in case.by_number(first):
                other = case.decode(LevelNoise(1, moved=level)).output
                assert_differs(other, first.output, f"the noise of level {level} has no effect")
            if not first.levels:
                other = case.decode(LevelNoise(2)).output
                assert_equal(other, first.output, "noise has an effect, but there are no levels")

    @in_two_and_three_dimensions
    def test_every_parameter_gets_a_gradient(self, rank: int) -> None:
        """No trainable parameter is without effect on the output and the divergences."""
        for case in self.cases(rank):

            def attempt(seed: int, of: DecoderCase = case) -> tuple[Decoder, Tensor]:
                decoder = generic(lambda: copy.deepcopy(of.decoder), seed)
                features = tuple(random(seed + i, *f.shape) for i, f in enumerate(of.features))
                decoded: Decoded = decoder(features, LevelNoise(seed))
                total = (decoded.output * random(seed + 9, *decoded.output.shape)).sum()
                return decoder, total + sum(divergence(x, analytic=True).sum() for x in decoded.levels)

            dead = dead_parameters(attempt)
            assert not dead, f"no gradient reaches {', '.join(dead)}"

    @in_two_and_three_dimensions
    def test_images_of_a_batch_do_not_mix(self, rank: int) -> None:
        """In evaluation mode an image comes out the same with any other beside it."""
        for case in self.cases(rank):
            other = tuple(torch.cat([f[:1], random(5, *f[1:].shape)]) for f in case.features)
            one, two = case.decode(LevelNoise(1)).output, case.decode(LevelNoise(1), other).output
            assert_close(two[:1], one[:1], "an image depends on others of its batch")

    def _takes(self, shapes: tuple[FeatureShape, ...]) -> bool:
        try:
            self.new(self.smallest(), shapes)
        except SpecError:
            return False
        return True
