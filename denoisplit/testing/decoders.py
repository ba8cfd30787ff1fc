"""The exam of a decoder."""

from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

import attrs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import Decoded, Decoder, FeatureShape
from denoisplit.core.network.latent import divergence
from denoisplit.testing.decoding import DecoderCase, LevelNoise, decoder_case, training_patch
from denoisplit.testing.strategies import feature_pyramids, random
from denoisplit.testing.suite import (
    RANKS,
    ComponentTests,
    assert_close,
    assert_differs,
    assert_equal,
    copied,
    dead_parameters,
    generic,
    in_two_and_three_dimensions,
    law,
)

MAPS = 3
"""Output maps of the decoders under examination."""


class DecoderTests(ComponentTests):
    """Laws of decoders: the same noise gives the same output, every part has its say, priors generate."""

    kind: ClassVar[str] = "decoder"

    def pyramids(self, rank: int) -> tuple[tuple[FeatureShape, ...], ...]:
        """Features to decode; those that the decoder refuses with a ``SpecError`` are passed over."""
        return feature_pyramids(rank)

    def new(self, options: Any, shapes: tuple[FeatureShape, ...]) -> Decoder:
        """A decoder as the composer makes it."""
        patch = training_patch(shapes)
        made: Decoder = self.target()(options, feature_shapes=shapes, out_maps=MAPS, patch=patch)
        return made

    def case(self, data: st.DataObject, rank: int) -> DecoderCase:
        """A decoder with drawn options, for drawn features of an image of the training patch.

        The test is skipped where no features with so many axes are taken.
        """
        options, pyramids = data.draw(self.options()), self.pyramids(rank)
        first = data.draw(st.integers(0, len(pyramids) - 1))
        for shapes in (*pyramids[first:], *pyramids[:first]):
            try:
                return decoder_case(partial(self.new, options, shapes), shapes)
            except SpecError:
                continue
        pytest.skip(f"no pyramid of features with {rank} axes is taken")

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
    @law(3)
    @given(data=st.data())
    def test_output_has_the_declared_maps_and_the_size_of_the_image(
        self, rank: int, data: st.DataObject
    ) -> None:
        """[b maps (z) y x], from training, prediction and through a window."""
        case = self.case(data, rank)
        expected = (len(case.features[0]), MAPS, *case.image)
        output = case.decode(LevelNoise(1)).output
        assert output.shape == expected, f"the output has the shape {tuple(output.shape)}, not {expected}"
        assert bool(output.isfinite().all()), "the output is not finite"
        window = tuple(slice(0, n - (i == 0)) for i, n in enumerate(case.image))
        with torch.no_grad():
            cut = case.decoder(case.features, LevelNoise(1), window=window).output
        far: Any = (slice(0, 1),) * rank
        assert_close(cut[..., *far], output[..., *far], "a window changes pixels far from the cut")
        assert cut.shape[2:] == (case.image[0] - 1, *case.image[1:]), "the window is not cut out"

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_the_same_noise_gives_the_same_output(self, rank: int, data: st.DataObject) -> None:
        """The decoder draws nothing itself: all chance comes from the noise source."""
        case = self.case(data, rank)
        first, second = case.decode(LevelNoise(1)), case.decode(LevelNoise(1))
        assert_equal(second.output, first.output, "the same noise gives another output")
        for one, two in zip(first.levels, second.levels, strict=True):
            assert_equal(two.sample, one.sample, "the same noise gives another sample")

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_prediction_gives_the_output_of_training(self, rank: int, data: st.DataObject) -> None:
        """``sample`` leaves out what only the rate needs, and nothing else."""
        case = self.case(data, rank)
        with torch.no_grad():
            predicted = case.decoder.sample(case.features, LevelNoise(1))
        assert_close(predicted, case.decode(LevelNoise(1)).output, "prediction and training differ")

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_a_sample_is_the_posterior_mean_plus_std_times_noise(
        self, rank: int, data: st.DataObject
    ) -> None:
        """Every level draws with its own noise, reparameterised."""
        noise, case = LevelNoise(1), self.case(data, rank)
        for index, level in enumerate(case.decode(noise).levels):
            posterior = level.posterior
            drawn = posterior.mean + posterior.stddev * noise.of(index, tuple(level.sample.shape))
            assert_close(level.sample, drawn, f"the sample of level {index} is not mean + std * noise")

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_noise_is_asked_for_once_per_level_coarsest_first(self, rank: int, data: st.DataObject) -> None:
        """With the sizes that the features declare, in training and in prediction."""
        case, trained, predicted = self.case(data, rank), LevelNoise(1), LevelNoise(1)
        count = len(case.decode(trained).levels)
        with torch.no_grad():
            case.decoder.sample(case.features, predicted)
        expected = [(level, case.shapes[level].size(case.image)) for level in reversed(range(count))]
        for where, noise in (("training", trained), ("prediction", predicted)):
            asked = [(level, shape[2:]) for level, shape in noise.asked]
            assert asked == expected, f"in {where} noise is asked for as {asked} instead of {expected}"

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_every_level_of_features_and_of_noise_matters(self, rank: int, data: st.DataObject) -> None:
        """No features are ignored; noise matters at every level, or at none where there are no latents."""
        case = self.case(data, rank)
        first = case.decode(LevelNoise(1))
        for level in range(len(case.features)):
            other = case.decode(LevelNoise(1), case.changed(level)).output
            assert_differs(other, first.output, f"the features of level {level} have no effect")
        for level in range(len(first.levels)):
            other = case.decode(LevelNoise(1, moved=level)).output
            assert_differs(other, first.output, f"the noise of level {level} has no effect")
        if not first.levels:
            other = case.decode(LevelNoise(2)).output
            assert_equal(other, first.output, "noise has an effect, but there are no levels")

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_a_prior_does_not_see_the_features_of_its_level(self, rank: int, data: st.DataObject) -> None:
        """The prior of a level knows coarser levels only; its posterior knows its own features."""
        case = self.case(data, rank)
        first = case.decode(LevelNoise(1)).levels
        for index in range(len(first)):
            other = case.decode(LevelNoise(1), case.changed(index)).levels
            for level in range(index, len(first)):
                for name in ("mean", "stddev"):
                    one, two = (getattr(x[level].prior, name) for x in (first, other))
                    assert_close(two, one, f"the prior of level {level} sees the features of level {index}")
            assert_differs(
                other[index].posterior.mean,
                first[index].posterior.mean,
                f"the posterior of level {index} does not see its features",
            )

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_every_parameter_gets_a_gradient(self, rank: int, data: st.DataObject) -> None:
        """No trainable parameter is without effect on the output and the divergences."""
        drawn = self.case(data, rank)

        def attempt(seed: int) -> tuple[Decoder, Tensor]:
            decoder = generic(lambda: drawn.decoder, seed)
            features = tuple(random(seed + i, *f.shape) for i, f in enumerate(drawn.features))
            decoded: Decoded = decoder(features, LevelNoise(seed))
            total = (decoded.output * random(seed + 9, *decoded.output.shape)).sum()
            return decoder, total + sum(divergence(x, analytic=True).sum() for x in decoded.levels)

        dead = dead_parameters(attempt)
        assert not dead, f"no gradient reaches {', '.join(dead)}"

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_the_prior_generates_images_of_any_size(self, rank: int, data: st.DataObject) -> None:
        """Finite, the same for the same noise; a decoder without latents refuses with a ``SpecError``."""
        case = self.case(data, rank)
        factors = data.draw(st.tuples(*[st.integers(1, 3)] * rank))
        size = tuple(f * s for f, s in zip(factors, case.shapes[-1].stride, strict=True))

        def generated(seed: int) -> Tensor:
            with torch.no_grad():
                return case.decoder.generate(size, LevelNoise(seed), batch=3)

        if not case.decode(LevelNoise(1)).levels:
            with pytest.raises(SpecError):
                generated(1)
            return
        output = generated(1)
        assert output.shape == (3, MAPS, *size), f"images of the shape {tuple(output.shape)} come out"
        assert bool(output.isfinite().all()), "a generated image is not finite"
        assert_equal(generated(1), output, "the same noise generates another image")
        assert_differs(generated(2), output, "other noise generates the same image")
        assert_differs(output[:1], output[1:2], "all images of a batch are the same")

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_images_of_a_batch_do_not_mix(self, rank: int, data: st.DataObject) -> None:
        """In evaluation mode an image comes out the same with any other beside it."""
        case = self.case(data, rank)
        other = tuple(torch.cat([f[:1], random(5, *f[1:].shape)]) for f in case.features)
        one, two = case.decode(LevelNoise(1)).output, case.decode(LevelNoise(1), other).output
        assert_close(two[:1], one[:1], "an image depends on others of its batch")

    @in_two_and_three_dimensions
    @law(3)
    @given(data=st.data())
    def test_weights_survive_saving(self, rank: int, data: st.DataObject) -> None:
        """A new decoder with the saved state gives the same output."""
        case = self.case(data, rank)
        other = attrs.evolve(case, decoder=copied(case.decoder, case.new))
        again = other.decode(LevelNoise(1)).output
        assert_equal(
            again, case.decode(LevelNoise(1)).output, "the output is another after saving and loading"
        )
