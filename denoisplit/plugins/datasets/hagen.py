"""The image pairs of Hagen et al.: stacks of low and of high signal-to-noise ratio."""

from collections.abc import Sequence
from pathlib import Path
from typing import final, get_args

import attrs
from attrs.validators import in_

from denoisplit.core.images.file_dataset import FileDataset
from denoisplit.core.images.interfaces import Field, ImageFormat
from denoisplit.plugins.datasets.biosr import named
from denoisplit.plugins.datasets.pairing import Pairing, Single, leftovers, paired, singles
from denoisplit.plugins.datasets.reading import ImageFiles, require_folder


@final
class Hagen(FileDataset):
    """Images with short and long exposure by Hagen et al. (https://doi.org/10.5524/100888), real noise.

    Reads ``<structure>-<series>-lowsnr.tif`` and, where it is there, ``<structure>-<series>-highsnr.tif`` as
    the clean reference: stacks of fields, one file per structure, such as ``actin-60x-noise2-lowsnr.tif``.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Where the images are, and which.

        Attributes:
            path: the folder.
            structures: beginning of the file names of every channel, for example ``actin`` and ``mito``;
                empty for the names of the channels.
            series: middle of the file names.
            pairing: ``drawn``: training mixes patches of different fields anew; ``fixed``: field k of one
                structure is mixed with field k of the other, as denoiSplit did.
        """

        path: Path = attrs.field(converter=Path)
        structures: tuple[str, ...] = ()
        series: str = "60x-noise2"
        pairing: Pairing = attrs.field(default="drawn", validator=in_(get_args(Pairing)))

    def __init__(
        self, options: Options, *, channels: tuple[str, ...], formats: Sequence[ImageFormat]
    ) -> None:
        self.structures = named(options.structures, channels, "structures")
        self.options, self.channels, self.images = options, channels, ImageFiles(formats)

    def fields(self) -> tuple[Field, ...]:
        """As many fields as the structure with the fewest has; pairs for validation go by their order.

        Raises:
            ImageError: no folder, or a file is missing or unreadable.
        """
        return paired(self._images(), self.channels, pairing=self.options.pairing)

    def remarks(self) -> tuple[str, ...]:
        """Images that find no partner."""
        return leftovers(self._images(), self.channels)

    def _images(self) -> list[list[Single]]:
        folder = self.options.path
        require_folder(folder)
        found = []
        for structure, channel in zip(self.structures, self.channels, strict=True):
            stem = f"{structure}-{self.options.series}"
            low = self.images.stack(self.images.needed(folder, f"{stem}-lowsnr"), folder)
            best = self.images.one(folder, f"{stem}-highsnr")
            high = None if best is None else self.images.stack(best, folder)
            found.append(singles(channel, low, high))
        return found
