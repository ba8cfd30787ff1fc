"""The shape of the features that an encoder hands to a decoder."""

import attrs


@attrs.frozen
class FeatureShape:
    """What a decoder must know of the features of one level.

    Attributes:
        channels: number of feature channels.
        stride: pixels of the mixed image per feature position, one number per spatial axis.
        extent: the map covers this many times the image along every axis, centred on it; more than once
            with lateral context.
    """

    channels: int
    stride: tuple[int, ...]
    extent: tuple[int, ...] = attrs.field()

    @extent.default
    def _image(self) -> tuple[int, ...]:
        return (1,) * len(self.stride)

    def size(self, image: tuple[int, ...]) -> tuple[int, ...]:
        """Positions per axis of the map of an image with these sides, in pixels."""
        return tuple(n * e // s for n, e, s in zip(image, self.extent, self.stride, strict=True))
