"""OME-TIFF in several files, as Bio-Formats and Micro-Manager write it."""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import attrs
import numpy as np
import tifffile

from denoisplit.core.arrays import AnyArray

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def uuid(number: int) -> str:
    """Return the UUID of a file of a set."""
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


@attrs.frozen(kw_only=True)
class Block:
    """Pages of a file that hold planes of an image.

    Attributes:
        file: name of the file; empty for none.
        number: number of the file in the set, from which its UUID is made.
        said: attributes of the element.
    """

    file: str = ""
    number: int = 0
    said: str = ""

    def xml(self) -> str:
        """Return the element."""
        named = f'<UUID FileName="{escape(self.file)}">\n{uuid(self.number)}\n</UUID>' if self.file else ""
        return f"<TiffData {self.said}>{named}</TiffData>"


def image_xml(
    sizes: str, blocks: Sequence[Block], *, pixels: str = "", channels: Sequence[str] = (), name: str = ""
) -> str:
    """Return the element of an image.

    Args:
        sizes: sizes along x, y, c, z and t, separated by blanks.
        blocks: pages of its planes.
        pixels: more attributes of ``Pixels``.
        channels: attributes of every channel.
        name: name of the image.
    """
    counts = " ".join(f'Size{a}="{n}"' for a, n in zip("XYCZT", sizes.split(), strict=True))
    inner = "".join(f"<Channel {said}/>" for said in channels) + "".join(block.xml() for block in blocks)
    return (
        f'<Image ID="Image:0" Name="{name}"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
        f"{counts} {pixels}>{inner}</Pixels></Image>"
    )


def document(inner: str, number: int | None = None) -> str:
    """Return the OME-XML of a file."""
    own = "" if number is None else f' UUID="{uuid(number)}"'
    return f'<?xml version="1.0"?><OME xmlns="{NAMESPACE}"{own}>{inner}</OME>'


def write_pages(path: Path, pages: AnyArray, xml: str) -> None:
    """Write pages [p y x] with OME-XML on the first one."""
    tifffile.imwrite(path, pages, description=xml, metadata=None, contiguous=True, photometric="minisblack")


def write_positions(folder: Path, count: int = 3, shape: tuple[int, ...] = (2, 9, 8)) -> AnyArray:
    """Write a position of time points per file, each with the metadata of all; return pixels [s t y x]."""
    pixels = np.random.default_rng(count).integers(1, 999, (count, *shape)).astype(np.uint16)
    times, high, wide = shape
    images = "".join(
        image_xml(
            f"{wide} {high} 1 1 {times}",
            [Block(file=f"p{i}.ome.tif", number=i, said=f'IFD="0" PlaneCount="{times}"')],
        )
        for i in range(count)
    )
    for i in range(count):
        write_pages(folder / f"p{i}.ome.tif", pixels[i], document(images, i))
    return pixels


def write_channels(folder: Path, count: int = 3, *, companion: str = "") -> AnyArray:
    """Write a channel per file, with metadata in each or in a companion; return pixels [c y x]."""
    pixels = np.random.default_rng(count).integers(1, 999, (count, 9, 8)).astype(np.uint16)
    blocks = [Block(file=f"c{i}.ome.tif", number=i, said=f'FirstC="{i}" IFD="0"') for i in range(count)]
    names = [f'Name="{name}"' for name in "abcdefgh"[:count]]
    inner = image_xml(
        f"8 9 {count} 1 1", blocks, channels=names, pixels='PhysicalSizeX="0.1" PhysicalSizeY="0.2"'
    )
    if companion:
        (folder / companion).write_text(document(inner, 99), encoding="utf-8")
        inner = f'<BinaryOnly MetadataFile="{companion}" UUID="{uuid(99)}"/>'
    for i in range(count):
        write_pages(folder / f"c{i}.ome.tif", pixels[i], document(inner, i))
    return pixels
