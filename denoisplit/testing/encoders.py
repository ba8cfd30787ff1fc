"""Conformance suite for encoders."""

import functools
import math
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import attrs
import torch
from torch import Tensor

from denoisplit.core.network.interfaces import Encoder
from denoisplit.testing.network_laws.encoder_geometry import (
    apart_when_moved,
    places_seen,
    reach_around,
    sides_of,
)
from denoisplit.testing.network_laws.geometry import assert_there, assert_vanishes
from denoisplit.testing.network_laws.networks import LARGE, NetworkTests, Trial
from denoisplit.testing.seen_layers import whole
from denoisplit.testing.strategies import random
from denoisplit.testing.suite import (
    RANKS,
    accepted,
    assert_close,
    assert_differs,
    assert_equal,
    dead_parameters,
    generic,
    in_two_and_three_dimensions,
    takes,
)

_ATTEMPTS = 10

_LEVELS = "levels"
_CHANNELS = 2


class EncoderTests(NetworkTests):
    """Laws of encoders: shapes as declared, no dead parameter, shifts with the image, no hidden state."""

    kind: ClassVar[str] = "encoder"

    def encoder(self, options: Any, rank: int, seed: int = 0) -> Encoder:
        """Return an encoder of one mixed channel with random numbers, in evaluation mode, float64.

        All of a few channels may happen to be zero after rectification: then numbers are drawn again.
        """
        for attempt in range(_ATTEMPTS):
            made: Encoder = generic(
                lambda: whole(self.target()(options, spatial_rank=rank, in_channels=1)), seed + 100 * attempt
            )
            with torch.no_grad():
                one, two = (made(self.image(made, rank, (2,) * rank, seed + image)) for image in (3, 4))
            if not any(torch.allclose(f, g) for f, g in zip(one, two, strict=True)):
                break
        return made

    def encoders(self, rank: int) -> tuple[Encoder, ...]:
        """Return encoders with varied options, made once: no law changes them."""
        suite: Any = type(self)
        return kept_encoders(suite, self.target(), rank)

    def few(self, rank: int) -> tuple[Encoder, ...]:
        """Return encoders for laws of large images: for volumes, the simplest one only."""
        if rank == min(RANKS):
            return self.encoders(rank)
        return (accepted(lambda: self.trial_of(self.smallest(), rank)).module,)

    def trial_of(self, options: Any, rank: int) -> Trial:
        """Return an encoder with two images."""
        encoder = self.encoder(options, rank)
        return Trial(
            new=lambda: self.target()(options, spatial_rank=rank, in_channels=1),
            module=encoder,
            inputs=(self.image(encoder, rank, (2,) * rank, 6, batch=2),),
            run=lambda module, inputs: tuple(module(*inputs)),
        )

    def large_trial(self, rank: int) -> Trial:
        """Return an encoder with a long image."""
        encoder = self.encoder(self.smallest(), rank)
        sides = sides_of(encoder, rank, (8,) * rank)
        long = math.ceil(LARGE / math.prod(sides))
        image = random(7, 1, encoder.input_scales, *sides[:-1], sides[-1] * long)
        return attrs.evolve(self.trial_of(self.smallest(), rank), module=encoder, inputs=(image,))

    def image(
        self, encoder: Encoder, rank: int, factors: tuple[int, ...], seed: int, batch: int = 1
    ) -> Tensor:
        """Return a normalised image [b scales (z) y x], with sides that suit the encoder."""
        sides = sides_of(encoder, rank, factors)
        return random(seed, batch, encoder.input_scales, *sides)

    def test_it_takes_images_of_two_or_three_dimensions(self) -> None:
        """A component may refuse a number of dimensions, but not both."""
        options = self.smallest()
        assert any(takes(partial(self.encoder, options, rank)) for rank in RANKS), (
            "neither two nor three dimensions are taken"
        )

    @in_two_and_three_dimensions
    def test_features_have_the_declared_shapes(self, rank: int) -> None:
        """Channels, strides and extents are those of ``feature_shapes``, at every size."""
        for number, encoder in enumerate(self.encoders(rank)):
            factors = tuple((number + axis) % 3 + 1 for axis in range(rank))
            image = self.image(encoder, rank, factors, 0, batch=2)
            with torch.no_grad():
                features = encoder(image)
            shapes = encoder.feature_shapes
            assert len(features) == len(shapes), f"{len(features)} levels of features, {len(shapes)} declared"
            for level, (feature, shape) in enumerate(zip(features, shapes, strict=True)):
                expected = (2, shape.channels, *shape.size(tuple(image.shape[-len(shape.stride) :])))
                assert feature.shape == expected, (
                    f"features of level {level} have the shape {tuple(feature.shape)}, declared is {expected}"
                )
                assert bool(feature.isfinite().all()), f"features of level {level} are not finite"

    @in_two_and_three_dimensions
    def test_there_are_as_many_levels_as_the_options_say(self, rank: int) -> None:
        """An option ``levels``."""
        options = self.smallest()
        if not any(field.alias == _LEVELS for field in attrs.fields(type(options))):
            return
        for number in (1, 2, 3):
            changed = attrs.evolve(options, **{_LEVELS: number})
            build = partial(self.target(), changed, spatial_rank=rank, in_channels=1)
            if takes(build):
                found = len(build().feature_shapes)
                assert found == number, f"there are {found} levels of features instead of {number}"

    @in_two_and_three_dimensions
    def test_images_of_several_mixed_channels_are_taken(self, rank: int) -> None:
        """As ``in_channels`` says, in every scale; every one of them has an effect."""
        options = self.smallest()
        build = partial(self.target(), options, spatial_rank=rank, in_channels=_CHANNELS)
        if not takes(build):
            return

        def idle(encoder: Encoder) -> list[int]:
            image = random(4, 1, _CHANNELS * encoder.input_scales, *sides_of(encoder, rank, (2,) * rank))
            found = []
            with torch.no_grad():
                whole = _joined(encoder(image))
                for channel in range(image.shape[1]):
                    changed = image.clone()
                    changed[:, channel] += random(5, *changed.shape[2:])
                    found += [channel] if torch.equal(_joined(encoder(changed)), whole) else []
            return found

        # Rectified, the features of a random network may all be zero.
        always = set.intersection(*(set(idle(generic(build, seed))) for seed in range(_ATTEMPTS)))
        assert not always, f"mixed channels {sorted(always)} have no effect"

    @in_two_and_three_dimensions
    def test_strides_grow_from_the_finest_level(self, rank: int) -> None:
        """Level 0 is the finest, and every stride divides that of the next level."""
        for encoder in self.encoders(rank):
            shapes = encoder.feature_shapes
            assert len({len(shape.stride) for shape in shapes}) == 1, "levels have different numbers of axes"
            assert min(min(shape.stride + shape.extent) for shape in shapes) >= 1, (
                "a stride or extent is below 1"
            )
            for fine, coarse in pairwise(shapes):
                grows = all(c % f == 0 for f, c in zip(fine.stride, coarse.stride, strict=True))
                assert grows, f"the stride {coarse.stride} follows {fine.stride}"
                assert fine.stride != coarse.stride, f"two levels have the stride {fine.stride}"

    @in_two_and_three_dimensions
    def test_every_parameter_gets_a_gradient(self, rank: int) -> None:
        """No trainable parameter is without effect on the features."""
        for options in self.chosen(rank):

            def attempt(seed: int, of: Any = options) -> tuple[Encoder, Tensor]:
                encoder = self.encoder(of, rank, seed)
                features = encoder(self.image(encoder, rank, (4,) * rank, seed, batch=2))
                parts = [(f * random(seed + 1 + i, *f.shape)).sum() for i, f in enumerate(features)]
                return encoder, torch.stack(parts).sum()

            dead = dead_parameters(attempt)
            assert not dead, f"no gradient reaches {', '.join(dead)}"

    @in_two_and_three_dimensions
    def test_features_shift_with_the_image(self, rank: int) -> None:
        """Away from borders, an image moved by the total stride gives features moved by one position."""
        for encoder in self.few(rank):
            assert_vanishes(
                partial(apart_when_moved, encoder, rank), "the features of a shifted image are others"
            )

    @in_two_and_three_dimensions
    def test_borders_are_far_from_each_other(self, rank: int) -> None:
        """Pixels at the beginning of an axis have no effect on the features at its end."""
        for encoder in self.few(rank):
            for axis in range(len(encoder.feature_shapes[0].stride)):
                assert_vanishes(
                    partial(reach_around, encoder, rank, axis),
                    f"the beginning of axis {axis} has an effect on the features at its end",
                )

    @in_two_and_three_dimensions
    def test_features_look_at_their_own_place_in_every_scale(self, rank: int) -> None:
        """They depend on pixels around it: surrounds are centred, and nothing is rotated or swapped."""
        for encoder in self.few(rank):
            for level in range(len(encoder.feature_shapes)):
                for scale, found, expected in places_seen(encoder, rank, level):
                    assert_there(
                        found, expected, f"features of level {level} depend on what is in scale {scale}"
                    )

    @in_two_and_three_dimensions
    def test_the_same_image_gives_the_same_features(self, rank: int) -> None:
        """In evaluation mode nothing is drawn and nothing is remembered."""
        for encoder in self.encoders(rank):
            image = self.image(encoder, rank, (2,) * rank, 1)
            with torch.no_grad():
                first, second = encoder(image), encoder(image)
            for level, (one, two) in enumerate(zip(first, second, strict=True)):
                assert_equal(two, one, f"features of level {level} differ from call to call")

    @in_two_and_three_dimensions
    def test_images_of_a_batch_do_not_mix(self, rank: int) -> None:
        """In evaluation mode an image has the same features alone and in a batch."""
        for encoder in self.encoders(rank):
            image = self.image(encoder, rank, (2,) * rank, 2, batch=3)
            with torch.no_grad():
                together, alone = encoder(image), encoder(image[1:2])
            for level, (one, two) in enumerate(zip(together, alone, strict=True)):
                assert_close(two, one[1:2], f"features of level {level} depend on other images of the batch")

    @in_two_and_three_dimensions
    def test_every_level_sees_every_scale_and_plane(self, rank: int) -> None:
        """No level ignores the image, and no scale or outer plane of it is ignored by all levels."""
        for encoder in self.encoders(rank):
            image = self.image(encoder, rank, (4,) * rank, 3)
            other = self.image(encoder, rank, (4,) * rank, 4)
            with torch.no_grad():
                before = encoder(image)
                for level, (one, two) in enumerate(zip(before, encoder(other), strict=True)):
                    assert_differs(one, two, f"level {level} does not see the image")
                for scale in range(encoder.input_scales):
                    changed = image.clone()
                    changed[:, scale] = other[:, scale]
                    assert_differs(_joined(encoder(changed)), _joined(before), f"scale {scale} is not seen")
                for plane in (0, -1):
                    changed = image.clone()
                    changed[:, :, plane] = other[:, :, plane]
                    where = "first" if plane == 0 else "last"
                    assert_differs(
                        _joined(encoder(changed)), _joined(before), f"the {where} plane is not seen"
                    )


@functools.lru_cache(maxsize=8)
def kept_encoders(suite: Any, _target: type, rank: int) -> tuple[Encoder, ...]:
    """Return the encoders of ``encoders``."""
    tests: EncoderTests = suite()
    return tuple(tests.encoder(options, rank) for options in tests.chosen(rank))


def _joined(features: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([feature.flatten() for feature in features])
