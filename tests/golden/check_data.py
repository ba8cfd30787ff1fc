"""Data: splits, pyramids, patches and tiles."""

from typing import Any

import numpy as np

from benchmarks.reference_tiling import ReferenceGrid
from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.context_pyramid import context_crop, pyramid
from denoisplit.core.images.mixing import Mixing, mix
from denoisplit.core.images.splits import reference_split
from tests.golden.account import GoldenFile
from tests.golden.check_likelihoods import number_of
from tests.golden.tolerance import EXACT, Tolerance


def channels_first(frames: AnyArray) -> AnyArray:
    """Frames [n y x c] as [n c y x]."""
    return np.ascontiguousarray(np.moveaxis(frames, -1, 1))


def channels_last(frames: AnyArray) -> AnyArray:
    """Frames [n c y x] as [n y x c]."""
    return np.moveaxis(frames, 1, -1)


def check_splits(file: GoldenFile) -> None:
    """Frames of every part; in order where the fractions are equal, as sets elsewhere."""
    for number, case in enumerate(file.meta["cases"]):
        fractions = case["val_fraction"], case["test_fraction"]
        found = reference_split(case["N"], *fractions, case["mode"])
        ordered = fractions[0] == fractions[1]
        for part, short in (("train", "train"), ("validation", "val"), ("test", "test")):
            indices = np.array(getattr(found, part), dtype=np.int64)
            file.compare(f"{short}_{number}", indices, EXACT, by=np.asarray if ordered else np.sort)


def check_pyramids(file: GoldenFile) -> None:
    """Halved images, in both precisions."""
    dtypes: tuple[type[np.floating[Any]], ...] = (np.float64, np.float32)
    for dtype in dtypes:
        within = file.tolerance(np.dtype(dtype).name)
        for number, case in enumerate(file.meta["cases"]):
            image = channels_first(file.given(f"image_{number}")).astype(dtype)
            scales = pyramid(image, case["levels"])
            assert scales[-1].dtype == dtype
            for m, scale in enumerate(scales[1:], start=1):
                file.compare(f"level_{number}_{m}", channels_last(scale[...]), within)
        sides = tuple(2 * n for n in file.arrays["ramp_level1"].shape[1:3])
        ramp = np.arange(np.prod(sides), dtype=dtype).reshape(1, 1, *sides)
        fine = Tolerance(within.rtol, 1e-3 * within.atol)
        file.compare("ramp_level1", channels_last(pyramid(ramp, 1)[1][...]), fine)


def check_patches(file: GoldenFile) -> None:
    """Patches with their surround, at given places and on the centred grid, and one ready for the network."""
    meta = file.meta
    patch, scales = (meta["P"],) * 2, meta["M"]
    frames = channels_first(file.given("frames")).astype(np.float32)
    levels = pyramid(frames, scales - 1)

    def surround(frame: int, corner: list[int]) -> AnyArray:
        cut = [context_crop(levels[m][frame], corner, patch, m) for m in range(scales)]
        return np.stack(cut, axis=1)

    def compare(name: str, found: list[AnyArray]) -> None:
        file.compare(name, np.stack(found), EXACT, by=lambda patches: patches[:, :, :1])
        file.compare(name, np.stack(found), file.tolerance("other"))

    positions, frame = file.given("positions_row_col"), file.given("frame")
    compare("patches", [surround(int(n), at.tolist()) for n, at in zip(frame, positions, strict=True)])

    grid = ReferenceGrid(
        frames=len(frames), shape=frames.shape[2:], patch=patch, grid=(meta["grid_for_centre"],) * 2
    )
    items = [int(item) for item in file.given("centre_index")]
    file.compare("centre_origin", [grid.corner(item) for item in items], EXACT)
    compare("centre_patches", [surround(grid.cell(item)[0], list(grid.corner(item))) for item in items])
    tiles = np.stack([grid.tile(frames, item) for item in items])
    np.testing.assert_array_equal(tiles, file.arrays["centre_patches"][:, :, 0])

    row, column, chosen = (int(number_of(meta["example"], word)) for word in ("row", "col", "frame"))
    example = surround(chosen, [row, column])
    mixed = mix(example, Mixing(), axis=0)[0]
    std = float(meta["input_std"])
    counts = file.tolerance("other")
    file.compare(
        "example_input", (mixed - meta["input_mean"]) / std, Tolerance(counts.rtol, float(counts.atol) / std)
    )
    file.compare("example_target", example[:, 0], EXACT)


def check_tiles(file: GoldenFile) -> None:
    """Places of tiles, how many there are, and what they leave uncovered."""
    for number, case in enumerate(file.meta["cases"]):
        shape = (case["H"], case["W"])
        for name in ("centre", "lefttop"):
            grid = ReferenceGrid(
                frames=case["N"],
                shape=shape,
                patch=(case["P"],) * 2,
                grid=(case["g"],) * 2,
                alignment="centre" if name == "centre" else "left_top",
            )
            items = file.arrays[f"{name}_{number}"][:, 0].tolist()
            found = [(item, grid.cell(item)[0], *grid.corner(item)) for item in items]
            file.compare(f"{name}_{number}", found, EXACT)
            for key, value in zip(("count", "rows", "cols"), (len(grid), *grid.cells), strict=True):
                file.compare(f"cases/{number}/{name}/{key}", value, EXACT)
            if name == "centre":
                rest = [n - cells * case["g"] for n, cells in zip(shape, grid.cells, strict=True)]
                for key, value in zip(("bottom", "right"), rest, strict=True):
                    file.compare(f"cases/{number}/uncovered_{key}", value, EXACT)


def check_stitching(file: GoldenFile) -> None:
    """Tiles to frames."""
    meta = file.meta
    grid = ReferenceGrid(
        frames=meta["N"], shape=(meta["H"], meta["W"]), patch=(meta["P"],) * 2, grid=(meta["g"],) * 2
    )
    stitched = grid.stitch(file.given("tiles"))
    assert stitched.dtype == file.arrays["stitched"].dtype
    file.compare("stitched", channels_last(stitched), EXACT)
