"""Statistics and mixed patches of the reference implementation."""

import json
from pathlib import Path

import numpy as np
import pytest

from denoisplit.core.images.intensity_statistics import intensity_stats
from denoisplit.core.images.mixing import Mixing, mix


def test_statistics_and_patches_agree_with_the_reference(golden: Path) -> None:
    with np.load(golden / "data" / "normalisation.npz") as file:
        meta = json.loads(str(file["meta"]))
        clean, noise = file["data"].astype(np.float64), file["noise"].astype(np.float64)
        mean_patch, sum_patch = file["mean_input_patch"], file["sum_input_patch"]
    values, corner = meta["values"], meta["patch"]
    counts, noisy = (np.moveaxis(frames, -1, 1) for frames in (clean, clean + noise[..., 1:]))

    bare = intensity_stats(list(counts.astype(np.float32)), Mixing())
    np.testing.assert_allclose(bare.mixed_mean, values["pooled_no_noise"]["mean"][0], rtol=1e-6)
    np.testing.assert_allclose(bare.mixed_std, values["pooled_no_noise"]["std"][0], rtol=1e-6)
    np.testing.assert_allclose(bare.target_mean, values["per_channel_no_noise"]["mean"], rtol=1e-6)
    np.testing.assert_allclose(bare.target_std, values["per_channel_no_noise"]["std"], rtol=1e-6)

    stats = intensity_stats(list(noisy.astype(np.float32)), Mixing())
    np.testing.assert_allclose(stats.mixed_std, values["pooled_dependent_noise"]["std"][0], rtol=1e-6)
    np.testing.assert_allclose(stats.target_std, values["per_channel_dependent_noise"]["std"], rtol=1e-6)

    rows, columns = (slice(corner[k], corner[k] + corner["P"]) for k in ("row", "col"))
    mixed = mix(noisy[corner["frame"], :, rows, columns], Mixing(), axis=0)[0]
    normalised = (mixed - values["pooled_dependent_noise"]["mean"][0]) / stats.mixed_std
    np.testing.assert_allclose(normalised, mean_patch, atol=1e-5)

    # The reference subtracts the mean of a sum once per channel; the correction is known (method, 5.6).
    mean, std = values["input_is_sum"]["mean"][0], values["input_is_sum"]["std"][0]
    summed = mix(counts[corner["frame"], :, rows, columns], Mixing(mode="sum"), axis=0)[0]
    np.testing.assert_allclose((summed - mean) / std, sum_patch + mean / std, atol=1e-5)
    whole = intensity_stats(list(counts.astype(np.float32)), Mixing(mode="sum"))
    assert whole.mixed_mean == pytest.approx(mean, rel=1e-6)
