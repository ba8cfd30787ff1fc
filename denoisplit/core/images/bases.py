"""Images and fields, and the abstract base classes of image formats and data sets."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import attrs

from denoisplit.core.images.image import Image as Image
from denoisplit.core.images.image import ImageLayout as ImageLayout
from denoisplit.core.images.lazy import LazyArray as LazyArray
from denoisplit.core.images.lazy import without_mask
from denoisplit.core.images.physical import IntensityScale as IntensityScale
from denoisplit.core.images.physical import PixelSize as PixelSize
from denoisplit.core.images.physical import TimeInterval as TimeInterval
from denoisplit.core.images.writing import ImageWriter as ImageWriter
from denoisplit.core.images.writing import spooled
from denoisplit.core.network.frame_part import FramePart


class ImageFormat(ABC):
    """A file format.

    Constructor: ``__init__(self, options)``.

    Attributes:
        options: the options, as given.
        suffixes: lower-case file endings, longest first.
        read_only: suffixes that are only read, never written.
        holds_several: whether one file can hold several images, so that a path may continue behind the file's
            name; a folder that is such an image counts as a file.
        writes_inside: whether writing adds an image to an existing file and keeps the others.
        for_display: whether files are often pictures of images of the same name in other formats; data sets
            leave those out.
    """

    suffixes: tuple[str, ...]
    read_only: tuple[str, ...] = ()
    holds_several: bool = False
    writes_inside: bool = False
    for_display: bool = False
    options: Any

    def __init__(self, options: Any = None) -> None:
        self.options = options

    @abstractmethod
    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read an image; ``axes`` overrides what the file says.

        Images of 256 MiB and more are read lazily where the format allows it.

        Raises:
            ImageError: the file is missing, truncated or unreadable, holds no intensities or several images
                that differ, or its axes are unknown or do not fit.
            MissingPackageError: the package that reads such files is not installed.
        """

    @abstractmethod
    def write(self, path: Path, image: Image) -> None:
        """Write pixels and metadata of an image; the file appears complete or not at all.

        Raises:
            ImageError: the format cannot hold the image, the folder cannot be written, or there is no space.
        """

    def first_of_set(self, path: Path) -> Path:
        """Return the file that represents all files of an image that is stored in several.

        Each of these files opens the whole image, so a data set counts the set once. Formats with one file
        per image return ``path``.
        """
        return path

    def is_taken(self, path: Path) -> bool:
        """Whether the name is in use already; it may be that of an image inside a file.

        Raises:
            ImageError: no image can have this name.
        """
        return path.exists()

    def may_replace(self, path: Path) -> bool:
        """Whether an image of this format may replace what is at ``path``."""
        return path.is_file()

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin an image that is written region by region.

        For formats that cannot write regions, pixels are collected in a file beside ``path``; ``write`` reads
        them from there in the end.

        Raises:
            ImageError: see ``write``.
        """
        return spooled(self.write, path, layout)


@attrs.frozen(kw_only=True)
class MixedSource:
    """Parts of a mixed image that is not mixed from the noisy channels: channels and its own noise.

    Attributes:
        noiseless: channels before additive noise [c (z) y x], counts.
        noise: additive noise of the mixed image [1 (z) y x], counts.
    """

    noiseless: LazyArray = attrs.field(eq=False, repr=False)
    noise: LazyArray = attrs.field(eq=False, repr=False)


@attrs.frozen(kw_only=True)
class FieldFile:
    """One of the files that a field was read from.

    Attributes:
        path: path of the file.
        role: ``observed``, ``clean`` or ``mixed``.
        channel: name of its only channel; empty for a file with all channels.
        dtype: type of its pixels.
        lossy: name of the compression, where it changed the pixels.
    """

    path: str
    role: str
    channel: str = ""
    dtype: str = ""
    lossy: str = ""


@attrs.frozen(kw_only=True)
class Field:
    """One field of view of a data set; its images are float32 and finite, in memory or lazy.

    Attributes:
        name: unique within its data set.
        observed: noisy target channels [c (z) y x], counts.
        clean: clean target channels of the same shape, if known.
        repeats: further exposures of the same field [r c (z) y x], if any.
        pixel_size: physical pixel size, if known.
        mixed: recorded mixed image [1 (z) y x], counts; None if it is mixed from the channels.
        mixed_source: parts of the mixed image; None for the observed channels. Data sets do not set it.
        separate: whether the channels show different places. Training combines patches of all such fields
            anew; evaluation keeps the pairs of the data set.
        files: files that the field was read from, if any.
        part: the part of the recorded image that the field shows; None for all of it.

    Raises:
        ImageError: some pixels are masked.
    """

    name: str
    observed: LazyArray = attrs.field(eq=False, repr=False)
    clean: LazyArray | None = attrs.field(default=None, eq=False, repr=False)
    repeats: LazyArray | None = attrs.field(default=None, eq=False, repr=False)
    pixel_size: PixelSize | None = None
    mixed: LazyArray | None = attrs.field(default=None, eq=False, repr=False)
    mixed_source: MixedSource | None = None
    separate: bool = False
    files: tuple[FieldFile, ...] = attrs.field(default=(), repr=False)
    part: FramePart | None = None

    def __attrs_post_init__(self) -> None:
        for image in (self.observed, self.clean, self.repeats, self.mixed):
            without_mask(image, "image")

    @property
    def frame_part(self) -> FramePart:
        """Part of the camera frame that the field shows."""
        return self.part or FramePart.whole(self.observed.shape)


class Dataset(ABC):
    """A source of fields: a folder layout or a generator of images.

    Constructor: ``__init__(self, options, *, channels: tuple[str, ...])`` with the channel names of the spec.
    """

    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """Return all fields in a fixed order; repeated calls give the same fields.

        Random numbers come from a generator of its own, with a seed from the options: those of ``random``,
        ``numpy.random`` and ``torch`` stay as they are, as in every component. Made with another ``seed``,
        images and their noise are others: training and validation may differ in it alone.

        Raises:
            ImageError: no folder or no field, a missing or unreadable file, images of a field that differ in
                size, or bad pixels.
            ChannelCountError: a number of channels, or of patterns, that does not fit the names.
        """

    def remarks(self) -> tuple[str, ...]:
        """Return remarks for the owner of the images, one sentence each, for example on files left out.

        Raises:
            ImageError: see ``fields``.
        """
        return ()
