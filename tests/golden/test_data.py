"""Splits, noise, statistics, lateral context and tiles of the reference implementations."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from denoisplit.core.images.degradation import Degradation, add_read_noise, shot_noise
from denoisplit.core.images.intensity_range import Clip, ceilings
from denoisplit.core.images.interfaces import AnyArray, Field, MixedSource
from denoisplit.core.images.lateral_context import context_crop, pyramid
from denoisplit.core.images.mixing import Mixing, mix, mixed_image, superimpose
from denoisplit.core.images.normalisation import Normalisation
from denoisplit.core.images.splits import reference_split
from denoisplit.core.images.statistics import intensity_stats
from denoisplit.core.inference.reference_tiling import ReferenceGrid

Arrays = dict[str, npt.NDArray[Any]]


def _open(golden: Path, name: str) -> tuple[Arrays, Any]:
    with np.load(golden / "data" / f"{name}.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    return arrays, json.loads(str(arrays.pop("meta")))


def _channels_first(frames: AnyArray) -> AnyArray:
    return np.ascontiguousarray(np.moveaxis(frames, -1, 1))


def test_frame_splits(golden: Path) -> None:
    arrays, meta = _open(golden, "frame_splits")
    for number, case in enumerate(meta["cases"]):
        fractions = case["val_fraction"], case["test_fraction"]
        found = reference_split(case["N"], *fractions, case["mode"])
        for part, short in (("train", "train"), ("validation", "val"), ("test", "test")):
            indices, expected = list(getattr(found, part)), arrays[f"{short}_{number}"].tolist()
            if fractions[0] == fractions[1]:
                assert indices == expected, (number, part)
            assert sorted(indices) == sorted(expected), (number, part)


@pytest.mark.parametrize(("dtype", "rtol", "atol"), [(np.float64, 1e-6, 1e-3), (np.float32, 1e-5, 1e-2)])
def test_pyramids(golden: Path, dtype: type[np.floating[Any]], rtol: float, atol: float) -> None:
    arrays, meta = _open(golden, "lc_pyramid")
    for number, case in enumerate(meta["cases"]):
        image = _channels_first(arrays[f"image_{number}"]).astype(dtype)
        scales = pyramid(image, case["levels"])
        assert scales[-1].dtype == dtype
        for m in range(1, case["levels"] + 1):
            expected = _channels_first(arrays[f"level_{number}_{m}"])
            np.testing.assert_allclose(scales[m], expected, rtol=rtol, atol=atol)
    ramp = np.arange(64, dtype=dtype).reshape(1, 1, 8, 8)
    np.testing.assert_allclose(
        pyramid(ramp, 1)[1], _channels_first(arrays["ramp_level1"]), rtol=rtol, atol=1e-3 * atol
    )


def test_patches_with_lateral_context(golden: Path) -> None:
    arrays, meta = _open(golden, "lc_patches")
    patch, scales = (meta["P"],) * 2, meta["M"]
    frames = _channels_first(arrays["frames"]).astype(np.float32)
    levels = pyramid(frames, scales - 1)
    grid = ReferenceGrid(
        frames=len(frames), shape=frames.shape[2:], patch=patch, grid=(meta["grid_for_centre"],) * 2
    )
    places = list(zip(arrays["frame"], arrays["positions_row_col"], arrays["patches"], strict=True))
    centres = zip(arrays["centre_index"], arrays["centre_origin"], arrays["centre_patches"], strict=True)
    for item, origin, expected in centres:
        assert grid.corner(int(item)) == tuple(origin)
        np.testing.assert_array_equal(grid.tile(frames, int(item)), expected[:, 0])
        places.append((grid.cell(int(item))[0], origin, expected))
    for frame, corner, expected in places:
        for scale in range(scales):
            found = context_crop(levels[scale][int(frame)], corner.tolist(), patch, scale)
            if scale == 0:
                np.testing.assert_array_equal(found, expected[:, 0])
            np.testing.assert_allclose(found, expected[:, scale], rtol=1e-5, atol=1e-2)

    found_numbers = re.search(r"row (\d+), col (\d+) of frame (\d+)", meta["example"])
    assert found_numbers
    row, column, frame = map(int, found_numbers.groups())
    counts = np.concatenate(
        [
            mix(context_crop(level[frame], (row, column), patch, scale), Mixing(), axis=0)
            for scale, level in enumerate(levels)
        ]
    )
    mean, std = meta["input_mean"], meta["input_std"]
    np.testing.assert_allclose((counts - mean) / std, arrays["example_input"], rtol=1e-5, atol=1e-2 / std)
    target = context_crop(frames[frame], (row, column), patch, 0)
    np.testing.assert_array_equal(target, arrays["example_target"])


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-9), (np.float32, 1e-5)])
def test_statistics(golden: Path, dtype: type[np.floating[Any]], rtol: float) -> None:
    arrays, meta = _open(golden, "normalisation")
    values = meta["values"]
    clean = _channels_first(arrays["data"]).astype(dtype)
    noisy = clean + _channels_first(arrays["noise"])[:, 1:].astype(dtype)
    pooled, total = Normalisation(targets="pooled"), Normalisation(mixed="independent")
    for name, targets, mixing, chosen in (
        ("pooled_no_noise", clean, Mixing(), pooled),
        ("pooled_dependent_noise", noisy, Mixing(), pooled),
        ("per_channel_no_noise", clean, Mixing(), None),
        ("per_channel_dependent_noise", noisy, Mixing(), None),
        ("input_is_sum", clean, Mixing(mode="sum"), total),
    ):
        stats = intensity_stats(list(targets), mixing, normalisation=chosen, noiseless=list(clean))
        mean, std = values[name]["mean"], values[name]["std"]
        if not name.startswith("per_channel"):
            np.testing.assert_allclose(stats.mixed_mean, mean[0], rtol=rtol)
            np.testing.assert_allclose(stats.mixed_std, std[0], rtol=rtol)
        if name != "input_is_sum":
            np.testing.assert_allclose(stats.target_mean, mean, rtol=rtol)
            np.testing.assert_allclose(stats.target_std, std, rtol=rtol)
    quantile = meta["clip_quantile"]
    found = ceilings(list(clean), Clip(quantile=quantile))
    np.testing.assert_allclose(found, meta["clip_value_pooled"], rtol=rtol)
    found = ceilings(list(clean), Clip(quantile=quantile, per_channel=True))
    np.testing.assert_allclose(found, meta["clip_value_per_channel"], rtol=rtol)


def test_patches_with_noise(golden: Path) -> None:
    arrays, meta = _open(golden, "normalisation")
    at = meta["patch"]
    rows, columns = (slice(at[k], at[k] + at["P"]) for k in ("row", "col"))
    clean = _channels_first(arrays["data"])[at["frame"], :, rows, columns].astype(np.float32)
    noise = _channels_first(arrays["noise"])[at["frame"], :, rows, columns]
    noisy = clean + noise[1:]
    np.testing.assert_allclose(noisy, arrays["mean_input_target"], atol=1e-5, rtol=1e-6)

    statistics = meta["values"]["pooled_dependent_noise"]
    own = {
        "mean_input_patch": noise[1:].mean(axis=0, keepdims=True),
        "mean_input_patch_independent": noise[:1],
    }
    for name, of_mixed in own.items():
        source = MixedSource(noiseless=clean, noise=of_mixed)
        mixed = superimpose(noisy, source, Mixing(), axis=0)[0]
        found = (mixed - statistics["mean"][0]) / statistics["std"][0]
        np.testing.assert_allclose(found, arrays[name], atol=1e-5)
    # The noisy channels themselves give the same as a source with dependent noise.
    mixed = superimpose(noisy, None, Mixing(), axis=0)[0]
    found = (mixed - statistics["mean"][0]) / statistics["std"][0]
    np.testing.assert_allclose(found, arrays["mean_input_patch"], atol=1e-5)

    # The stored patch of a sum has the defect of the reference, the mean subtracted from every channel.
    mean, std = (meta["values"]["input_is_sum"][key][0] for key in ("mean", "std"))
    found = (mix(clean, Mixing(mode="sum"), axis=0)[0] - mean) / std
    expected = arrays["sum_input_patch"] + (len(clean) - 1) * mean / std
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_moments_of_poisson_noise(golden: Path) -> None:
    arrays, _ = _open(golden, "noise_moments")
    draws = 200_000
    for row, level in enumerate(arrays["level"]):
        for column, factor in enumerate(arrays["phi"]):
            counts = np.full(draws, level, np.float32)
            rng = np.random.default_rng([row, column])
            found = shot_noise(counts, float(factor), rng).astype(np.float64)
            mean, variance = (arrays[f"poisson_{k}"][row, column] for k in ("mean", "variance"))
            if level == 0:
                assert not found.any()
                continue
            assert abs(found.mean() - mean) < 5 * np.sqrt(variance / draws)
            kurtosis = 1 / (level / factor)
            assert abs(found.var() - variance) < 5 * variance * np.sqrt((2 + kurtosis) / draws)
            # Of n draws, the third central moment scatters by less than this.
            scatter = np.sqrt((15 + 40 * kurtosis + 15 * kurtosis**2) * variance**3 / draws)
            third = arrays["poisson_third_central_moment"][row, column]
            assert abs(np.mean((found - mean) ** 3) - third) < 6 * scatter


@pytest.mark.parametrize("dependent", [True, False])
def test_moments_of_additive_noise(golden: Path, dependent: bool) -> None:
    arrays, meta = _open(golden, "noise_moments")
    side = 450
    kind = "dependent" if dependent else "independent"
    for channels in meta["channels"]:
        clean = np.zeros((channels, side, side), np.float32)
        for number, sigma in enumerate(arrays["sigma"]):
            degradation = Degradation(gaussian=float(sigma), dependent=dependent)
            field = add_read_noise(Field(name="f", observed=clean), degradation, Mixing(), seed=number)
            own = mixed_image(field, Mixing()).astype(np.float64).ravel()
            noise = field.observed.reshape(channels, -1).astype(np.float64)
            variance = arrays[f"{kind}_input_noise_variance_C{channels}"][number]
            covariance = 0.0
            if dependent:
                covariance = arrays[f"dependent_input_target_noise_covariance_C{channels}"][number]
            error = 5 / np.sqrt(own.size)
            assert abs(own.var() - variance) <= error * np.sqrt(2) * variance
            for target in noise:
                assert abs(target.mean()) <= error * sigma
                assert abs(target.var() - sigma**2) <= error * np.sqrt(2) * sigma**2
                spread = np.sqrt(variance * sigma**2 + covariance**2)
                assert abs(np.cov(own, target)[0, 1] - covariance) <= error * spread


def test_tile_positions(golden: Path) -> None:
    arrays, meta = _open(golden, "tile_positions")
    for number, case in enumerate(meta["cases"]):
        shape = (case["H"], case["W"])
        for key, alignment in (("centre", "centre"), ("lefttop", "left_top")):
            grid = ReferenceGrid(
                frames=case["N"],
                shape=shape,
                patch=(case["P"],) * 2,
                grid=(case["g"],) * 2,
                alignment="centre" if alignment == "centre" else "left_top",
            )
            assert len(grid) == case[key]["count"]
            assert grid.cells == (case[key]["rows"], case[key]["cols"])
            for item, frame, row, column in arrays[f"{key}_{number}"].tolist():
                assert (grid.cell(item)[0], *grid.corner(item)) == (frame, row, column)
            if key == "centre":
                covered = [cells * case["g"] for cells in grid.cells]
                uncovered = [case["uncovered_bottom"], case["uncovered_right"]]
                assert [size - c for size, c in zip(shape, covered, strict=True)] == uncovered


def test_stitching(golden: Path) -> None:
    arrays, meta = _open(golden, "stitching")
    grid = ReferenceGrid(
        frames=meta["N"], shape=(meta["H"], meta["W"]), patch=(meta["P"],) * 2, grid=(meta["g"],) * 2
    )
    stitched = grid.stitch(arrays["tiles"])
    assert stitched.dtype == arrays["stitched"].dtype
    np.testing.assert_array_equal(stitched, _channels_first(arrays["stitched"]))
