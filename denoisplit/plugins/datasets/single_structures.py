"""Base of published data sets of single structures, whose images are paired into fields."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import get_args

import attrs
from attrs.validators import in_

from denoisplit.core.errors import ChannelCountError
from denoisplit.core.images.bases import Field, ImageFormat
from denoisplit.plugins.datasets.files import FileOptions, ImageFileDataset
from denoisplit.plugins.datasets.pairing import Pairing, Single, leftovers, paired


@attrs.frozen(kw_only=True)
class StructureOptions(FileOptions):
    """Where the images are, and which.

    Attributes:
        structures: names of the channels on disk; empty for the names in the spec.
        pairing: ``drawn``: training mixes patches of different fields anew; ``fixed``: image k of one
            structure is mixed with image k of the other, as denoiSplit did.
    """

    structures: tuple[str, ...] = ()
    pairing: Pairing = attrs.field(default="drawn", validator=in_(get_args(Pairing)))


class StructureDataset(ImageFileDataset):
    """A data set whose options are ``StructureOptions``."""

    options: StructureOptions

    def __init__(
        self, options: StructureOptions, *, channels: tuple[str, ...], formats: Sequence[ImageFormat]
    ) -> None:
        super().__init__(options, channels=channels, formats=formats)
        self.structures = named(options.structures, channels, "structures")

    @abstractmethod
    def singles(self) -> list[list[Single]]:
        """The images of every channel."""

    def fields(self) -> tuple[Field, ...]:
        """As many fields as the structure with the fewest images has; validation pairs them in order."""
        return paired(self.singles(), self.channels, pairing=self.options.pairing)

    def remarks(self) -> tuple[str, ...]:
        """Images that find no partner."""
        return leftovers(self.singles(), self.channels)


def named(given: tuple[str, ...], channels: tuple[str, ...], option: str) -> tuple[str, ...]:
    """Return the names of the channels on disk: those given, or those of the spec.

    Raises:
        ChannelCountError: another number of names than of channels.
    """
    if given and len(given) != len(channels):
        raise ChannelCountError(
            f"{option}: one name is needed for each of {', '.join(channels)} (got {len(given)}). "
            f"Give them in this order."
        )
    return given or channels
