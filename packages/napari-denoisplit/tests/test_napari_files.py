"""Image files as layers."""

from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import numpy.typing as npt
import pytest
from napari_denoisplit.file_layers import file_layers
from napari_denoisplit.layer_data import KEY

import denoisplit
from denoisplit.core.images.bases import Image, PixelSize, TimeInterval
from denoisplit.core.images.scaled import as_dtype
from denoisplit.core.storage.image_files import save_image

KINDS = ("mean", "std", "calibrated std", "interval 0.9 low", "interval 0.9 high", "sample 0", "sample 1")
CHANNELS = ("actin", "heat shock std protein")
NAMES = tuple(f"{channel} {kind}" for kind in KINDS for channel in CHANNELS)


def prediction(*rest: int, axes: str = "cyx") -> Image:
    """A file as a prediction writes it, every channel with pixels of its own, too large for 16 bits."""
    pixels = np.random.default_rng(1).normal(5e4, 2e4, (len(NAMES), *rest)).astype(np.float32)
    size = PixelSize((0.3, 0.08, 0.1)[-sum(a in "zyx" for a in axes) :])
    return Image(data=pixels, axes=axes, channel_names=NAMES, pixel_size=size)


def half_a_step(stored: Image) -> float:
    """How far counts may be from what was written."""
    return 0.0 if stored.intensity_scale is None else 0.51 * stored.intensity_scale.factor[0]


def by_name(path: Path) -> dict[str, tuple[Any, dict[str, Any]]]:
    return {said["name"]: (pixels, said) for pixels, said, kind in file_layers(path) if kind == "image"}


@pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".ome.zarr", ".zarr", ".h5", ".npz"])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_a_prediction_in_any_format_has_a_layer_per_image_in_counts(
    tmp_path: Path, ending: str, dtype: str
) -> None:
    written = prediction(9, 12)
    stored = as_dtype(written, dtype)
    save_image(tmp_path / f"split{ending}", stored)
    found = by_name(tmp_path / f"split{ending}")
    assert set(found) == {*NAMES[:10], "actin samples", "heat shock std protein samples"}
    tolerance = half_a_step(stored)
    assert (tolerance > 0) is (dtype == "uint16")
    for number, name in enumerate(NAMES[:10]):
        pixels, said = found[name]
        np.testing.assert_allclose(pixels, written.pixels[number], atol=tolerance)
        assert said["scale"] == pytest.approx((0.08, 0.1))
        assert said["units"] == ("µm", "µm")
        assert said["axis_labels"] == ("y", "x")
    pixels, said = found["actin samples"]
    np.testing.assert_allclose(pixels, written.pixels[[10, 12]], atol=tolerance)
    assert (said["axis_labels"], said["units"]) == (("sample", "y", "x"), ("pixel", "µm", "µm"))
    assert said["scale"] == pytest.approx((1, 0.08, 0.1))


def test_structures_have_colours_and_uncertainty_a_perceptual_map_and_is_hidden(tmp_path: Path) -> None:
    save_image(tmp_path / "a.ome.tif", prediction(9, 12))
    found = by_name(tmp_path / "a.ome.tif")
    said = {name: one for name, (_, one) in found.items()}
    assert [said[f"{channel} mean"]["colormap"] for channel in CHANNELS] == ["green", "magenta"]
    assert said["actin samples"]["colormap"] == "green"
    assert {said[f"actin {kind}"]["colormap"] for kind in ("std", "calibrated std")} == {"inferno"}
    assert {said[f"actin interval 0.9 {end}"]["colormap"] for end in ("low", "high")} == {"viridis"}
    assert [name for name, one in said.items() if one["visible"]] == [f"{c} mean" for c in CHANNELS]
    assert list(said)[-2:] == [f"{channel} mean" for channel in CHANNELS]  # on top
    told = {
        name: (one["metadata"][KEY]["channel"], one["metadata"][KEY]["kind"]) for name, one in said.items()
    }
    assert told["heat shock std protein std"] == ("heat shock std protein", "std")
    # Single answers look as bright as their average, and an uncertainty begins at 0.
    assert said["actin samples"]["contrast_limits"] == said["actin mean"]["contrast_limits"]
    assert said["actin std"]["contrast_limits"][0] == 0


def test_a_movie_of_stacks_keeps_time_depth_and_their_units(tmp_path: Path) -> None:
    pixels = np.arange(3 * 2 * 4 * 5, dtype=np.uint16).reshape(3, 2, 4, 5)
    movie = Image(
        data=pixels,
        axes="tzyx",
        pixel_size=PixelSize((0.3, 0.08, 0.1)),
        time_interval=TimeInterval(2.5, "s"),
    )
    save_image(tmp_path / "movie.ome.tif", movie)
    ((data, said, _),) = file_layers(tmp_path / "movie.ome.tif")
    np.testing.assert_array_equal(data, pixels)
    assert said["axis_labels"] == ("t", "z", "y", "x")
    assert said["scale"] == pytest.approx((2.5, 0.3, 0.08, 0.1))
    assert said["units"] == ("s", "µm", "µm", "µm")
    assert (said["name"], said["colormap"], said["visible"]) == ("movie", "gray", True)


def test_an_unknown_size_is_a_pixel_and_channels_come_apart_wherever_their_axis_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 99, (6, 7, 2)).astype(np.uint16)
    save_image(tmp_path / "a.h5", Image(data=pixels, axes="yxc", channel_names=("dna", "tubulin")))
    found = by_name(tmp_path / "a.h5")
    for number, name in enumerate(("dna", "tubulin")):
        np.testing.assert_array_equal(found[name][0], pixels[..., number])
        assert (found[name][1]["scale"], found[name][1]["units"]) == ((1.0, 1.0), ("pixel", "pixel"))


def test_large_pixels_are_read_plane_by_plane_when_they_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = prediction(3, 9, 12, axes="czyx")
    stored = as_dtype(written, "uint16")
    save_image(tmp_path / "a.ome.zarr", stored)
    monkeypatch.setattr("denoisplit.core.images.lazy.LAZY_FROM", 0)
    read: list[Any] = []
    opened = denoisplit.read_image(tmp_path / "a.ome.zarr")
    kind = type(opened.data)
    plain = kind.__getitem__

    def told(self: Any, key: Any) -> npt.NDArray[Any]:
        read.append(key)
        found: npt.NDArray[Any] = plain(self, key)
        return found

    monkeypatch.setattr(kind, "__getitem__", told)
    found = by_name(tmp_path / "a.ome.zarr")
    mean, samples = found["actin mean"][0], found["actin samples"][0]
    assert isinstance(mean, dask.array.Array)
    assert "contrast_limits" not in found["actin mean"][1]
    assert read == []
    np.testing.assert_allclose(np.asarray(mean[1]), written.pixels[0, 1], atol=half_a_step(stored))
    assert len(read) == 1
    np.testing.assert_allclose(
        np.asarray(samples[:, 2]), written.pixels[[10, 12], 2], atol=half_a_step(stored)
    )
