"""Mutants of image formats."""

from typing import Any

import attrs
import numpy as np

from tests.testing.mutants import Change, Mutant, after, around, replaced

DRAWN = "images_come_back"
EVERYTHING = "everything_known_of_an_image_comes_back"
REGION = "a_region_is_that_part_of_the_image"
GIVEN = "given_axes_win_over_those_of_the_file"
KEPT = "a_folder_of_something_else_is_never_replaced"
READ_ONLY = "names_that_are_only_read_are_not_written"
TRUNCATED = "a_truncated_file_is_refused"


def flipped(old: Any, self: Any, path: Any, image: Any) -> None:
    old(self, path, attrs.evolve(image, data=image.data[..., ::-1]))


def names_reversed(old: Any, self: Any, path: Any, image: Any) -> None:
    old(self, path, attrs.evolve(image, channel_names=image.channel_names[::-1]))


def without(**change: Any) -> Change:
    """Something that is not written."""
    return around(lambda old, self, path, image: old(self, path, attrs.evolve(image, **change)))


def read_without(**change: Any) -> Change:
    """Something that is not read."""
    return after(lambda image: attrs.evolve(image, **change))


def doubled(old: Any, image: Any, *unit: str) -> Any:
    return {letter: 2 * size for letter, size in old(image, *unit).items()}


def deaf(old: Any, self: Any, path: Any, *, axes: str | None = None) -> Any:
    return old(self, path)


def common(name: str, module: str, cls: str) -> tuple[Mutant, ...]:
    """Changes that fit every format."""
    kind, target = f"image_format/{name}", f"image_formats.{module}:{cls}"
    return (
        Mutant(kind, "sign of x", f"{target}.write", around(flipped), DRAWN),
        Mutant(kind, "order of names", f"{target}.write", around(names_reversed), EVERYTHING),
        Mutant(kind, "dropped names", f"{target}.write", without(channel_names=()), DRAWN),
        Mutant(kind, "dropped pixel size", f"{target}.write", without(pixel_size=None), DRAWN),
        Mutant(kind, "dropped time interval", f"{target}.open", read_without(time_interval=None), EVERYTHING),
        Mutant(kind, "dropped scale", f"{target}.open", read_without(intensity_scale=None), EVERYTHING),
        Mutant(kind, "deaf to axes", f"{target}.open", around(deaf), GIVEN),
    )


def read_only(name: str, cls: str) -> tuple[Mutant, ...]:
    """Changes that fit every format that is only read."""
    kind, target = f"image_format/{name}", f"image_formats.{name}:{cls}"
    return (
        Mutant(kind, "dropped names", f"{target}.open", read_without(channel_names=()), DRAWN),
        Mutant(kind, "dropped pixel size", f"{target}.open", read_without(pixel_size=None), DRAWN),
        Mutant(kind, "dropped time interval", f"{target}.open", read_without(time_interval=None), EVERYTHING),
        Mutant(kind, "deaf to axes", f"{target}.open", around(deaf), GIVEN),
        Mutant(kind, "no refusal", f"{target}.write", replaced(lambda *_: None), READ_ONLY),
    )


def first_place(old: Any, self: Any, region: Any) -> Any:
    return old(self, tuple(slice(0, part.stop - part.start) for part in region))


def upside_down(old: Any, self: Any, *rest: Any) -> Any:
    return old(self, *rest)[::-1]


def filled_up(header: Any, _path: Any) -> Any:
    return np.zeros(header.shape, header.dtype)


METADATA, PNG = "image_formats._tiff_metadata", "image_formats.png"
NODES, NUMPY = "image_formats._zarr_nodes", "image_formats.numpy_arrays"
CZI, ND2, LIF = "image_formats.czi", "image_formats.nd2", "image_formats.lif"
HEADER, HDF5 = "image_formats._mrc_header", "image_formats.hdf5"

FORMAT_MUTANTS = (
    *common("ome_tiff", "ome_tiff", "OmeTiff"),
    *common("tiff", "tiff", "Tiff"),
    *common("ome_zarr", "ome_zarr", "OmeZarr"),
    *common("zarr", "zarr_arrays", "ZarrArrays"),
    *common("hdf5", "hdf5", "Hdf5"),
    *common("mrc", "mrc", "Mrc"),
    *common("numpy", "numpy_arrays", "NumpyArrays"),
    *read_only("czi", "Czi"),
    *read_only("nd2", "Nd2"),
    *read_only("lif", "Lif"),
    Mutant("image_format/czi", "first place", f"{CZI}:_Scene.read", around(first_place), REGION),
    Mutant("image_format/czi", "sign of y", f"{CZI}:_Scene._plane", around(upside_down), DRAWN),
    Mutant(
        "image_format/czi",
        "dropped pixels",
        f"{CZI}:pixels",
        around(lambda old, file, block, path: np.zeros(block.shape, block.dtype)),
        DRAWN,
    ),
    Mutant("image_format/nd2", "first place", f"{ND2}:_Frames.read", around(first_place), REGION),
    Mutant(
        "image_format/lif",
        "scale",
        f"{LIF}:_steps",
        after(lambda steps: {letter: 2 * step for letter, step in steps.items()}),
        EVERYTHING,
    ),
    Mutant(
        "image_format/ome_tiff", "scale", "image_formats.ome_tiff:sizes_by_axis", around(doubled), EVERYTHING
    ),
    Mutant(
        "image_format/tiff",
        "dropped remark",
        "image_formats._imagej_header:remark_text",
        replaced(lambda _layout: ""),
        EVERYTHING,
    ),
    Mutant("image_format/mrc", "filled up", f"{HEADER}:Header.pixels", replaced(filled_up), TRUNCATED),
    Mutant("image_format/png", "8 bits", f"{PNG}:_gray", after(lambda pixels: pixels.astype("u1")), DRAWN),
    Mutant("image_format/png", "no refusal", f"{PNG}:Png.write", replaced(lambda *_: None), READ_ONLY),
    Mutant("image_format/png", "deaf to axes", f"{PNG}:Png.open", around(deaf), GIVEN),
    Mutant(
        "image_format/tiff",
        "dropped order",
        f"{METADATA}:as_noted",
        replaced(lambda data, axes, said, override: (data, axes)),
        DRAWN,
    ),
    Mutant(
        "image_format/tiff",
        "read only",
        "image_formats.tiff:check_name",
        replaced(lambda *_: None),
        READ_ONLY,
    ),
    Mutant(
        "image_format/mrc", "read only", "image_formats.mrc:check_name", replaced(lambda *_: None), READ_ONLY
    ),
    Mutant(
        "image_format/ome_zarr",
        "dropped order",
        f"{NODES}:_as_noted",
        replaced(lambda image, _: image),
        DRAWN,
    ),
    *(
        Mutant(
            f"image_format/{name}",
            "any folder",
            "image_formats._zarr_format:ZarrFormat.may_replace",
            replaced(lambda _, path: path.is_dir()),
            KEPT,
        )
        for name in ("ome_zarr", "zarr")
    ),
    Mutant(
        "image_format/hdf5",
        "first place",
        f"{HDF5}:_read",
        around(
            lambda old, file, name, region: old(file, name, tuple(slice(0, r.stop - r.start) for r in region))
        ),
        REGION,
    ),
)
