"""CZI of other programs: scenes with one channel each, and intervals in milliseconds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from denoisplit.core.images.bases import Image
from denoisplit.testing.foreign_files import Foreign, counts, image
from denoisplit.testing.microscope_files import write_czi

_SCENES: Final = counts(2, 6, 5)
_NAMES: Final = ("actin", "dna")


def _one_each(path: Path) -> None:
    """Write two scenes, the first of which shows the first channel and the second the other one."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(path)) as file:
        for number, pixels in enumerate(_SCENES):
            file.write(pixels[..., None], location=(9 * number, 0), plane={"C": number}, scene=number)
        file.write_metadata("cells", channel_names=dict(enumerate(_NAMES)))


def _scenes() -> Iterator[Foreign]:
    for number, name in enumerate(_NAMES):
        found = image(_SCENES[number], "yx", names=(name,))
        yield Foreign(what=f"scene {number}", name="a.czi", write=_one_each, inside=str(number), image=found)
    yield Foreign(what="scenes of different channels", name="a.czi", write=_one_each)


def _in_milliseconds(path: Path) -> None:
    """Write two frames with an interval as ZEN asks its hardware for one."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    write_czi(path, Image(data=_SCENES, axes="tyx"))
    span = "<TimeSpan><DefaultUnitFormat>ms</DefaultUnitFormat><Value>40</Value></TimeSpan>"
    with czi.edit_czi(str(path)) as file, file.edit_session() as metadata:
        xml = metadata.get_xml()
        metadata.set_xml(xml.replace("</Dimensions>", f"<Interval>{span}</Interval></Dimensions>"))


def _times() -> Iterator[Foreign]:
    found = image(_SCENES, "tyx", interval=0.04)
    yield Foreign(what="milliseconds", name="a.czi", write=_in_milliseconds, image=found)


FILES: Final = (*_scenes(), *_times())
