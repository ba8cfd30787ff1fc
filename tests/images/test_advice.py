"""Advice is tried: whatever a message proposes (axes, an image inside a file, another name, a flag) works.

Every message with such a proposal has a situation here that leads to it, or the test fails.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import h5py
import numpy as np
import pytest
import tifffile
import zarr

import denoisplit
from denoisplit.cli import COMMANDS, main
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image
from denoisplit.core.images.io import choose_format, open_image
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.testing.image_files.microscope_files import write_czi, write_lif

ROOT = Path(denoisplit.__file__).parent
FORMATS = installed_formats()
PICTURE = np.arange(8 * 9, dtype=np.uint8).reshape(8, 9)
STACK = np.stack([PICTURE, PICTURE + 1, PICTURE + 2])
COLOURS = np.stack([PICTURE] * 3, -1)


def numpy_of(*shape: int) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.save(folder / "a.npy", np.arange(np.prod(shape)).reshape(shape))
        return folder / "a.npy"

    return make


def tiff(pixels: Any, name: str = "a.tif", **how: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        tifffile.imwrite(folder / name, pixels, **how)
        return folder / name

    return make


def hdf5(inside: str, **sets: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with h5py.File(folder / "a.h5", "w") as file:
            for name, pixels in sets.items():
                file[name.replace("_", "/")] = pixels
        return folder / f"a.h5{inside}"

    return make


def zarr_of(inside: str, **sets: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        group = zarr.open_group(str(folder / "a.zarr"), mode="w")
        for name, pixels in sets.items():
            group.create_array(name.replace("_", "/"), data=pixels)
        return folder / f"a.zarr{inside}"

    return make


def wells(folder: Path) -> Path:
    for name, pixels in (("0", STACK), ("1", STACK[:2])):
        image = Image(data=pixels, axes="cyx")
        choose_format(Path("a.ome.zarr"), FORMATS).write(folder / "a.ome.zarr" / f"{name}.ome.zarr", image)
    return _collected(folder)


def wells_of_samples(folder: Path) -> Path:
    for name in "01":
        image = Image(data=STACK, axes="syx")
        choose_format(Path("a.ome.zarr"), FORMATS).write(folder / "a.ome.zarr" / f"{name}.ome.zarr", image)
    return _collected(folder)


def _collected(folder: Path) -> Path:
    """A collection of the images that lie in it."""
    path = folder / "a.ome.zarr"
    for image in sorted(path.iterdir()):
        image.rename(path / image.name.partition(".")[0])
    zarr.open_group(str(path), mode="a").attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    return path


def czi(folder: Path) -> Path:
    scenes = [Image(data=PICTURE[:rows], axes="yx") for rows in (8, 6)]
    write_czi(folder / "a.czi", *scenes, places=((0, 0), (50, 0)))
    return folder / "a.czi"


def lif(folder: Path) -> Path:
    write_lif(folder / "a.lif", Image(data=STACK, axes="cyx"), ("R/1", Image(data=PICTURE, axes="yx")))
    return folder / "a.lif"


def colours_of_leica(folder: Path) -> Path:
    write_lif(folder / "a.lif", Image(data=COLOURS, axes="yxr"))
    return folder / "a.lif"


def cut(pixels: Any, more: int, **how: Any) -> Callable[[Path], Path]:
    """A TIFF with more bytes at its end, or fewer."""

    def make(folder: Path) -> Path:
        path = tiff(pixels, metadata=None, **how)(folder)
        content = path.read_bytes()
        path.write_bytes(content[:more] if more < 0 else content + bytes(more))
        return path

    return make


def misnamed(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        tifffile.imwrite(folder / "a.tif", PICTURE)
        return (folder / "a.tif").rename(folder / name)

    return make


PALETTE = np.random.default_rng(0).integers(0, 2**16, (3, 256)).astype(np.uint16)
READ: dict[str, tuple[Callable[[Path], Path], str | None]] = {
    "stack": (numpy_of(3, 8, 9), None),
    "colours last": (numpy_of(8, 9, 3), None),
    "4 axes": (numpy_of(2, 3, 8, 9), None),
    "5 axes": (numpy_of(2, 2, 2, 8, 9), None),
    "6 axes": (numpy_of(2, 2, 2, 2, 8, 9), None),
    "unknown letter": (numpy_of(3, 8, 9), "qyx"),
    "letter twice": (numpy_of(3, 8, 9), "yyx"),
    "too few letters": (numpy_of(3, 8, 9), "yx"),
    "no x": (numpy_of(3, 8, 9), "tzy"),
    "picture": (tiff(COLOURS, photometric="rgb"), None),
    "pictures": (tiff(np.stack([COLOURS] * 2), photometric="rgb"), None),
    "pictures in stacks": (tiff(np.stack([np.stack([COLOURS] * 2)] * 2), photometric="rgb"), None),
    "picture of Leica": (colours_of_leica, None),
    "palette": (tiff(PICTURE, photometric="palette", colormap=PALETTE), None),
    "palette stack": (tiff(STACK, photometric="palette", colormap=PALETTE), None),
    "negative": (tiff(PICTURE, photometric="miniswhite"), None),
    "planes that nothing describes": (cut(PICTURE, 2 * PICTURE.nbytes), None),
    "planes that are not there": (cut(PICTURE, 0, description="ImageJ=1.54f\nimages=9\nslices=9\n"), None),
    "data sets": (hdf5("", raw=PICTURE, b_table=np.zeros((2, 3))), None),
    "no such data set": (hdf5("/c", raw=PICTURE, b_raw=PICTURE + 1), None),
    "data sets of a group": (hdf5("/b", raw=PICTURE, b_raw=PICTURE, b_more=STACK), None),
    "arrays": (zarr_of("", raw=PICTURE, b_raw=PICTURE), None),
    "arrays of a group": (zarr_of("/b", raw=PICTURE, b_raw=PICTURE, b_more=PICTURE), None),
    "wells that differ": (wells, None),
    "samples that are stacked": (wells_of_samples, None),
    "no such scene": (lambda folder: czi(folder) / "nowhere", None),
    "scenes that differ": (czi, None),
    "images that differ": (lif, None),
    "another ending": (misnamed("a.npy"), None),
    "no ending": (misnamed("a.dat"), None),
}
FLAT = Image(data=PICTURE, axes="yx")
SAMPLES = Image(data=STACK[None, :], axes="styx")
WRITE = {
    **dict.fromkeys(("a.czi", "a.lif", "a.nd2", "a.png", "a.npy", "a.rec", "a.lsm"), FLAT),
    **dict.fromkeys(("a.tif", "a.ome.tif", "a.ome.zarr"), SAMPLES),
}
SCOPE = ("core/images", "plugins/image_formats")


def proposals(message: str, path: Path) -> Iterator[tuple[Path, str | None]]:
    """What a message says to try instead of ``path``."""
    for axes in re.findall(r"(?:axes='|--axes )([a-z]+)", message):
        yield path, axes
    for listed in re.findall(r"could be ([a-z, ]+)\)", message):
        yield from ((path, axes) for axes in re.split(r", | or ", listed))
    for inside in re.findall(r"behind the (?:file|folder), for example (\S+)\.$", message):
        yield _beside(path, inside), None
    for ending in re.findall(r"Rename it to end in (\.[a-z0-9]+)", message):
        yield path.rename(path.with_suffix(ending)), None


def _beside(path: Path, inside: str) -> Path:
    """A path that is named from the folder of the file."""
    file = re.split(r"/|::", inside)[0]
    own = next(part for part in (path, *path.parents) if part.name.partition("::")[0] == file)
    return own.parent / inside


def message_of(action: Callable[[], object]) -> str:
    with pytest.raises(ImageError) as caught:
        action()
    return str(caught.value)


def refusal(path: Path, axes: str | None) -> str:
    """Why an image cannot be opened; empty where it can."""
    try:
        np.asarray(open_image(path, FORMATS, axes=axes).data)
    except ImageError as error:
        return str(error)
    return ""


def follow(path: Path, axes: str | None, steps: int = 3) -> list[str]:
    """Open an image; where that is refused, do what the message says. All messages on the way."""
    said = refusal(path, axes)
    if not said:
        return []
    tries = list(dict.fromkeys(proposals(said, path)))
    assert steps, f"the advice leads nowhere: {said}"
    assert tries or "Give one letter of" in said, f"there is no advice: {said}"
    return [said, *(more for other, letters in tries for more in follow(other, letters, steps - 1))]


def try_to_write(path: Path, image: Image) -> list[str]:
    message = message_of(lambda: choose_format(path, FORMATS).write(path, image))
    endings = re.findall(r"(?:rite|or|,) (\.[a-z0-9]+(?:\.[a-z]+)*)", message.partition(")")[2])
    assert endings, f"there is no advice: {message}"
    for ending in endings:
        other = path.with_name(f"b{ending}")
        choose_format(other, FORMATS).write(other, image)
        assert open_image(other, FORMATS).data.shape == image.data.shape
    return [message]


def templates(*rooms: str) -> Iterator[tuple[str, str]]:
    """Every message of an error in the code as a pattern, with the place where it is."""
    for room in rooms:
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("Error"):
                    for argument in node.args[:1]:
                        if isinstance(argument, ast.JoinedStr):
                            yield _pattern(argument), f"{file.relative_to(ROOT)}:{node.lineno}"


def _pattern(text: ast.JoinedStr) -> str:
    parts = (
        re.escape(part.value) if isinstance(part, ast.Constant) and isinstance(part.value, str) else ".*"
        for part in text.values
    )
    return "".join(parts)


PROPOSES = re.compile(r"axes=|\\-\\-axes|for\\ example|rite\\ \\\.|Rename|Name\\ one")


def test_every_proposal_of_a_message_works_and_every_message_with_one_was_met(tmp_path: Path) -> None:
    pytest.importorskip("liffile")
    pytest.importorskip("pylibCZIrw")
    met: list[str] = []
    for number, (make, axes) in enumerate(READ.values()):
        (tmp_path / str(number)).mkdir()
        found = follow(make(tmp_path / str(number)), axes)
        assert found, f"nothing is refused: {list(READ)[number]}"
        met += found
    for name, image in WRITE.items():
        met += try_to_write(tmp_path / name, image)
    asked = {place: pattern for pattern, place in templates(*SCOPE) if PROPOSES.search(pattern)}
    unmet = [
        f"{place} {pattern}"
        for place, pattern in asked.items()
        if not any(re.fullmatch(pattern, m) for m in met)
    ]
    assert not unmet, "no situation leads to: " + "\n".join(unmet)


def test_every_flag_and_command_in_a_message_exists() -> None:
    said = " ".join(pattern.replace("\\", "") for pattern, _ in templates("."))
    flags = {flag for command in _commands(main) for option in command.params for flag in option.opts}
    told = set(re.findall(r"(?<![a-z])--[a-z][a-z-]+", said))
    assert told
    assert told <= flags, f"there is no {told - flags}"
    named = set(re.findall(r"'denoisplit ([a-z-]+) ", said))
    assert named
    assert named <= set(COMMANDS), f"there is no {named - set(COMMANDS)}"


def _commands(command: Any) -> Iterator[click.Command]:
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from _commands(command.get_command(click.Context(command), name))
    elif command is not None:
        yield command
