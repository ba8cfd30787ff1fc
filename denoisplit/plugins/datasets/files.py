"""Options and base classes shared by the data sets of image files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import attrs
from attrs.validators import ge, in_

from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.images.file_dataset import FileDataset
from denoisplit.plugins.datasets.frames import Frames
from denoisplit.plugins.datasets.reading import ImageFiles


@attrs.frozen(kw_only=True)
class FileOptions:
    """Where the images are.

    Attributes:
        path: the folder.
        memory: files whose pixels take more than this as float32, MiB, are read piece by piece where their
            format allows it (TIFF, Zarr, HDF5, MRC and NumPy, for example), from 256 MiB on.
    """

    path: Path = attrs.field(converter=Path)
    memory: int = attrs.field(default=1024, validator=ge(0))


@attrs.frozen(kw_only=True)
class AxesOptions(FileOptions):
    """Where the images are, and what their axes mean.

    Attributes:
        axes: overrides what the files say about their axes, for example ``cyx``, ``tyx`` or ``zyx``.
        dimensions: spatial axes of a field, 2 or 3; 0 takes 3 where files have a ``z`` axis.
    """

    axes: str = ""
    dimensions: Literal[0, 2, 3] = attrs.field(default=0, validator=in_((0, 2, 3)))


class ImageFileDataset(FileDataset):
    """A data set whose options are ``FileOptions``."""

    options: FileOptions

    def __init__(
        self, options: FileOptions, *, channels: tuple[str, ...], formats: Sequence[ImageFormat]
    ) -> None:
        self.options, self.channels = options, channels
        self.images = ImageFiles(formats, options.memory)


class SingleChannelDataset(ImageFileDataset):
    """A data set of files with one channel each, whose options are ``AxesOptions``."""

    options: AxesOptions

    def frames(self, path: Path) -> Frames:
        """All arrays of a file.

        Raises:
            ImageError, ChannelCountError: see ``ImageFiles.frames``.
        """
        options = self.options
        return self.images.frames(
            path, options.path, axes=options.axes, dimensions=options.dimensions, blank=True
        )
