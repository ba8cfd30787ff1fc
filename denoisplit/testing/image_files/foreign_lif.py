"""LIF of other programs: projects of several images, in folders or not, and pictures."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from denoisplit.core.images.bases import Image
from denoisplit.testing.image_files.foreign_files import Foreign, counts, image
from denoisplit.testing.image_files.microscope_files import write_lif

_file: Final = partial(Foreign, name="a.lif")
_ALIKE: Final = counts(3, 2, 6, 5)
_OTHER: Final = counts(4, 7)
_PICTURE: Final = counts(6, 5, 3, kind="uint8")


def _several() -> Iterator[Foreign]:
    one, two, three = (Image(data=pixels, axes="cyx") for pixels in _ALIKE)
    unlike = Image(data=_OTHER, axes="yx")

    def project(path: Path) -> None:
        write_lif(path, one, ("Region/Position 1", two), ("Region/Position 2", three), ("other", unlike))

    named = {"Series001": 0, "Region/Position 1": 1, "Region/Position 2": 2}
    for name, number in named.items():
        yield _file(what=f"image {name}", write=project, inside=name, image=image(_ALIKE[number], "cyx"))
    yield _file(what="a folder", write=project, inside="Region", image=image(_ALIKE[1:], "scyx"))
    yield _file(what="an unlike image", write=project, inside="other", image=image(_OTHER, "yx"))
    yield _file(what="no such image", write=project, inside="Region/Position 3")
    yield _file(what="images that differ", write=project)


def _tables() -> Iterator[Foreign]:
    both, other = Image(data=_ALIKE[0], axes="cyx"), Image(data=_OTHER, axes="yx")
    for tables, names in ((("Green", "Red"), ("Green", "Red")), (("Gray", "Gray"), ())):
        write = partial(write_lif, image=both, tables=tables)
        yield _file(what=f"{tables}", write=write, image=image(_ALIKE[0], "cyx", names=names))
    alone = partial(write_lif, image=other, tables=("Green",))
    yield _file(what="one table", write=alone, image=image(_OTHER, "yx"))

    def incomplete(path: Path) -> None:
        write_lif(path, both, ("more", both), lacking=1)

    yield _file(what="a byte is missing", write=incomplete, inside="Series001")


def _pictures() -> Iterator[Foreign]:
    picture = partial(write_lif, image=Image(data=_PICTURE, axes="yxr"))
    yield _file(what="a picture", write=picture)
    yield _file(what="a picture", write=picture, axes="yxc", image=image(_PICTURE, "yxc"))


FILES: Final = (*_several(), *_tables(), *_pictures())
