"""Images and data sets as the rest of the project sees them, and the bases of their two component kinds."""

from abc import ABC, abstractmethod
from pathlib import Path

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
        suffixes: lower-case file endings, longest first.
        read_only: those of the suffixes under which nothing is written.
        holds_several: whether a path may go on behind the name of the file, to one of the images in it; a
            folder that is such an image counts as a file.
        writes_inside: whether an image is written beside the others of an existing file, which stay.
        for_display: whether files are often pictures of images in other formats, beside them and of their
            name; data sets leave those out.
    """

    suffixes: tuple[str, ...]
    read_only: tuple[str, ...] = ()
    holds_several: bool = False
    writes_inside: bool = False
    for_display: bool = False

    @abstractmethod
    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read an image; ``axes`` overrides what the file says.

        Raises:
            ImageError: missing, truncated or unreadable file, or axes that do not fit.
        """

    @abstractmethod
    def write(self, path: Path, image: Image) -> None:
        """Write pixels and all that is known of the image; the file appears whole or not at all.

        Raises:
            ImageError: the format cannot hold the image, the folder cannot be written, or no space.
        """

    def first_of_set(self, path: Path) -> Path:
        """The file that stands for all files of an image that is in several, each of which opens the whole.

        A data set counts such a set once. Formats of one file give ``path`` back.
        """
        return path

    def is_taken(self, path: Path) -> bool:
        """Whether something has this name, which an image may have inside a file, already.

        Raises:
            ImageError: no image can have it.
        """
        return path.exists()

    def may_replace(self, path: Path) -> bool:
        """Whether what is at ``path`` is of a sort that an image of this format may take the place of."""
        return path.is_file()

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin an image that is written region by region.

        Formats that cannot write regions have them collected in a file beside ``path``, from which ``write``
        takes them in the end.

        Raises:
            ImageError: as ``write``.
        """
        return spooled(self.write, path, layout)


@attrs.frozen(kw_only=True)
class MixedSource:
    """What the mixed image is made of where the noisy channels are not it: channels and a noise of its own.

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
        path: of the file.
        role: ``observed``, ``clean`` or ``mixed``.
        channel: name of the channel that it holds; empty where it holds all of them.
        dtype: of its pixels.
    """

    path: str
    role: str
    channel: str = ""
    dtype: str = ""


@attrs.frozen(kw_only=True)
class Field:
    """One field of view of a data set; its images, float32, may be read where they are asked for.

    Attributes:
        name: unique within its data set.
        observed: noisy target channels [c (z) y x], counts.
        clean: clean target channels of the same shape, if known.
        repeats: further exposures of the same field [r c (z) y x], if any.
        pixel_size: physical pixel size, if known.
        mixed: the mixed image as it was recorded [1 (z) y x], counts; None where it is made of the channels.
        mixed_source: what the mixed image is made of; None for the observed channels. Data sets leave it out.
        separate: the channels show different places. Training pairs patches of all such fields anew;
            evaluation keeps the pairs of the data set.
        files: what the field was read from, if it was.
        part: which part of an image it is, as it was recorded; None for all of it.

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
        """The pixels of a camera that it shows."""
        return self.part or FramePart.whole(self.observed.shape)


class Dataset(ABC):
    """A folder layout, or a generator of images.

    Constructor: ``__init__(self, options, *, channels: tuple[str, ...])`` with the channel names of the spec.
    """

    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """All fields, in a fixed order; reading the same data set twice gives the same fields.

        Raises:
            ImageError: no field, an unreadable file, or another number of channels than named.
        """

    def remarks(self) -> tuple[str, ...]:
        """What the owner of the images should know of them, a sentence each: files left out, for example.

        Raises:
            ImageError: as ``fields``.
        """
        return ()
