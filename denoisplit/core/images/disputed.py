"""Refusal of files whose suffix several formats claim."""

from pathlib import Path

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image, ImageFormat


class DisputedFormat(ImageFormat):
    """Placeholder of formats that claim the same suffix: refuses files of this suffix, naming the formats."""

    def __init__(self, suffix: str, reason: str, *, holds_several: bool) -> None:
        self.suffixes = (suffix,)
        self.reason = reason
        self.holds_several = holds_several

    def refusal(self, path: Path) -> ImageError:
        """Build the error for a file of this suffix."""
        return ImageError(f"{path}: {self.reason}")

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Refuse to open the file."""
        del axes
        raise self.refusal(path)

    def write(self, path: Path, image: Image) -> None:
        """Refuse to write the file."""
        del image
        raise self.refusal(path)
