"""Random training patches as a pure function of (seed, step)."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.checks import check_channels
from denoisplit.core.images.interfaces import Field, FloatArray
from denoisplit.core.images.mixing import Mixing, mix


@attrs.frozen(kw_only=True)
class Batch:
    """Patches of one training step, counts.

    Attributes:
        mixed: superimposed patches [b 1 (z) y x].
        targets: noisy target channels [b c (z) y x].
    """

    mixed: FloatArray = attrs.field(eq=False, repr=False)
    targets: FloatArray = attrs.field(eq=False, repr=False)


class PatchSampler:
    """Draws patches of fields; has no state, so that any step can be drawn at any time, in any process.

    Every position of every field is equally likely, the last one included. With ``augment``, each patch is
    turned by a multiple of 90 degrees in (y, x) and mirrored at random, all its channels alike; patches that
    are not square are turned by multiples of 180 degrees.

    Args:
        fields: training fields; the noisy channels are drawn from.
        patch: sides of a patch along (z) y x, pixels.
        batch: patches per step.
        seed: of all draws.
        augment: turn and mirror patches.
        mixing: how the mixed image is made from the channels.

    Raises:
        ImageError: no field, a field smaller than a patch, or of another dimension.
        ChannelCountError: fields with different numbers of channels.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        *,
        patch: tuple[int, ...],
        batch: int,
        seed: int,
        augment: bool,
        mixing: Mixing,
    ) -> None:
        if not fields:
            raise ImageError(
                "patches: there is no field to draw from (got 0). Give at least one training field."
            )
        for field in fields:
            _check(field, patch, fields[0].observed.shape[0])
        self._images = tuple(field.observed for field in fields)
        self._patch, self._batch, self._seed, self._augment, self._mixing = (
            patch,
            batch,
            seed,
            augment,
            mixing,
        )
        self._grids = tuple(
            tuple(side - p + 1 for side, p in zip(image.shape[1:], patch, strict=True))
            for image in self._images
        )
        self._ends = np.cumsum([int(np.prod(grid, dtype=np.int64)) for grid in self._grids])

    def batch(self, step: int) -> Batch:
        """The patches of a training step.

        Args:
            step: training step, 0 or more; the same step always gives the same patches.
        """
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((self._seed, step))))
        positions = rng.integers(self._ends[-1], size=self._batch)
        turns = rng.integers(8, size=self._batch)
        channels = self._images[0].shape[0]
        targets = np.empty((self._batch, channels, *self._patch), dtype=np.float32)
        for item, (position, turn) in enumerate(zip(positions, turns, strict=True)):
            crop = self._crop(int(position))
            targets[item] = self._turned(crop, int(turn)) if self._augment else crop
        return Batch(mixed=mix(targets, self._mixing, axis=1), targets=targets)

    def _crop(self, position: int) -> FloatArray:
        number = int(np.searchsorted(self._ends, position, side="right"))
        within = position - (int(self._ends[number - 1]) if number else 0)
        corner = np.unravel_index(within, self._grids[number])
        window = tuple(slice(int(c), int(c) + p) for c, p in zip(corner, self._patch, strict=True))
        return self._images[number][(slice(None), *window)]

    def _turned(self, crop: FloatArray, turn: int) -> FloatArray:
        quarters, mirrored = turn // 2, turn % 2
        if self._patch[-1] != self._patch[-2]:
            quarters -= quarters % 2
        # A compact copy first: turning a window of a large image in place jumps through memory.
        turned = np.rot90(crop.copy(), quarters, axes=(-2, -1))
        return turned[..., ::-1] if mirrored else turned


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
