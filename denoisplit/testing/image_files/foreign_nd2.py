"""ND2 of other programs: positions, missing frames, and pictures."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from denoisplit.core.images.bases import Image, TimeInterval
from denoisplit.testing.image_files.foreign_files import Foreign, counts, image
from denoisplit.testing.image_files.microscope_files import write_nd2

_file: Final = partial(Foreign, name="a.nd2")
_POSITIONS: Final = counts(2, 6, 5)
_WHOLE: Final = Image(data=_POSITIONS, axes="syx")


def _positions() -> Iterator[Foreign]:
    for given, found in ((("left", "right"), ("left", "right")), (("cell", "cell"), ("0", "1"))):
        write = partial(write_nd2, image=_WHOLE, names=given)
        for name, pixels in zip(found, _POSITIONS, strict=True):
            yield _file(what=f"position {name}", write=write, inside=name, image=image(pixels, "yx"))
        yield _file(what="no such position", write=write, inside="middle")


_FRAMES: Final = counts(3, 6, 5)
_PICTURE: Final = counts(6, 5, 3, kind="uint8")


def _others() -> Iterator[Foreign]:
    frames = Image(data=_FRAMES, axes="tyx")
    yield _file(what="a frame is missing", write=partial(write_nd2, image=frames, frames=2))
    for line in (_FRAMES[:, :1], _FRAMES[:, :, :1]):
        write = partial(write_nd2, image=Image(data=line, axes="tyx"))
        yield _file(what="a line", write=write, image=image(line, "tyx"))
    fast = Image(data=_FRAMES, axes="tyx", time_interval=TimeInterval(0.0005, "s"))
    found = image(_FRAMES, "tyx", interval=0.0005)
    yield _file(what="2000 frames per second", write=partial(write_nd2, image=fast), image=found)
    picture = partial(write_nd2, image=Image(data=_PICTURE, axes="yxr"))
    yield _file(what="a picture", write=picture)
    yield _file(what="a picture", write=picture, axes="yxc", image=image(_PICTURE, "yxc"))


FILES: Final = (*_positions(), *_others())
