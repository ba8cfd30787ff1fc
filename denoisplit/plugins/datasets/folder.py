"""A folder of image files."""

import re
from pathlib import Path
from typing import Literal, final

import attrs
import numpy as np
from attrs.validators import ge, in_

from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.checks import check_channels, check_pixels
from denoisplit.core.images.interfaces import Dataset, Field, FloatArray, ImageFormat
from denoisplit.core.images.io import Planes, iterate_planes, open_image
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from denoisplit.plugins.image_formats.tiff import Tiff


@final
class Folder(Dataset):
    """One multi-channel TIFF or OME-TIFF file per field, with clean references beside them or not.

    Positions along time (and along depth, for 2D fields) become fields of their own.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Where the images are.

        Attributes:
            path: the folder.
            observed: pattern of the noisy images, relative to the folder.
            clean: pattern of the clean references; empty for none. Files are partners when their first ``*``
                stands for the same text, for example ``*_noisy.tif`` and ``*_clean.tif``.
            channel_index: which channels of a file are those of the spec, in their order; empty for all.
            axes: overrides what the files say about their axes, for example ``cyx``.
            dimensions: spatial axes of a field, 2 or 3; 0 takes 3 where files have a ``z`` axis.
            limit: number of files to use; 0 for all.
        """

        path: Path = attrs.field(converter=Path)
        observed: str = "*.tif*"
        clean: str = ""
        channel_index: tuple[int, ...] = ()
        axes: str = ""
        dimensions: Literal[0, 2, 3] = attrs.field(default=0, validator=in_((0, 2, 3)))
        limit: int = attrs.field(default=0, validator=ge(0))

    def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
        self.options, self.channels = options, channels
        self._formats: tuple[ImageFormat, ...] = (OmeTiff(OmeTiff.Options()), Tiff(Tiff.Options()))

    def fields(self) -> tuple[Field, ...]:
        """All fields, in natural order of the file names (``f2`` before ``f10``); float32 counts.

        Raises:
            ImageError: no folder, no matching file, no clean partner or one of another shape, or bad pixels.
            ChannelCountError: a file has other channels than the spec names.
        """
        pairs = self._pairs()
        fields: list[Field] = []
        for observed, clean in pairs[: self.options.limit or None]:
            fields += self._read(observed, clean)
        return tuple(fields)

    def _pairs(self) -> list[tuple[Path, Path | None]]:
        folder, options = self.options.path, self.options
        if not folder.is_dir():
            raise ImageError(f"{folder}: there is no such folder. Check the path.")
        clean = self._by_key(options.clean) if options.clean else {}
        references = set(clean.values())
        observed = [file for file in self._files(options.observed) if file not in references]
        if not observed:
            raise ImageError(
                f"{folder}: no file matches (got observed={options.observed!r}). Correct path or pattern."
            )
        if not options.clean:
            return [(file, None) for file in observed]
        pairs: list[tuple[Path, Path | None]] = []
        for file in observed:
            key = self._key(file, options.observed)
            if key not in clean:
                expected = options.clean.replace("*", key, 1)
                raise ImageError(
                    f"{file}: it has no clean partner (expected {expected!r} in {folder}). "
                    f"Add it, or correct observed={options.observed!r} or clean={options.clean!r}."
                )
            pairs.append((file, clean[key]))
        return pairs

    def _files(self, pattern: str) -> list[Path]:
        found = (file for file in self.options.path.glob(pattern) if file.is_file())
        return sorted(found, key=lambda file: _natural(file.relative_to(self.options.path).as_posix()))

    def _by_key(self, pattern: str) -> dict[str, Path]:
        partners: dict[str, Path] = {}
        for file in self._files(pattern):
            first = partners.setdefault(self._key(file, pattern), file)
            if first != file:
                raise ImageError(
                    f"{file}: it serves the same field as {first.name} (got clean={pattern!r}). "
                    f"Make the pattern match one file per field."
                )
        return partners

    def _key(self, file: Path, pattern: str) -> str:
        """What the first ``*`` of the pattern stands for in this file."""
        wild = {"**/": "(?:.*/)?", "**": ".*", "*": "([^/]*)", "?": "[^/]"}
        parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
        expression = "".join(wild.get(part) or re.escape(part) for part in parts)
        found = re.fullmatch(expression, file.relative_to(self.options.path).as_posix())
        return found.group(1) if found and found.lastindex else ""

    def _read(self, observed: Path, clean: Path | None) -> list[Field]:
        noisy = self._planes(observed)
        reference = None if clean is None else self._planes(clean)
        if reference is not None and reference.shape != noisy.shape:
            raise ImageError(
                f"{clean}: expected positions {noisy.shape} (got {reference.shape}). Check the file."
            )
        references = [None] * len(noisy) if reference is None else [pixels for _, pixels in reference]
        name = observed.relative_to(self.options.path).as_posix()
        fields = []
        for (index, pixels), partner in zip(noisy, references, strict=True):
            place = "".join(f" {letter}={i}" for letter, i in zip(noisy.leading, index, strict=True))
            signal = None if partner is None else self._channels(partner, f"{clean}{place}")
            fields.append(
                Field(
                    name=f"{name}{place}",
                    observed=self._channels(pixels, f"{observed}{place}"),
                    clean=signal,
                    pixel_size=noisy.pixel_size,
                )
            )
            if signal is not None and signal.shape != fields[-1].observed.shape:
                raise ImageError(
                    f"{clean}{place}: expected the shape of {observed.name}, {fields[-1].observed.shape} "
                    f"(got {signal.shape}). Crop or replace it."
                )
        return fields

    def _planes(self, path: Path) -> Planes:
        image = open_image(path, self._formats, self.options.axes or None)
        return iterate_planes(image, self.options.dimensions or (3 if "z" in image.axes else 2))

    def _channels(self, pixels: FloatArray, where: str) -> FloatArray:
        index = self.options.channel_index
        if not index:
            named = ", ".join(self.channels)
            advice = (
                f"Choose with channel_index which channels of the file are {named}, or correct axes."
                if pixels.shape[0] > len(self.channels)
                else f"Name only channels that the file has (the spec names {named}), or correct axes."
            )
            check_channels(pixels.shape[0], len(self.channels), where, advice)
        else:
            advice = f"Give channel_index one entry for each of {', '.join(self.channels)}."
            check_channels(len(index), len(self.channels), "channel_index", advice)
            if max(index) >= pixels.shape[0] or min(index) < 0:
                raise ChannelCountError(
                    f"{where}: the file has channels 0 to {pixels.shape[0] - 1} (got channel_index={index}). "
                    f"Correct channel_index or axes."
                )
            pixels = np.ascontiguousarray(pixels[list(index)])
        for name, channel in zip(self.channels, pixels, strict=True):
            check_pixels(channel, f"{where}, channel {name!r}")
        return pixels


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorting key under which numbers inside text sort by value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]
