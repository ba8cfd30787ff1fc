"""The image pairs of Hagen et al.: stacks of low and of high signal-to-noise ratio."""

from typing import final

import attrs

from denoisplit.plugins.datasets.pairing import Single, singles
from denoisplit.plugins.datasets.reading import require_folder
from denoisplit.plugins.datasets.single_structures import StructureDataset, StructureOptions


@final
class Hagen(StructureDataset):
    """Images with short and long exposure by Hagen et al. (https://doi.org/10.5524/100888), real noise.

    Reads ``<structure>-<series>-lowsnr.tif`` and, where it is there, ``<structure>-<series>-highsnr.tif`` as
    the clean reference: stacks of fields, one file per structure, such as ``actin-60x-noise2-lowsnr.tif``.
    """

    @attrs.frozen(kw_only=True)
    class Options(StructureOptions):
        """Where the images are, and which.

        Attributes:
            structures: beginning of the file names of every channel, for example ``actin`` and ``mito``;
                empty for the names of the channels.
            series: middle of the file names.
        """

        series: str = "60x-noise2"

    options: Options

    def singles(self) -> list[list[Single]]:
        """The images of every channel."""
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
