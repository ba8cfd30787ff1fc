"""BioSR as it is published: one folder per structure, MRC stacks in it."""

from pathlib import Path
from typing import final

import attrs
from attrs.validators import ge, le

from denoisplit.core.errors import ImageError
from denoisplit.plugins.datasets.frames import Frames, mean_image
from denoisplit.plugins.datasets.pairing import Single, singles
from denoisplit.plugins.datasets.reading import natural, require_folder
from denoisplit.plugins.datasets.single_structures import StructureDataset, StructureOptions


@final
class BioSR(StructureDataset):
    """BioSR (https://doi.org/10.6084/m9.figshare.13264793): one structure per cell, many light levels.

    Reads ``<structure>/GT_all.mrc``, the high-quality images of all cells, to which a spec adds synthetic
    noise as denoiSplit did; or, with ``level``, real exposures: the raw frames of every cell are averaged
    into one wide-field image, ``<structure>/Cell_001/RawSIMData_level_03.mrc`` into the noisy one and
    ``RawSIMData_gt.mrc`` into its clean reference. For ER these are ``RawSIMData/RawSIMData_level_03.mrc``
    and ``RawGTSIMData/RawGTSIMData_level_03.mrc``. Any image format serves in place of MRC.
    """

    @attrs.frozen(kw_only=True)
    class Options(StructureOptions):
        """Where the images are, and which.

        Attributes:
            path: the folder with one folder per structure.
            structures: folder of every channel, ``CCPs``, ``ER``, ``Microtubules``, ``F-actin``; empty for
                folders with the names of the channels.
            level: light level of the noisy images, 1 (least light) to 12; 0 for ``GT_all``.
        """

        level: int = attrs.field(default=0, validator=[ge(0), le(12)])

    options: Options

    def singles(self) -> list[list[Single]]:
        """The images of every channel."""
        require_folder(self.options.path)
        read = self._cells if self.options.level else self._everything
        return [
            read(self.options.path / structure, channel)
            for structure, channel in zip(self.structures, self.channels, strict=True)
        ]

    def _everything(self, folder: Path, channel: str) -> list[Single]:
        everything = self.images.needed(folder, "GT_all")
        return singles(channel, self.images.stack(everything, self.options.path))

    def _cells(self, folder: Path, channel: str) -> list[Single]:
        level = f"{self.options.level:02d}"
        cells = [entry for entry in folder.glob("Cell_*") if entry.is_dir()]
        if not cells:
            raise ImageError(
                f"{folder}: there are no folders Cell_001, Cell_002, ... (got none). Correct path or "
                f"structures."
            )
        found: list[Single] = []
        for cell in sorted(cells, key=lambda entry: natural(entry.name)):
            nested = cell / "RawSIMData"
            noisy = self.images.needed(nested if nested.is_dir() else cell, f"RawSIMData_level_{level}")
            best = self.images.one(cell, "RawSIMData_gt") or self.images.one(
                cell / "RawGTSIMData", f"RawGTSIMData_level_{level}"
            )
            clean = None if best is None else self._averaged(best)
            found += singles(channel, self._averaged(noisy), clean)
        return found

    def _averaged(self, path: Path) -> Frames:
        """Average the raw frames of one cell: their illumination patterns add up to a wide-field image."""
        frames = self.images.stack(path, self.options.path)
        name = path.relative_to(self.options.path).as_posix()
        return attrs.evolve(frames, names=(name,), pixels=(mean_image(frames.pixels),))
