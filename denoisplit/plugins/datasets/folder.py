"""A folder of image files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import final

import attrs
from attrs.validators import ge

from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.bases import Field, FieldFile
from denoisplit.core.images.derived_images import channel_of, first_of, stacked
from denoisplit.core.images.image_checks import check_channels, check_frames
from denoisplit.core.images.io import Planes
from denoisplit.core.images.lazy import LazyArray
from denoisplit.plugins.datasets.channel_order import told_orders
from denoisplit.plugins.datasets.files import AxesOptions, ImageFileDataset
from denoisplit.plugins.datasets.reading import key_of, partner, places, require_folder


@attrs.frozen(kw_only=True)
class _Files:
    """The files of one field (or of several, along time and depth)."""

    observed: Path
    clean: Path | None
    mixed: Path | None


@final
class Folder(ImageFileDataset):
    """One multi-channel image file per field, in any format, with or without clean references.

    By default the mixed image is made of the channels; ``mixed`` names files in which it was recorded.

    Positions along time (and along depth, for 2D fields) become fields of their own.
    """

    @attrs.frozen(kw_only=True)
    class Options(AxesOptions):
        """Where the images are.

        Attributes:
            observed: pattern of the noisy images, relative to the folder: ``*.ome.zarr``, ``*.h5::raw``.
            clean: pattern of the clean references; empty for none. Files are partners when the first ``*`` of
                their patterns stands for the same text, as in ``*_noisy.tif`` and ``*_clean.tif``.
            mixed: pattern of recorded mixed images of one channel, partners of the noisy images like the
                clean ones; empty to make the mixed image of the channels.
            channel_index: which channels of a file are those of the spec, in their order; empty for all.
            limit: number of files to use; 0 for all.
        """

        observed: str = "*.tif*"
        clean: str = ""
        mixed: str = ""
        channel_index: tuple[int, ...] = ()
        limit: int = attrs.field(default=0, validator=ge(0))

    options: Options

    def fields(self) -> tuple[Field, ...]:
        """All fields, in natural order of the file names (``f2`` before ``f10``); float32 counts."""
        fields: list[Field] = []
        for matched in self._limited():
            fields += self._read(matched)
        return tuple(fields)

    def remarks(self) -> tuple[str, ...]:
        """Files that name their channels in another order; reads the files, if there are several channels."""
        if len(self.channels) == 1:
            return ()
        files = [file for one in self._limited() for file in (one.observed, one.clean) if file is not None]
        return told_orders({file: self._names(self._planes(file)) for file in files}, self.channels)

    def _names(self, planes: Planes) -> tuple[str, ...]:
        """Names of the channels that are taken, as their file has them; empty if it has none."""
        names, index = planes.image.channel_names, self.options.channel_index
        return tuple(names[one] for one in index if one < len(names)) if index else names

    def _limited(self) -> list[_Files]:
        return self._matched()[: self.options.limit or None]

    def _matched(self) -> list[_Files]:
        folder, options = self.options.path, self.options
        require_folder(folder)
        clean = self.images.by_key(folder, options.clean, "clean")
        mixed = self.images.by_key(folder, options.mixed, "mixed")
        partners = {*clean.values(), *mixed.values()}
        observed = [file for file in self.images.matching(folder, options.observed) if file not in partners]
        if not observed:
            raise ImageError(
                f"{folder}: no file matches (got observed={options.observed!r}). Correct path or pattern."
                f"{self.images.others(folder, options.observed)}"
            )
        return [
            _Files(
                observed=file,
                clean=self._partner(file, "clean", options.clean, clean),
                mixed=self._partner(file, "mixed", options.mixed, mixed),
            )
            for file in observed
        ]

    def _partner(self, file: Path, kind: str, pattern: str, partners: Mapping[str, Path]) -> Path | None:
        if not pattern:
            return None
        key = key_of(file, self.options.path, self.options.observed)
        return partner(file, key, partners, kind, pattern)

    def _read(self, matched: _Files) -> list[Field]:
        noisy = self._planes(matched.observed)
        found = places(noisy)
        observed = [
            self._channels(pixels, f"{matched.observed}{place}")
            for pixels, place in zip(self.images.arrays(noisy), found, strict=True)
        ]
        _check(observed, matched.observed, found, self.channels)
        shapes = [pixels.shape for pixels in observed]
        clean = self._beside(matched.clean, noisy, found, self._channels, shapes)
        mixed = self._beside(matched.mixed, noisy, found, _one_channel, [(1, *shape[1:]) for shape in shapes])
        named = (("observed", matched.observed), ("clean", matched.clean), ("mixed", matched.mixed))
        read = tuple(
            FieldFile(
                path=str(path),
                role=role,
                dtype=str(noisy.image.data.dtype) if role == "observed" else "",
                lossy=noisy.image.lossy if role == "observed" else "",
            )
            for role, path in named
            if path is not None
        )
        name = matched.observed.relative_to(self.options.path).as_posix()
        return [
            Field(
                name=f"{name}{place}",
                observed=pixels,
                clean=signal,
                mixed=superimposed,
                pixel_size=noisy.pixel_size,
                files=read,
            )
            for place, pixels, signal, superimposed in zip(found, observed, clean, mixed, strict=True)
        ]

    def _beside(
        self,
        path: Path | None,
        noisy: Planes,
        positions: Sequence[str],
        take: Callable[[LazyArray, str], LazyArray],
        shapes: Sequence[tuple[int, ...]],
    ) -> list[LazyArray] | list[None]:
        """The arrays of a partner, one of the given shape per position; None everywhere without a partner.

        A clean partner may have one array for all positions.
        """
        if path is None:
            return [None] * len(positions)
        partner = self._planes(path)
        if len(partner) == 1 < len(noisy) and take == self._channels:
            # Frames of one position that share a reference.
            (only,) = self._taken(path, partner, [""], take, shapes[:1], noisy)
            return [only] * len(noisy)
        if partner.shape != noisy.shape:
            raise ImageError(
                f"{path}: expected positions {noisy.shape} (got {partner.shape}). Check the file."
            )
        return self._taken(path, partner, positions, take, shapes, noisy)

    def _taken(
        self,
        path: Path,
        partner: Planes,
        positions: Sequence[str],
        take: Callable[[LazyArray, str], LazyArray],
        shapes: Sequence[tuple[int, ...]],
        noisy: Planes,
    ) -> list[LazyArray]:
        found = []
        for pixels, place, shape in zip(self.images.arrays(partner), positions, shapes, strict=True):
            taken = take(pixels, f"{path}{place}")
            if taken.shape != shape:
                raise ImageError(
                    f"{path}{place}: expected the shape of {Path(noisy.image.source).name}, {shape} "
                    f"(got {taken.shape}). Crop or replace it."
                )
            found.append(taken)
        _check(found, path, positions, self.channels if take == self._channels else ())
        return found

    def _planes(self, path: Path) -> Planes:
        return self.images.planes(path, self.options.axes, self.options.dimensions)

    def _channels(self, pixels: LazyArray, where: str) -> LazyArray:
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
            pixels = stacked([first_of(channel_of(pixels, number)) for number in index])
        return pixels


def _check(
    images: Sequence[LazyArray], path: Path, positions: Sequence[str], channels: Sequence[str]
) -> None:
    """Refuse pixels of no use; ``channels`` are their names, none for a mixed image."""
    for number, named in enumerate([f", channel {name!r}" for name in channels] or [""]):
        own = (first_of(channel_of(pixels, number)) for pixels in images)
        check_frames([(f"{path}{place}{named}", one) for place, one in zip(positions, own, strict=True)])


def _one_channel(pixels: LazyArray, where: str) -> LazyArray:
    check_channels(pixels.shape[0], 1, where, "A mixed image has a single channel; correct the file or axes.")
    return pixels
