"""TIFF files of other programs (ImageJ, MetaMorph, Zeiss, cameras): their metadata and pages."""

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile

from denoisplit.testing.image_files.foreign_files import Foreign, counts, image
from denoisplit.testing.image_files.tiff_pieces import short_pieces, with_pieces
from denoisplit.testing.image_files.tiff_stacks import unlisted
from denoisplit.testing.image_files.vendor_tiffs import write_lsm, write_stk

_file: Final = partial(Foreign, name="a.tif")
_STACK: Final = counts(3, 16, 20)
_PLANE: Final = _STACK[0]
_ONE: Final = (0.1, 0.1)
_RAMP: Final = np.arange(256) * 257


def _imagej(path: Path, lines: tuple[str, ...], resolution: Any = (10, 10), **how: Any) -> None:
    text = "\n".join(["ImageJ=1.54f", *lines, ""])
    known = {"metadata": None, "resolution": resolution, "photometric": "minisblack", "data": _STACK} | how
    tifffile.imwrite(path, description=text, **known)


def _words_of_imagej() -> Iterator[Foreign]:
    planes = ("images=3", "slices=3")
    sizes: dict[tuple[str, ...], tuple[float | None, ...]] = {
        ("unit=um", "spacing=0.3"): (0.3, *_ONE),
        ("unit=um", "zunit=nm", "spacing=300"): (0.3, *_ONE),
        ("unit=cm", "yunit=mm", "zunit=pm", "spacing=2"): (2e-6, 100, 1000),
        ("unit=um", "yunit=pixel", "spacing=0.3"): (0.3, None, 0.1),
        ("unit=um", "spacing=0,5"): (None, *_ONE),
        ("unit=um", "spacing=-0.5"): (0.5, *_ONE),
        ("unit=um", "spacing=0"): (None, *_ONE),
        ("unit=um",): (1.0, *_ONE),
        ("unit=null", "spacing=0.3"): (),
        ("unit=pixel",): (),
        ("unit=inch",): (),
    }
    for lines, size in sizes.items():
        yield _file(
            what=f"ImageJ: {lines}",
            write=partial(_imagej, lines=(*planes, *lines)),
            image=image(_STACK, "zyx", size),
        )
    for (wide, high), found in {(0, 0): (None, None), (0, 5): (0.2, None), (4, 0): (None, 0.25)}.items():
        yield _file(
            what=f"ImageJ: resolution {wide}, {high}",
            write=partial(_imagej, lines=(*planes, "unit=um", "spacing=0.3"), resolution=(wide, high)),
            image=image(_STACK, "zyx", (0.3, *found)),
        )
    for unit, interval in {"sec": 2.0, "s": 2.0, "frame": None, "null": None}.items():
        lines = ("images=3", "frames=3", "finterval=2.0", f"tunit={unit}")
        yield _file(
            what=f"ImageJ: times in {unit}",
            write=partial(_imagej, lines=lines),
            image=image(_STACK, "tyx", interval=interval),
        )
    words: Any = {"axes": "TYX", "denoisplit_axes": "syx"}
    first = partial(tifffile.imwrite, data=_STACK, photometric="minisblack", metadata=words)
    yield _file(what="axes as first versions said", write=first, image=image(_STACK, "syx"))


def _calibrations() -> Iterator[Foreign]:
    line = ("cf=0", "c0=-32768.0", "c1=1.0")
    cases: list[tuple[tuple[str, ...], Any]] = [
        (line, ((1.0,), (-32768.0,))),
        (("cf=0", "c0=3", "c1=0.5"), ((0.5,), (3.0,))),
    ]
    cases += [
        (lines, None)
        for lines in (
            ("cf=20", "c0=0.0", "c1=1.0"),
            ("cf=0", "c0=3.0"),
            ("cf=0", "c1=3.0"),
            ("cf=0", "c0=nan", "c1=2"),
            ("cf=0", "c0=1", "c1=0"),
            ("c0=1", "c1=2"),
        )
    ]
    for lines, scale in cases:
        write = partial(_imagej, lines=lines, data=_PLANE)
        yield _file(what=f"ImageJ: {lines}", write=write, image=image(_PLANE, "yx", scale=scale))
    write = partial(_imagej, lines=line, data=_PLANE.astype(np.float32))
    yield _file(what="ImageJ: real numbers", write=write, image=image(_PLANE.astype("f4"), "yx"))


def _names() -> Iterator[Foreign]:
    lists: dict[tuple[str, ...], tuple[str, ...]] = {
        ("a", "b", "c"): ("a", "b", "c"),
        ("a", "b"): (),
        ("a", "b", "c", "a", "b", "c"): ("a", "b", "c"),
        ("a", "b", "c", "a", "b", "d"): (),
    }
    for labels, names in lists.items():
        planes = np.concatenate([_STACK] * max(1, len(labels) // 3))
        shape = (-1, 3, 16, 20) if len(planes) > 3 else (3, 16, 20)
        metadata: Any = {"axes": "TCYX"[-len(shape) :], "Labels": list(labels)}
        write = partial(tifffile.imwrite, data=planes.reshape(shape), imagej=True, metadata=metadata)
        found = image(planes.reshape(shape), "tcyx"[-len(shape) :], names=names)
        yield _file(what=f"labels {labels}", write=write, image=found)


def _resolutions() -> Iterator[Foreign]:
    for unit, size in {"CENTIMETER": (20.0, 40.0), "INCH": (), "NONE": ()}.items():
        write = partial(
            tifffile.imwrite, data=_PLANE, metadata=None, resolution=(250, 500), resolutionunit=unit
        )
        yield _file(what=f"pixels per {unit}", write=write, image=image(_PLANE, "yx", size))
    for spacing, depth in ((0.3, 0.3), (None, 1.0), (0, None)):
        said: Any = {"axes": "ZYX", "unit": "um"} | ({} if spacing is None else {"spacing": spacing})
        write = partial(tifffile.imwrite, data=_STACK, photometric=1, metadata=said, resolution=(10, 10))
        yield _file(what=f"steps of {spacing}", write=write, image=image(_STACK, "zyx", (depth, *_ONE)))


def _vendors() -> Iterator[Foreign]:
    for calibrated in (True, False):
        write = partial(write_stk, planes=_STACK, size=0.1613, unit="um", step=0.3, calibrated=calibrated)
        sides = (0.1613, 0.1613) if calibrated else (None, None)
        yield Foreign(
            what=f"MetaMorph, {calibrated}",
            name="a.stk",
            write=write,
            image=image(_STACK, "zyx", (0.3, *sides)),
        )
    write = partial(write_stk, planes=_STACK, size=0.1613, unit="um", step=0.0)
    yield Foreign(
        what="MetaMorph, in time", name="a.stk", write=write, image=image(_STACK, "tyx", (0.1613, 0.1613))
    )
    for depth, channels, axes in ((3, 3, "zcyx"), (3, 1, "zyx"), (1, 3, "cyx"), (1, 1, "yx")):
        pixels = np.stack([_STACK, _STACK[::-1], _STACK + 9], axis=1)[:depth, :channels]
        write = partial(write_lsm, planes=pixels, voxel=(3e-7, 2e-7, 1e-7))
        shape = tuple(side for side in pixels.shape[:2] if side > 1) + pixels.shape[2:]
        found = image(pixels.reshape(shape), axes, (0.3, 0.2, 0.1)[-2 - ("z" in axes) :])
        yield Foreign(what=f"Zeiss, {axes}", name="a.lsm", write=write, image=found)
    for state, known in (("on", (0.65, 0.35)), ("off", ()), ("", (0.65, 0.35))):
        write = partial(_metaxpress, state=state)
        found = image(_PLANE, "yx", known, names=("DAPI",))
        yield _file(what=f"MetaXpress, {state!r}", write=write, image=found)
    broken = partial(_metaxpress, state="on", cut=20)
    yield _file(what="MetaXpress, cut", write=broken, image=image(_PLANE, "yx"))


def _metaxpress(path: Path, state: str, cut: int = 0) -> None:
    props = {
        "spatial-calibration-state": ("bool", state),
        "spatial-calibration-x": ("float", "0.35"),
        "spatial-calibration-y": ("float", "0.65"),
        "spatial-calibration-units": ("string", "um"),
        "_IllumSetting_": ("string", "DAPI"),
    }
    if not state:
        del props["spatial-calibration-state"]
    inner = "".join(f'<prop id="{key}" type="{kind}" value="{said}"/>' for key, (kind, said) in props.items())
    text = f"<MetaData><PlaneInfo>{inner}</PlaneInfo></MetaData>"
    tifffile.imwrite(path, _PLANE, description=text[: len(text) - cut], metadata=None, software="MetaSeries")


def _colours() -> Iterator[Foreign]:
    for planar, axes in (("contig", "yxc"), ("separate", "cyx")):
        both = np.stack([_PLANE, np.full_like(_PLANE, 65535)], axis=-1 if planar == "contig" else 0)
        for opacity in ("unassalpha", "assocalpha", "unspecified"):
            how: dict[str, Any] = {"planarconfig": planar, "extrasamples": [opacity]}
            write = partial(tifffile.imwrite, data=both, photometric="minisblack", metadata=None, **how)
            found = image(both, axes) if opacity == "unspecified" else image(_PLANE, "yx")
            yield _file(what=f"{opacity} {planar}", write=write, image=found)
    pixels = _PLANE.astype(np.uint8)
    for what, table, gray in (
        ("gray", (_RAMP,) * 3, True),
        ("green", (0 * _RAMP, _RAMP, 0 * _RAMP), True),
        ("8 bits", (_RAMP // 257 * 256,) * 3, True),
        ("colours", (_RAMP, _RAMP[::-1], _RAMP), False),
        ("inverted", (_RAMP[::-1],) * 3, False),
        ("uneven", (np.sqrt(_RAMP / 65535.0) * 65535,) * 3, False),
        ("black", (0 * _RAMP,) * 3, False),
    ):
        write = partial(
            tifffile.imwrite,
            data=pixels,
            photometric="palette",
            colormap=np.stack(table).astype(np.uint16),
            metadata=None,
        )
        found = image(pixels, "yx")
        yield _file(what=f"a palette, {what}", write=write, image=found, axes=None if gray else "yx")
        if not gray:
            yield _file(what=f"a palette, {what}", write=write)
    negative = partial(tifffile.imwrite, data=_PLANE, photometric="miniswhite", metadata=None)
    yield _file(what="a negative", write=negative)
    yield _file(what="a negative", write=negative, axes="yx", image=image(_PLANE, "yx"))
    shown = partial(_imagej, lines=("min=0", "max=9"), data=_PLANE, photometric="miniswhite")
    yield _file(what="an inverted display", write=shown, image=image(_PLANE, "yx"))
    rgb = counts(16, 20, 3, kind="uint8")
    write = partial(tifffile.imwrite, data=rgb, photometric="rgb", metadata=None)
    yield _file(what="a picture", write=write)
    yield _file(what="a picture", write=write, axes="yxc", image=image(rgb, "yxc"))
    yield _file(what="black and white", write=partial(tifffile.imwrite, data=_PLANE > 99, metadata=None))


def _pages(path: Path, pages: list[Any], **how: Any) -> None:
    with tifffile.TiffWriter(path, **how) as writer:
        for page, more in pages:
            writer.write(page, metadata=None, contiguous=False, photometric="minisblack", **more)


def _layouts() -> Iterator[Foreign]:
    large = counts(3, 50, 70)
    storing: tuple[dict[str, Any], ...] = (
        {"tile": (16, 32)},
        {"tile": (16, 32), "compression": "zlib"},
        {"rowsperstrip": 7},
        {"rowsperstrip": 7, "compression": "lzw"},
        {"byteorder": ">"},
        {"byteorder": ">", "compression": "zlib", "predictor": True},
        {"bigtiff": True, "tile": (16, 16)},
    )
    for how in storing:
        metadata = {"axes": "ZYX"}
        write = partial(tifffile.imwrite, data=large, metadata=metadata, photometric="minisblack", **how)
        yield _file(what=f"{how}", write=write, image=image(large, "zyx"))
    plain: dict[str, Any] = {}
    for what, pages in (
        ("two sizes", [(_PLANE, plain), (_PLANE[:8], plain)]),
        ("two kinds", [(_PLANE, plain), (_PLANE.astype("f4"), plain)]),
    ):
        yield _file(what=what, write=partial(_pages, pages=pages))
    many = counts(9, 16, 20)  # so many pages are read as if all were like the first
    halves = partial(_pages, pages=[(plane, {"rowsperstrip": 8}) for plane in many])
    moved = partial(with_pieces, write=halves, change=lambda of: of[::-1], tag=273, page=2)
    turned = image(np.stack([*many[:2], np.roll(many[2], 8, 0), *many[3:]]), "zyx")
    yield _file(what="strips in another order", write=moved, axes="zyx", image=turned)
    kinds = (None, None, "zlib", *(None,) * 6)
    stored = [{"compression": kind, "subfiletype": 2} for kind in kinds]
    third = partial(_pages, pages=[*zip(many, stored, strict=True)])
    yield _file(what="a compressed page", write=third, axes="zyx", image=image(many, "zyx"))
    alike = partial(_pages, pages=[(plane, plain) for plane in _STACK])
    yield _file(what="pages of an unknown sort", write=alike)
    yield _file(what="pages", write=alike, axes="tyx", image=image(_STACK, "tyx"))


def _damaged() -> Iterator[Foreign]:
    stack = partial(tifffile.imwrite, data=_STACK, metadata={"axes": "ZYX"}, photometric="minisblack")
    for words, damage in ((b'"shape"', b'"sh?pe"'), (b"[3, 16", b"[3, 99"), (b'"ZYX"', b'"Z,X ')):
        write = partial(_replaced, write=stack, words=words, damage=damage)
        yield _file(what=f"{damage!r}", write=write)
        yield _file(what=f"{damage!r}", write=write, axes="zyx", image=image(_STACK, "zyx"))
    metamorph = partial(write_stk, planes=_STACK, size=0.1, unit="um", step=0.3)
    tag = struct.pack("<HHI", 33628, 4, 4), struct.pack("<HHI", 33628, 3, 4)
    write = partial(_replaced, write=metamorph, words=tag[0], damage=tag[1])
    yield Foreign(
        what="MetaMorph, unreadable", name="a.stk", write=write, axes="zyx", image=image(_STACK, "zyx")
    )
    strips = partial(tifffile.imwrite, data=_PLANE, metadata=None, rowsperstrip=4, compression="zlib")
    for known in (273, 279):
        lacking = partial(with_pieces, write=strips, change=lambda of: (of[0], 0, *of[2:]), tag=known)
        yield _file(what="a strip is missing", write=lacking)
    for lost in (1, 90, 300, 700):
        pages: list[Any] = [(np.full((8, 8), page, np.uint8), {}) for page in range(5)]
        write = partial(_cut, write=partial(_pages, pages=pages), lost=lost)
        yield _file(what=f"{lost} bytes are missing", write=write, axes="zyx")


def _replaced(path: Path, write: Any, words: bytes, damage: bytes) -> None:
    write(path)
    path.write_bytes(path.read_bytes().replace(words, damage))


def _cut(path: Path, write: Any, lost: int) -> None:
    write(path)
    path.write_bytes(path.read_bytes()[:-lost])


FILES: Final = (
    *_words_of_imagej(),
    *_calibrations(),
    *_names(),
    *_resolutions(),
    *_vendors(),
    *_colours(),
    *_layouts(),
    *short_pieces(),
    *unlisted(),
    *_damaged(),
)
