"""The base of data sets that are read from image files."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from denoisplit.core.images.bases import Dataset, ImageFormat


class FileDataset(Dataset):
    """A data set that is read from image files, of any format that is installed where it is used.

    Constructor: ``__init__(self, options, *, channels, formats: Sequence[ImageFormat])``, see
    ``core.images.io.open_image`` for what to do with the formats.
    """

    @abstractmethod
    def __init__(
        self, options: Any, *, channels: tuple[str, ...], formats: Sequence[ImageFormat]
    ) -> None: ...
