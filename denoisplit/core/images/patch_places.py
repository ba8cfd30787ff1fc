"""Places of training patches, as a pure function of (seed, step)."""

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.foreground import ForegroundPixels
from denoisplit.core.images.image_checks import check_channels
from denoisplit.core.images.turns import TURNS

_PARTNERS: Final = 3
_FOREGROUND: Final = 4
_SHUFFLE: Final = 5


@attrs.frozen
class Place:
    """Place of one patch: number and sides of its field, first pixel, number of its turn."""

    field: int
    sides: tuple[int, ...]
    corner: tuple[int, ...]
    turn: int


Places = tuple[Place, ...]
"""Places of one training sample: one for all channels, or one for every channel."""


class PlaceDrawer:
    """Random choice of places; every position of every field is equally likely, the last one included.

    Args:
        fields: fields to cut patches from, at least one. If their channels are ``separate``, every channel of
            a sample gets its own place, in any field.
        patch: sides of a patch along (z) y x, pixels.
        foreground: share of the places that are centred, as far as borders allow, on a foreground pixel: of
            the channel itself if channels are separate, else of any channel, each as often.
        turns: number of ways to change a patch.
        shuffle: share of the samples in which every channel gets its own place, in any field.

    Raises:
        ImageError: no field, a field smaller than a patch or of another dimension, or fields of which only
            some have separate channels.
        ChannelCountError: fields with different numbers of channels.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        patch: tuple[int, ...],
        *,
        foreground: float = 0.0,
        turns: int = TURNS,
        shuffle: float = 0.0,
    ) -> None:
        if not fields:
            raise ImageError(
                "patches: there is no field to draw from (got 0). Give at least one training field."
            )
        self._channels = fields[0].observed.shape[0]
        for field in fields:
            _check(field, patch, self._channels)
        self.separate = _separate(fields)
        self._patch, self._share, self._turns = patch, foreground, turns
        self._shuffle = 0.0 if self.separate or self._channels == 1 else shuffle
        self._pixels = ForegroundPixels(fields) if foreground else None
        self._sides = tuple(field.observed.shape[1:] for field in fields)
        self._grids = tuple(
            tuple(side - p + 1 for side, p in zip(sides, patch, strict=True)) for sides in self._sides
        )
        self._ends = np.cumsum([int(np.prod(grid, dtype=np.int64)) for grid in self._grids])

    def draw(self, batch: int, stream: Callable[[int], np.random.Generator]) -> list[Places]:
        """Draw the places of one step.

        Args:
            batch: number of samples.
            stream: function from a purpose to the generator of this step for it; 0 draws the first places.
        """
        rng = stream(0)
        positions = rng.integers(self._ends[-1], size=(batch, 1))
        turns = rng.integers(self._turns, size=(batch, 1))
        # Further draws have streams of their own, so that an option never changes the draws without it.
        if self.separate and self._channels > 1:
            partners = stream(_PARTNERS)
            others = (batch, self._channels - 1)
            positions = np.hstack([positions, partners.integers(self._ends[-1], size=others)])
            turns = np.hstack([turns, partners.integers(self._turns, size=others)])
        places = [
            tuple(self._place(int(p), int(turn)) for p, turn in zip(own, turned, strict=True))
            for own, turned in zip(positions, turns, strict=True)
        ]
        found = self._on_foreground(places, stream)
        return self._shuffled(found, stream(_SHUFFLE)) if self._shuffle else found

    def _shuffled(self, places: list[Places], rng: np.random.Generator) -> list[Places]:
        """Draw a place for every channel; in samples that are not shuffled, all channels keep theirs."""
        size = (len(places), self._channels)
        # Draw everything first, used or not, so that no sample shifts the draws of the next.
        chances = rng.random(len(places))
        positions, turns = rng.integers(self._ends[-1], size=size), rng.integers(self._turns, size=size)
        draws = rng.random((*size, 2))
        return [
            own * self._channels
            if chances[sample] >= self._shuffle
            else tuple(
                self._moved(
                    self._place(int(positions[sample, channel]), int(turns[sample, channel])),
                    channel,
                    *map(float, draws[sample, channel]),
                )
                for channel in range(self._channels)
            )
            for sample, own in enumerate(places)
        ]

    def _place(self, position: int, turn: int) -> Place:
        number = int(np.searchsorted(self._ends, position, side="right"))
        within = position - (int(self._ends[number - 1]) if number else 0)
        corner = np.unravel_index(within, self._grids[number])
        return Place(number, self._sides[number], tuple(int(c) for c in corner), turn)

    def _on_foreground(
        self, places: list[Places], stream: Callable[[int], np.random.Generator]
    ) -> list[Places]:
        """Move some of the places to the foreground; their turns stay."""
        if self._pixels is None:
            return places
        # Draw everything first, used or not, so that no sample shifts the draws of the next.
        draws = stream(_FOREGROUND).random((len(places), len(places[0]), 3))
        return [
            tuple(
                self._moved(
                    place,
                    channel if self.separate else int(draw[1] * self._channels),
                    float(draw[0]),
                    float(draw[2]),
                )
                for channel, (place, draw) in enumerate(zip(own, drawn, strict=True))
            )
            for own, drawn in zip(places, draws, strict=True)
        ]

    def _moved(self, place: Place, channel: int, chance: float, pixel: float) -> Place:
        if self._pixels is None or chance >= self._share:
            return place
        found = self._pixels.pixel(channel, pixel)
        if found is None:
            return place
        number, centre = found
        corner = tuple(
            min(max(c - p // 2, 0), grid - 1)
            for c, p, grid in zip(centre, self._patch, self._grids[number], strict=True)
        )
        return Place(number, self._sides[number], corner, place.turn)


def _separate(fields: Sequence[Field]) -> bool:
    """Whether the channels of the fields show different places."""
    separate = [field for field in fields if field.separate]
    if separate and len(separate) < len(fields):
        raise ImageError(
            f"data: the channels of {len(separate)} of {len(fields)} fields come from different places "
            f"(field {separate[0].name!r} does). Give only such fields, or none."
        )
    for field in separate:
        if field.mixed is not None:
            raise ImageError(
                f"field {field.name!r}: it has a recorded mixed image, but its channels come from different "
                f"places. Leave the mixed image out, or give channels of the same place."
            )
    return bool(separate)


def _check(field: Field, patch: tuple[int, ...], channels: int) -> None:
    where = f"field {field.name!r}"
    spatial = field.observed.shape[1:]
    check_channels(field.observed.shape[0], channels, where, "Give all fields the same channels.")
    if len(spatial) != len(patch):
        raise ImageError(
            f"{where}: a {len(patch)}D model needs {len(patch)} spatial axes (got shape {spatial}). "
            f"Set model.dimensions to {len(spatial)}, or let the data set give {len(patch)}D fields."
        )
    if any(side < p for side, p in zip(spatial, patch, strict=True)):
        raise ImageError(
            f"{where}: smaller than a patch of {patch} pixels (got {spatial}). "
            f"Lower training.patch to {min(spatial)} or less, or leave this field out."
        )
