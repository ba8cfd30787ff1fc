"""Selection of files that are images of their own: neither parts nor pictures of another image."""

from collections.abc import Sequence
from pathlib import Path

from denoisplit.core.images.bases import ImageFormat


def own_images(files: Sequence[Path], formats: Sequence[ImageFormat]) -> list[Path]:
    """Keep one file for every image in several, and no pictures beside images of the same name."""
    there = set(files)
    known = {file: found for file in files if (found := _format_of(file, formats)) is not None}
    shown = {_stem(file, known[file]) for file in known if not known[file].for_display}

    def is_own(file: Path) -> bool:
        image_format = known.get(file)
        if image_format is None:
            return True
        if image_format.for_display and _stem(file, image_format) in shown:
            return False
        first = image_format.first_of_set(file)
        return first == file or first not in there

    return [file for file in files if is_own(file)]


def _format_of(file: Path, formats: Sequence[ImageFormat]) -> ImageFormat | None:
    fitting = [(len(suffix), -i) for i, one in enumerate(formats) for suffix in _endings(file, one)]
    return formats[-max(fitting)[1]] if fitting else None


def _stem(file: Path, image_format: ImageFormat) -> Path:
    return file.with_name(file.name[: -max(map(len, _endings(file, image_format)))])


def _endings(file: Path, image_format: ImageFormat) -> list[str]:
    return [suffix for suffix in image_format.suffixes if file.name.lower().endswith(suffix)]
