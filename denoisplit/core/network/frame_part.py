"""The part of a camera frame that an image shows."""

from typing import Self

import attrs


@attrs.frozen
class FramePart:
    """A rectangle of a camera frame, pixels along y and x.

    Attributes:
        frame: sides of the recorded image.
        origin: first pixel of the part.
        sides: sides of the part.
    """

    frame: tuple[int, int]
    origin: tuple[int, int]
    sides: tuple[int, int]

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Self:
        """The whole of an image [... y x] of this shape."""
        sides = (int(shape[-2]), int(shape[-1]))
        return cls(sides, (0, 0), sides)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the part in the frame, along y and x."""
        (y, x), (rows, columns) = self.origin, self.sides
        return slice(y, y + rows), slice(x, x + columns)

    def window(self, start: tuple[int, ...], shape: tuple[int, ...]) -> Self:
        """The part of this part that begins at pixel ``start`` [... y x] and has the sides in ``shape``."""
        y, x = self.origin
        return type(self)(
            self.frame, (y + int(start[-2]), x + int(start[-1])), (int(shape[-2]), int(shape[-1]))
        )
