"""The shape of the features that an encoder hands to a decoder."""

import attrs


@attrs.frozen
class FeatureShape:
    """Properties of one level's features that a decoder needs.

    Attributes:
        channels: number of feature channels.
        stride: pixels of the mixed image per feature position, one number per spatial axis.
        extent: how many times the map covers the image along every axis, centred on it; more than once with
            lateral context.
    """

    channels: int
    stride: tuple[int, ...]
    extent: tuple[int, ...] = attrs.field()

    @extent.default
    def _image(self) -> tuple[int, ...]:
        return (1,) * len(self.stride)

    def size(self, image: tuple[int, ...]) -> tuple[int, ...]:
        """Positions per axis of the map of an image with these sides, pixels."""
        return tuple(n * e // s for n, e, s in zip(image, self.extent, self.stride, strict=True))
