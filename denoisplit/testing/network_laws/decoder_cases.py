"""Test cases for decoders: drawn options, with features that the decoder accepts."""

import functools
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import attrs
from torch import Tensor

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import Decoder, FeatureShape
from denoisplit.testing.network_laws.decoding import (
    BATCH,
    DecoderCase,
    LevelNoise,
    decoder_case,
    training_patch,
)
from denoisplit.testing.network_laws.networks import LARGE, NetworkTests, Trial
from denoisplit.testing.seen_layers import whole
from denoisplit.testing.strategies import feature_pyramids

MAPS = 3
"""Number of output maps of the decoders under examination."""

_FULL = 1
"""Index of a pyramid whose finest features have the size of the image."""


class DecoderCases(NetworkTests):
    """Decoders to examine."""

    kind: ClassVar[str] = "decoder"

    def pyramids(self, rank: int) -> tuple[tuple[FeatureShape, ...], ...]:
        """Return features to decode; those that the decoder refuses with a ``SpecError`` are passed over."""
        return feature_pyramids(rank)

    def new(self, options: Any, shapes: tuple[FeatureShape, ...]) -> Decoder:
        """Return a decoder as the composer makes it."""
        patch = training_patch(shapes)
        made: Decoder = self.target()(options, feature_shapes=shapes, out_maps=MAPS, patch=patch)
        return whole(made)

    def cases(self, rank: int, *, patches: int = 1) -> tuple[DecoderCase, ...]:
        """Return decoders with varied options, for an image of ``patches`` training patches a side.

        They are made once: a law that changes one changes a copy.
        """
        suite: Any = type(self)
        return kept_cases(suite, self.target(), rank, patches)

    def taken(self, options: Any, rank: int, first: int = 0, patches: int = 1) -> DecoderCase:
        """Return a decoder for the first features that it accepts, from the pyramid ``first`` on.

        Raises:
            SpecError: it accepts none with this number of axes; the message begins with ``model.dimensions``.
        """
        pyramids, refused = self.pyramids(rank), ""
        first %= len(pyramids)
        for shapes in (*pyramids[first:], *pyramids[:first]):
            try:
                return decoder_case(partial(self.new, options, shapes), shapes, patches=patches)
            except SpecError as error:
                refused = refused or str(error)
        if options == self.smallest():
            raise SpecError([f"model.dimensions: no features with {rank} axes are taken ({refused})."])
        raise SpecError([refused])

    def trial_of(self, options: Any, rank: int) -> Trial:
        """Return a decoder with features of the simplest pyramid that it accepts, as a network."""
        return _trial(self.taken(options, rank))

    def large_trial(self, rank: int) -> Trial:
        """Return a decoder with features of a long image at full size, whose prediction is compared, too."""
        small = self.taken(self.smallest(), rank, _FULL)
        long = math.ceil(LARGE / BATCH / small.shapes[0].channels / math.prod(small.image))
        case = decoder_case(small.new, small.shapes, patches=(1,) * (len(small.image) - 1) + (long,))

        def run(decoder: Decoder, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
            return (*case.maps(decoder, features), decoder.sample(tuple(features), LevelNoise(1)))

        return attrs.evolve(_trial(case), run=run)

    def different_trials(self, options: Any, rank: int) -> list[Trial]:
        """Return decoders for the simplest pyramid, and for the one with the most levels."""
        levels = [len(shapes) for shapes in self.pyramids(rank)]
        deepest = levels.index(max(levels))
        return [_trial(self.taken(options, rank, first)) for first in (0, deepest)]


@functools.lru_cache(maxsize=8)
def kept_cases(suite: Any, _target: type, rank: int, patches: int) -> tuple[DecoderCase, ...]:
    """Return the decoders of ``cases``, each with other features."""
    tests: DecoderCases = suite()
    chosen = enumerate(tests.chosen(rank))
    return tuple(tests.taken(one, rank, 3 * number + rank, patches) for number, one in chosen)


def _trial(case: DecoderCase) -> Trial:
    return Trial(new=case.new, module=case.decoder, inputs=case.features, run=case.maps)
