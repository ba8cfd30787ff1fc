"""What published sets of single structures have in common: images of each channel alone, then paired."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from denoisplit.core.errors import ChannelCountError
from denoisplit.core.images.file_dataset import FileDataset
from denoisplit.core.images.interfaces import Field, ImageFormat
from denoisplit.plugins.datasets.pairing import Single, leftovers, paired
from denoisplit.plugins.datasets.reading import ImageFiles


class StructureDataset(FileDataset):
    """A data set whose options have ``structures`` (names on disk of the channels) and ``pairing``."""

    def __init__(self, options: Any, *, channels: tuple[str, ...], formats: Sequence[ImageFormat]) -> None:
        self.structures = named(options.structures, channels, "structures")
        self.options, self.channels, self.images = options, channels, ImageFiles(formats)

    @abstractmethod
    def singles(self) -> list[list[Single]]:
        """The images of every channel."""

    def fields(self) -> tuple[Field, ...]:
        """As many fields as the structure with the fewest images has; pairs for validation go by their order.

        Raises:
            ImageError: no folder, or a file is missing or unreadable.
        """
        return paired(self.singles(), self.channels, pairing=self.options.pairing)

    def remarks(self) -> tuple[str, ...]:
        """Images that find no partner."""
        return leftovers(self.singles(), self.channels)


def named(given: tuple[str, ...], channels: tuple[str, ...], option: str) -> tuple[str, ...]:
    """Names on disk of the channels: those given, or those of the spec.

    Raises:
        ChannelCountError: another number of names than of channels.
    """
    if given and len(given) != len(channels):
        raise ChannelCountError(
            f"{option}: one name is needed for each of {', '.join(channels)} (got {len(given)}). "
            f"Give them in this order."
        )
    return given or channels
