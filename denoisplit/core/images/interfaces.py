"""Images and data sets as the rest of the project sees them, and the bases of their two component kinds."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]


@attrs.frozen
class PixelSize:
    """Physical size of one pixel along each spatial axis.

    Attributes:
        size: one number per spatial axis, in the order of the image's axes ((z) y x).
        unit: for example ``µm``.
    """

    size: tuple[float, ...]
    unit: str = "µm"


@attrs.frozen(kw_only=True)
class Image:
    """Pixels with the names of their axes.

    Attributes:
        data: numpy array or memory map.
        axes: one lower-case letter per axis of ``data``, from ``stczyx``.
        channel_names: one name per channel when ``c`` is an axis, else at most one.
        pixel_size: physical pixel size, None when unknown.
        source: where it came from, for messages.
    """

    data: AnyArray = attrs.field(eq=False, repr=False)
    axes: str
    channel_names: tuple[str, ...] = ()
    pixel_size: PixelSize | None = None
    source: str = "array"


class ImageFormat(ABC):
    """A file format.

    Constructor: ``__init__(self, options)``. Attribute ``suffixes``: lower-case file endings, longest first.
    """

    suffixes: tuple[str, ...]

    @abstractmethod
    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read an image; ``axes`` overrides what the file says.

        Raises:
            ImageError: missing, truncated or unreadable file, or axes that do not fit.
        """

    @abstractmethod
    def write(self, path: Path, image: Image) -> None:
        """Write pixels, axes, pixel size and channel names; the file appears whole or not at all."""


@attrs.frozen(kw_only=True)
class MixedSource:
    """What the mixed image is made of where the noisy channels are not it: channels and a noise of its own.

    Attributes:
        noiseless: channels before additive noise [c (z) y x], counts.
        noise: additive noise of the mixed image [1 (z) y x], counts.
    """

    noiseless: FloatArray = attrs.field(eq=False, repr=False)
    noise: FloatArray = attrs.field(eq=False, repr=False)


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
    """One field of view of a data set.

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
    """

    name: str
    observed: FloatArray = attrs.field(eq=False, repr=False)
    clean: FloatArray | None = attrs.field(default=None, eq=False, repr=False)
    repeats: FloatArray | None = attrs.field(default=None, eq=False, repr=False)
    pixel_size: PixelSize | None = None
    mixed: FloatArray | None = attrs.field(default=None, eq=False, repr=False)
    mixed_source: MixedSource | None = None
    separate: bool = False
    files: tuple[FieldFile, ...] = attrs.field(default=(), repr=False)


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
