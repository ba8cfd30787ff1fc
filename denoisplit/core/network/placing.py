"""The levels of the encoder to which a decoder's latents belong.

A decoder asks the noise source for the noise of a level by its number, which identifies the level.
"""

import attrs
from torch import Tensor

from denoisplit.core.errors import PluginError
from denoisplit.core.network.interfaces import Decoded, Decoder, Features, Window
from denoisplit.core.network.latent import Level
from denoisplit.core.network.noise_source import NoiseSource


@attrs.frozen
class _Listening(NoiseSource):
    """The noise of another source; records the levels that it was asked for."""

    source: NoiseSource
    asked: list[int] = attrs.field(factory=list)

    def normal(self, level: int, like: Tensor) -> Tensor:
        self.asked.append(level)
        return self.source.normal(level, like)


def decode(decoder: Decoder, features: Features, noise: NoiseSource, window: Window = ()) -> Decoded:
    """Run a decoder; its latents get the numbers of their levels of the encoder.

    Raises:
        PluginError: there are fewer latents than levels, and a latent has the positions of no level of the
            encoder, or of another level than its noise was asked for.
    """
    heard = _Listening(noise)
    decoded: Decoded = decoder(features, heard, window=window)
    if len(decoded.levels) in (0, len(features)):
        return decoded
    levels = decoded.levels
    numbers = sorted(set(heard.asked))
    if len(numbers) != len(levels):
        numbers = _by_size(levels, features)
    if [_size(features, number) for number in numbers] != [tuple(x.sample.shape[2:]) for x in levels]:
        found = [list(level.sample.shape[2:]) for level in levels]
        raise PluginError(
            f"decoder {type(decoder).__name__}: a latent has the positions of no level of the encoder, or of "
            f"another level than its noise was asked for (got {found} with noise of levels {heard.asked} "
            f"for {[list(f.shape[2:]) for f in features]}). Give latents of some of its levels, finest "
            f"first, and ask for their noise by the number of the level."
        )
    placed = (
        attrs.evolve(level, index=number, hierarchy=len(features))
        for level, number in zip(levels, numbers, strict=True)
    )
    return attrs.evolve(decoded, levels=tuple(placed))


def _size(features: Features, number: int) -> tuple[int, ...] | None:
    return tuple(features[number].shape[2:]) if 0 <= number < len(features) else None


def _by_size(levels: tuple[Level, ...], features: Features) -> list[int]:
    """The first levels of these sizes, in the same order; too few numbers if sizes do not match."""
    numbers, left = list[int](), list(range(len(features)))
    for level in levels:
        size = tuple(level.sample.shape[2:])
        while left and _size(features, left[0]) != size:
            left.pop(0)
        if left:
            numbers.append(left.pop(0))
    return numbers
