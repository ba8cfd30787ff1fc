"""A suffix that several formats claim."""

from pathlib import Path

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, ImageFormat


class DisputedFormat(ImageFormat):
    """Stands before the formats that claim one suffix: a file of that name is refused, naming them."""

    def __init__(self, suffix: str, reason: str, *, holds_several: bool) -> None:
        self.suffixes = (suffix,)
        self.reason = reason
        self.holds_several = holds_several

    def refusal(self, path: Path) -> ImageError:
        """The error for a file of this suffix."""
        return ImageError(f"{path}: {self.reason}")

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Never opens anything."""
        del axes
        raise self.refusal(path)

    def write(self, path: Path, image: Image) -> None:
        """Never writes anything."""
        del image
        raise self.refusal(path)
