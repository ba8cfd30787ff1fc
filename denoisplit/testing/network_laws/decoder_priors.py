"""Laws of decoders about their latents: priors, generation, channels."""

from contextlib import suppress
from functools import partial

import attrs
import pytest
import torch
from torch import Tensor

from denoisplit.core.errors import SpecError
from denoisplit.testing.network_laws.decoder_cases import MAPS, DecoderCases
from denoisplit.testing.network_laws.decoding import BATCH, DecoderCase, GivenNoise, LevelNoise, decoder_case
from denoisplit.testing.strategies import random
from denoisplit.testing.suite import (
    accepted,
    assert_close,
    assert_differs,
    assert_equal,
    generic,
    in_two_and_three_dimensions,
)

_LATENTS = "latent_channels"
_LEVELS = "latent_levels"
_WIDTHS = "width"


class PriorTests(DecoderCases):
    """Laws of latents; they hold trivially for a decoder without any."""

    @in_two_and_three_dimensions
    def test_a_prior_does_not_see_the_features_of_its_level(self, rank: int) -> None:
        """The prior of a level knows coarser levels only; its posterior knows its own features."""
        for case in self.cases(rank):
            first = case.by_number(case.decode(LevelNoise(1)))
            for index in range(len(case.features) if first else 0):
                other = case.by_number(case.decode(LevelNoise(1), case.changed(index)))
                for level in (level for level in first if level >= index):
                    for name in ("mean", "stddev"):
                        one, two = (getattr(x[level].prior, name) for x in (first, other))
                        assert_close(
                            two, one, f"the prior of level {level} sees the features of level {index}"
                        )
                if index in first:
                    assert_differs(
                        other[index].posterior.mean,
                        first[index].posterior.mean,
                        f"the posterior of level {index} does not see its features",
                    )

    @in_two_and_three_dimensions
    def test_the_prior_generates_images_of_any_size(self, rank: int) -> None:
        """Finite, the same for the same noise; without latents a decoder refuses with a ``SpecError``.

        With latents at some levels only it may refuse, too, as the others may need features.
        """
        for number, case in enumerate(self.cases(rank)):
            factors = ((number + axis) % 3 + 1 for axis in range(rank))
            size = tuple(f * s for f, s in zip(factors, case.shapes[-1].stride, strict=True))

            def generated(seed: int, of: DecoderCase = case, sides: tuple[int, ...] = size) -> Tensor:
                with torch.no_grad():
                    return of.decoder.generate(sides, LevelNoise(seed), batch=3)

            numbers = case.by_number(case.decode(LevelNoise(1)))
            if not numbers:
                with pytest.raises(SpecError):
                    generated(1)
                continue
            try:
                output = generated(1)
            except SpecError:
                assert len(numbers) < len(case.shapes), (
                    "every level has a latent, but no image is generated: give it a method generate that "
                    "draws from the priors"
                )
                continue
            assert output.shape == (3, MAPS, *size), f"images of the shape {tuple(output.shape)} come out"
            assert bool(output.isfinite().all()), "a generated image is not finite"
            assert_equal(generated(1), output, "the same noise generates another image")
            assert_differs(generated(2), output, "other noise generates the same image")
            assert_differs(output[:1], output[1:2], "all images of a batch are the same")

    @in_two_and_three_dimensions
    def test_generated_images_are_those_of_samples_of_the_prior(self, rank: int) -> None:
        """``generate`` draws mean + std * noise from the prior of every level, and decodes as training does.

        Where features bypass the latents, generation has no expected result.
        """
        for case in self.cases(rank):
            numbers = tuple(case.by_number(case.decode(LevelNoise(1))))
            given, wanted = GivenNoise(), LevelNoise(2)
            for place, index in reversed(list(enumerate(numbers))):
                level = case.decode(given).levels[place]
                drawn = level.prior.mean + level.prior.stddev * wanted.of(index, tuple(level.sample.shape))
                given.numbers[index] = (drawn - level.posterior.mean) / level.posterior.stddev
            decoded = case.decode(given)
            samples = GivenNoise()
            other = tuple(random(88 + n, *f.shape) for n, f in enumerate(case.features))
            for place, index in reversed(list(enumerate(numbers))):
                level = case.decode(samples, other).levels[place]
                same = decoded.levels[place].sample
                samples.numbers[index] = (same - level.posterior.mean) / level.posterior.stddev
            beside = case.decode(samples, other).output
            if not numbers or not torch.allclose(beside, decoded.output, rtol=1e-6, atol=1e-8):
                continue
            with suppress(SpecError), torch.no_grad():
                generated = case.decoder.generate(case.image, wanted, batch=BATCH)
                wrong = "an image is generated from other samples than the prior's"
                assert_close(generated, decoded.output, wrong, rtol=1e-6)

    @in_two_and_three_dimensions
    def test_an_image_of_copies_has_a_prior_of_copies(self, rank: int) -> None:
        """The prior of the coarsest level sees no features; beyond the training patch it repeats itself."""
        for case in self.cases(rank, patches=2):
            if len(case.shapes) - 1 not in case.latents():
                continue
            prior = case.decode(LevelNoise(1)).levels[-1].prior
            for values in (prior.mean, prior.stddev):
                for axis in range(2, values.ndim):
                    half = values.shape[axis] // 2
                    first, second = values.narrow(axis, 0, half), values.narrow(axis, half, half)
                    assert_close(second, first, "beyond the training patch the coarsest prior differs")

    @in_two_and_three_dimensions
    def test_latents_are_at_the_levels_of_the_options(self, rank: int) -> None:
        """An option ``latent_levels``: different numbers of levels, 0 = finest; others are refused."""
        options = self.smallest()
        if not any(field.alias == _LEVELS for field in attrs.fields(type(options))):
            return
        shapes = max(self.pyramids(rank), key=len)
        count = len(shapes)

        def case(*numbers: int) -> DecoderCase:
            changed = attrs.evolve(options, **{_LEVELS: numbers})
            return decoder_case(partial(self.new, changed, shapes), shapes)

        for numbers in ((0, 2), (count - 1, 1, 3)):
            noise, drawn = LevelNoise(1), case(*numbers)
            levels = drawn.by_number(drawn.decode(noise))
            assert list(levels) == sorted(numbers), f"latents of {numbers} are at the levels {list(levels)}"
            for number, level in levels.items():
                q, size = level.posterior, tuple(level.sample.shape)
                expected = q.mean + q.stddev * noise.of(number, size)
                assert_close(level.sample, expected, f"the latent of level {number} is returned as another's")
            shown = drawn.decode(noise).output
            with torch.no_grad():
                assert_close(drawn.decoder.sample(drawn.features, noise), shown, "prediction differs")
        for wrong in ((count,), (0, count), (1, 1), (-1, 1)):
            with pytest.raises((SpecError, ValueError)):
                case(*wrong)

    @in_two_and_three_dimensions
    def test_latent_channels_are_those_of_the_options(self, rank: int) -> None:
        """An option ``latent_channels``: one number for all levels, or one per level if it takes several."""
        options = self.smallest()
        field = next((one for one in attrs.fields(type(options)) if one.alias == _LATENTS), None)
        if field is None:
            return
        case = accepted(lambda: self.taken(options, rank))
        several = () if field.type is int else (tuple(range(1, len(case.shapes) + 1)),)
        for wanted in (3, *several):
            changed = attrs.evolve(options, **{_LATENTS: wanted})
            decoder = generic(partial(self.new, changed, case.shapes))
            noise = LevelNoise(1)
            with torch.no_grad():
                levels = decoder(case.features, noise).levels
            found = [level.sample.shape[1] for level in levels]
            numbers = sorted(level for level, _ in noise.asked)
            expected = [wanted if isinstance(wanted, int) else wanted[number] for number in numbers]
            assert found == expected, f"latent_channels {wanted} gives {found}"

    @in_two_and_three_dimensions
    def test_states_may_be_as_wide_at_each_level_as_its_options_say(self, rank: int) -> None:
        """An option ``width`` that takes one number per level."""
        options = self.smallest()
        field = next((one for one in attrs.fields(type(options)) if one.alias == _WIDTHS), None)
        if field is None or field.type is int:
            return
        shapes = max(self.pyramids(rank), key=len)
        changed = attrs.evolve(options, **{_WIDTHS: tuple(range(2, 2 + len(shapes)))})
        case = decoder_case(partial(self.new, changed, shapes), shapes)
        assert case.decode(LevelNoise(1)).output.shape == (BATCH, MAPS, *case.image), "the output is not one"
