"""Abstract base class of data sets that are read from image files."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from denoisplit.core.images.bases import Dataset, ImageFormat


class FileDataset(Dataset):
    """A data set that is read from image files of any installed format.

    Constructor: ``__init__(self, options, *, channels, formats: Sequence[ImageFormat])``; see
    ``core.images.io.open_image`` for the use of the formats.
    """

    @abstractmethod
    def __init__(
        self, options: Any, *, channels: tuple[str, ...], formats: Sequence[ImageFormat]
    ) -> None: ...
