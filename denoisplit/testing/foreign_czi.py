"""CZI of other programs: scenes with one channel each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from denoisplit.testing.foreign_files import Foreign, counts, image

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


FILES: Final = (*_scenes(),)
