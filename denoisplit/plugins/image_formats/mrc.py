"""MRC files: those of electron microscopy, and an older kind from light microscopes, such as BioSR's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import attrs

from denoisplit.core.images.axes import parse_axes
from denoisplit.core.images.bases import Image, ImageFormat, ImageLayout, ImageWriter
from denoisplit.core.images.derived_images import rearranged
from denoisplit.core.images.layout import axes_of, check_dtype, check_layout, check_name, described
from denoisplit.core.images.lazy import at_hand, reading_file
from denoisplit.core.images.writing import Put, RegionWriter, copy_pieces, raw_file
from denoisplit.core.validators import NoOptions
from denoisplit.plugins.image_formats._mrc_header import KINDS, header_of, read_header


@final
class Mrc(ImageFormat):
    """MRC2014, and the files without the word MAP of DeltaVision, Priism and BioSR.

    Voxel sizes are in ångström where the file has the word MAP, else in µm. Written files are MRC2014;
    further axes are stored as sections, and an extended header holds what MRC has no place for.

    Source: Cheng et al., Journal of Structural Biology 2015.
    """

    Options = NoOptions

    suffixes = (".mrcs", ".mrc", ".rec", ".dv", ".st")
    read_only = (".rec", ".dv", ".st")

    def open(self, path: Path, *, axes: str | None = None) -> Image:
        """Read a stack; stacks of 256 MiB and more are read lazily."""
        with reading_file(path, "MRC"):
            header = read_header(path)
            data = at_hand(header.pixels(path))
        said = {k: v for k, v in header.said.items() if axes is None or k != "pixel_size"}
        shape = tuple(data.shape)
        known = header.axes(str(path)) if axes is None else parse_axes(axes, shape, str(path))
        sizes = dict(zip("zyx", header.voxel, strict=True))
        inside = [sizes[letter] for letter in known if letter in sizes]
        said = {"pixel_size": inside, "unit": "µm", **said}
        image = described(data, known, said, str(path), overridden=axes is not None)
        wanted = axes_of(said, len(str(said.get("axes", ""))))
        if axes is not None or wanted is None or set(wanted) - set(known):
            return image
        return attrs.evolve(image, data=rearranged(data, [known.index(a) for a in wanted]), axes=wanted)

    def write(self, path: Path, image: Image) -> None:
        """Write everything that is known of an image; all or nothing."""
        copy_pieces(image, self.create(path, image.layout))

    def create(self, path: Path, layout: ImageLayout) -> ImageWriter:
        """Begin a file whose regions are written in place."""
        check_name(path, self.read_only, self.suffixes)
        check_layout(layout, str(path))
        check_dtype(layout, str(path), tuple(KINDS), "MRC", "Convert them, or write .ome.tif.")
        stored = "".join(letter for letter in "stczyx" if letter in layout.axes)
        sides = dict(zip(layout.axes, layout.shape, strict=True))
        shape = tuple(sides[letter] for letter in stored)

        @contextmanager
        def begin(temporary: Path) -> Iterator[Put]:
            header = header_of(layout, stored, shape)
            temporary.write_bytes(header)
            with raw_file(temporary, shape, layout.dtype.newbyteorder("<"), len(header)) as put:
                yield put

        return RegionWriter(path, layout, stored=stored, begin=begin)
