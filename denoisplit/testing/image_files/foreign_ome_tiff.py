"""OME-TIFF of other programs: in one file or several, with planes in any order, whole or not."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile

from denoisplit.testing.image_files.foreign_files import Foreign, counts, image
from denoisplit.testing.image_files.ome_sets import (
    Block,
    document,
    image_xml,
    uuid,
    write_channels,
    write_pages,
    write_positions,
)

_file: Final = partial(Foreign, name="a.ome.tif")
_PAGE: Final = np.arange(72, dtype=np.uint16).reshape(9, 8)
_TWO: Final = np.stack([_PAGE, _PAGE[::-1]])
_LETTERS: Final = ("a", "b", "c")


def _channels() -> Any:
    return np.random.default_rng(3).integers(1, 999, (3, 9, 8)).astype(np.uint16)


def _positions() -> Any:
    return np.random.default_rng(3).integers(1, 999, (3, 2, 9, 8)).astype(np.uint16)


def _set(path: Path, companion: str = "", missing: str = "", short: str = "", strange: str = "") -> None:
    write_channels(path.parent, companion=companion)
    if missing:
        (path.parent / missing).unlink()
    if short:
        whole = (path.parent / short).read_bytes()
        (path.parent / short).write_bytes(whole[:-50])
    if strange:
        stranger = document(image_xml("8 9 1 1 1", [Block(said='IFD="0"')]), 77)
        write_pages(path.parent / strange, _PAGE[None], stranger)


def _master(path: Path) -> None:
    write_positions(path.parent)
    with tifffile.TiffFile(path.parent / "p0.ome.tif") as tif:
        described = tif.pages.first.description.replace(uuid(0), uuid(50), 1)
    write_pages(path, np.zeros((1, 2, 2), np.uint16), described)


def _sets() -> Iterator[Foreign]:
    for number, position in enumerate(_positions()):
        yield Foreign(
            what="a position per file",
            name=f"p{number}.ome.tif",
            write=lambda path: write_positions(path.parent),
            image=image(position, "tyx"),
        )
    yield Foreign(what="metadata alone", name="m.ome.tif", write=_master, image=image(_positions(), "styx"))
    whole = image(_channels(), "cyx", (0.2, 0.1), names=_LETTERS)
    for companion in ("", "set.companion.ome"):
        for name in ("c0.ome.tif", "c2.ome.tif"):
            yield Foreign(
                what=f"a channel per file {companion}",
                name=name,
                write=partial(_set, companion=companion),
                image=whole,
            )
    lacking: tuple[dict[str, Any], ...] = (
        {"missing": "c2.ome.tif"},
        {"short": "c1.ome.tif"},
        {"strange": "c1.ome.tif"},
        {"companion": "set.companion.ome", "missing": "set.companion.ome"},
    )
    for how in lacking:
        yield Foreign(what=f"{how}", name="c0.ome.tif", write=partial(_set, **how))
    plane = image(_channels()[0], "yx")
    for how in (lacking[0], lacking[3]):
        yield Foreign(what=f"{how}", name="c0.ome.tif", write=partial(_set, **how), axes="yx", image=plane)


def _described(
    path: Path,
    pages: Any,
    sizes: str,
    blocks: list[Block],
    own: int | None = None,
    more: str = "",
    replaced: tuple[str, str] = ("", ""),
    **how: Any,
) -> None:
    xml = document(image_xml(sizes, blocks, **how) + more, own)
    write_pages(path, pages, xml.replace(*replaced) if replaced[0] else xml)


def _in_one_file() -> Iterator[Foreign]:
    for own in (3, None):
        block = Block(file="before.ome.tif", number=3, said='IFD="0" PlaneCount="2"')
        write = partial(_described, pages=_TWO, sizes="8 9 1 1 2", blocks=[block], own=own)
        yield _file(what=f"renamed {own}", write=write, image=image(_TWO, "tyx"))
    pages, order = counts(6, 9, 8), [4, 2, 0, 5, 1, 3]
    blocks = [
        Block(said=f'IFD="{page}" FirstC="{plane % 2}" FirstT="{plane // 2}"')
        for plane, page in enumerate(order)
    ]
    write = partial(_described, pages=pages, sizes="8 9 2 1 3", blocks=blocks[::-1])
    found = image(pages[order].reshape(3, 2, 9, 8), "tcyx")
    yield _file(what="planes in any order", write=write, image=found)
    blocks = [Block(said='IFD="0" FirstT="2" PlaneCount="9"'), Block(said='IFD="4" PlaneCount="9"')]
    write = partial(_described, pages=pages, sizes="8 9 1 1 6", blocks=blocks)
    found = image(np.roll(pages, 2, 0), "tyx")
    yield _file(what="blocks of more planes than there are", write=write, image=found)
    for said in ("", 'IFD="0" PlaneCount="6"', 'IFD="0" NumPlanes="6"', None):
        blocks = [] if said is None else [Block(said=said)]
        write = partial(_described, pages=pages, sizes="8 9 1 2 3", blocks=blocks)
        yield _file(what=f"pages {said}", write=write, image=image(pages.reshape(3, 2, 9, 8), "tzyx"))
    for sizes, pages in (("8 1 1 1 3", counts(3, 1, 8)), ("1 9 1 1 3", counts(3, 9, 1))):
        write = partial(_described, pages=pages, sizes=sizes, blocks=[Block(said="")])
        yield _file(what=f"lines {sizes}", write=write, image=image(pages, "tyx"))
    for sizes in ("8 9 1 1 5", "8 9 1 1 900000000000", f"8 9 1 1 {10**20}", "8 9 900000 900000 900000"):
        write = partial(_described, pages=_TWO, sizes=sizes, blocks=[Block(said="")])
        yield _file(what=f"claims {sizes}", write=write)
        yield _file(what=f"claims {sizes}", write=write, axes="tyx", image=image(_TWO, "tyx"))
    for damage in (
        ('SizeX="8"', 'SizeX="5"'),
        ('SizeC="1"', ""),
        ("</OME>", ""),
        ('Order="XYCZT"', 'Order="XXXXX"'),
    ):
        how: dict[str, Any] = {"pixels": 'PhysicalSizeX="7" PhysicalSizeY="7"'}
        write = partial(
            _described, pages=_PAGE[None], sizes="8 9 1 1 1", blocks=[Block()], replaced=damage, **how
        )
        yield _file(what=f"{damage}", write=write, image=image(_PAGE, "yx"))
    for file in ("../secret.ome.tif", "/secret.ome.tif", "sub/../../x.tif", "C:\\x.tif", ".."):
        blocks = [Block(said='IFD="0"'), Block(file=file, number=5, said='FirstC="1" IFD="0"')]
        write = partial(_described, pages=_PAGE[None], sizes="8 9 2 1 1", blocks=blocks, own=0)
        yield _file(what=f"a file elsewhere: {file}", write=write)


def _words() -> Iterator[Foreign]:
    sizes: dict[str, tuple[float | None, ...]] = {
        'PhysicalSizeZ="300" PhysicalSizeZUnit="nm" PhysicalSizeY="0.1" PhysicalSizeX="0.2"': (0.3, 0.1, 0.2),
        'PhysicalSizeY="0.1" PhysicalSizeX="0.2"': (None, 0.1, 0.2),
        'PhysicalSizeZ="0,3" PhysicalSizeY="0.1" PhysicalSizeX=""': (None, 0.1, None),
        'PhysicalSizeZ="0" PhysicalSizeY="-1" PhysicalSizeX="NaN" TimeIncrement="0"': (),
    }
    for pixels, size in sizes.items():
        write = partial(_described, pages=_TWO, sizes="8 9 1 2 1", blocks=[Block(said="")], pixels=pixels)
        yield _file(what=pixels, write=write, image=image(_TWO, "zyx", size))
    for time, interval in (('TimeIncrement="2"', 2.0), ('TimeIncrement="x"', None)):
        write = partial(_described, pages=_TWO, sizes="8 9 1 1 2", blocks=[Block(said="")], pixels=time)
        yield _file(what=time, write=write, image=image(_TWO, "tyx", interval=interval))
    notes = (
        "<StructuredAnnotations><XMLAnnotation><Value><Channel Name='x'/><Channel Name='y'/></Value>"
        "</XMLAnnotation></StructuredAnnotations>"
    )
    write = partial(
        _described,
        pages=_PAGE[None],
        sizes="8 9 1 1 1",
        blocks=[Block()],
        channels=['Name="Bright"'],
        more=notes,
    )
    yield _file(what="annotations", write=write, image=image(_PAGE, "yx", names=("Bright",)))
    write = partial(
        _described,
        pages=_PAGE[None],
        sizes="8 9 1 1 1",
        blocks=[Block()],
        channels=['SamplesPerPixel="0"'],
        pixels='PhysicalSizeX="0.2" PhysicalSizeY="0.1"',
    )
    yield _file(what="no samples", write=write, image=image(_PAGE, "yx", (0.1, 0.2)))
    modulo = (
        "<StructuredAnnotations><XMLAnnotation><Value><Modulo><ModuloAlongT Type='lifetime'/></Modulo>"
        "</Value></XMLAnnotation></StructuredAnnotations>"
    )
    pages = counts(6, 9, 8)
    write = partial(
        _described,
        pages=pages,
        sizes="8 9 1 1 6",
        blocks=[Block(said='IFD="0" PlaneCount="6"')],
        more=modulo,
    )
    yield _file(what="lifetimes", write=write)
    yield _file(what="lifetimes", write=write, axes="tyx", image=image(pages, "tyx"))


def _unlike(path: Path, sizes: tuple[str, str], names: tuple[str, str]) -> None:
    images = "".join(
        image_xml(
            "8 9 2 1 1",
            [Block(said=f'IFD="{2 * number}" PlaneCount="2"')],
            pixels=size,
            channels=[f'Name="{name}"' for name in called],
            name=f"P{number}",
        )
        for number, (size, called) in enumerate(zip(sizes, names, strict=True))
    )
    write_pages(path, counts(4, 9, 8), document(images))


def _several() -> Iterator[Foreign]:
    one, two = (f'PhysicalSizeX="{size}" PhysicalSizeY="{size}"' for size in (0.1, 0.5))
    pixels = counts(4, 9, 8).reshape(2, 2, 9, 8)
    for sizes, names, alike in (
        ((one, one), ("ab", "ab"), True),
        ((one, two), ("ab", "ab"), False),
        ((one, ""), ("ab", "ab"), False),
        ((one, one), ("ab", "de"), False),
    ):
        found = image(pixels, "scyx", (0.1, 0.1), names=("a", "b")) if alike else None
        write = partial(_unlike, sizes=sizes, names=names)
        yield _file(what=f"positions {sizes} {names}", write=write, image=found)
    both = counts(6, 5, 2)
    how: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}
    write = partial(_coloured, pixels=both, axes="YXS", **how)
    yield _file(what="channels as samples", write=write, image=image(both, "yxc"))
    rgb = counts(2, 6, 5, 3, kind="uint8")
    for axes in ("CYXS", "ZYXS"):
        write = partial(_coloured, pixels=rgb, axes=axes)
        yield _file(what=f"colours {axes}", write=write)
        yield _file(what=f"colours {axes}", write=write, axes="zyxc", image=image(rgb, "zyxc"))


def _coloured(path: Path, pixels: Any, axes: str, **how: Any) -> None:
    tifffile.imwrite(path, pixels, ome=True, metadata={"axes": axes}, **({"photometric": "rgb"} | how))


FILES: Final = (*_sets(), *_in_one_file(), *_words(), *_several())
