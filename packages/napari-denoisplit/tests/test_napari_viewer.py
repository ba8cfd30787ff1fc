"""The plugin in a window of napari."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Pixels

import denoisplit

pytest.importorskip("napari", reason="napari is not installed: make napari")
pytest.importorskip("pytestqt", reason="pytest-qt is not installed: make napari")
if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
    pytest.skip("there is no display for a window: make napari", allow_module_level=True)

PLUGIN = "napari-denoisplit"
CHANNELS = ("filaments", "mitochondria")


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any], npe2pm: Any) -> Any:
    """A window of napari in which this plugin alone is discovered."""
    from npe2 import PluginManifest

    npe2pm.register(PluginManifest.from_distribution(PLUGIN))
    return make_napari_viewer()


@pytest.fixture
def widget(viewer: Any, trained: Path, mixed: Pixels) -> Any:
    """The widget that splits, with a run and an image chosen."""
    viewer.add_image(mixed, name="cells", scale=(0.1, 0.1), units=("um", "um"), translate=(3, 5))
    viewer.open(str(trained), plugin=PLUGIN)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Split")  # which is there already
    dock.samples.value = 3
    return dock


def wait(qtbot: Any, widget: Any) -> None:
    qtbot.waitUntil(lambda: widget.start.enabled, timeout=60_000)


def test_a_file_opens_with_scale_units_names_and_colours(viewer: Any, trained: Path, tmp_path: Path) -> None:
    from denoisplit.core.images.bases import Image, PixelSize

    pixels = np.random.default_rng(0).normal(110, 6, (2, 18, 22)).astype(np.float32)
    image = Image(data=pixels, axes="zyx", pixel_size=PixelSize((0.3, 0.1, 0.1)))
    run = denoisplit.load(trained)
    run.predict(image, samples=2, output=["mean", "std", "samples"]).save(tmp_path / "split.ome.tif")
    viewer.open(str(tmp_path / "split.ome.tif"), plugin=PLUGIN)
    layer = viewer.layers["filaments mean"]
    np.testing.assert_allclose(layer.scale, (0.3, 0.1, 0.1))
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert (layer.colormap.name, viewer.layers["filaments std"].colormap.name) == ("green", "inferno")
    assert viewer.layers["filaments samples"].data.shape == (2, 2, 18, 22)
    assert viewer.dims.ndim == 4
    assert viewer.layers["filaments samples"].axis_labels == ("sample", "z", "y", "x")


@pytest.mark.parametrize("unit", ["fm", "pm", "Å", "nm", "µm", "mm", "cm", "in", "dm", "m", "km"])
def test_napari_knows_every_unit_of_length(viewer: Any, tmp_path: Path, unit: str) -> None:
    from denoisplit.core.images.bases import Image, PixelSize
    from denoisplit.core.images.physical_units import IN_MICRONS
    from denoisplit.core.storage.image_files import save_image

    size = PixelSize((2 / IN_MICRONS[unit], 2 / IN_MICRONS[unit]), unit)
    save_image(tmp_path / "a.h5", Image(data=np.ones((4, 4), np.uint16), axes="yx", pixel_size=size))
    (layer,) = viewer.open(str(tmp_path / "a.h5"), plugin=PLUGIN)
    quantity = layer.scale[0] * layer.units[0]
    assert (1 * quantity).to("um").magnitude == pytest.approx(2)


def test_the_sample_opens(viewer: Any) -> None:
    viewer.open_sample(PLUGIN, "simulated")
    assert [layer.name for layer in viewer.layers if layer.visible] == ["mixed (simulated)"]


def test_a_run_that_is_dropped_opens_the_widget_with_it(widget: Any, trained: Path) -> None:
    assert widget.run_folder.value == trained
    assert "filaments + mitochondria" in widget.told.text
    assert widget.layer.value.name == "cells"
    assert (widget.axes.value, widget.start.enabled, widget.cancel.enabled) == ("yx", True, False)


def test_the_result_has_the_place_of_its_image_and_the_pixels_of_predict(
    widget: Any, viewer: Any, qtbot: Any, trained: Path, mixed: Pixels
) -> None:
    widget.keep.value = True
    widget.start.native.click()
    assert (widget.start.enabled, widget.cancel.enabled) == (False, True)
    wait(qtbot, widget)
    expected = denoisplit.load(trained).predict(mixed, samples=3)
    source = viewer.layers["cells"]
    for number, channel in enumerate(CHANNELS):
        layer = viewer.layers[f"{channel} mean"]
        np.testing.assert_array_equal(layer.data, expected.mean[number])
        np.testing.assert_allclose(layer.scale, source.scale)
        np.testing.assert_allclose(layer.translate, source.translate)
        assert layer.units == source.units
        assert viewer.layers[f"{channel} samples"].data.shape == (3, *mixed.shape)
        assert f"{channel} calibrated std" in viewer.layers
    assert not source.visible
    assert widget.told.text.startswith("Done. ")
    widget.start.native.click()  # names that are taken say which image they are of
    wait(qtbot, widget)
    assert "filaments mean (cells)" in viewer.layers


def test_a_rotated_image_gets_results_at_its_place(
    widget: Any, viewer: Any, qtbot: Any, mixed: Pixels
) -> None:
    turned = viewer.add_image(
        mixed, name="turned", scale=(0.2, 0.1), units=("um", "um"), rotate=30, shear=[0.3], translate=(3, 5)
    )
    widget.layer.value = turned
    widget.keep.value = True
    widget.start.native.click()
    wait(qtbot, widget)
    for place in ((0, 0), (17, 4), (3, 21)):
        world = turned.data_to_world(place)
        np.testing.assert_allclose(viewer.layers["filaments mean"].data_to_world(place), world)
        np.testing.assert_allclose(viewer.layers["filaments samples"].data_to_world((2, *place)), (2, *world))


def test_stop_ends_the_work_and_adds_nothing(widget: Any, viewer: Any, qtbot: Any) -> None:
    widget.samples.value = 1000
    before = len(viewer.layers)
    widget.start.native.click()
    qtbot.waitUntil(lambda: widget.bar.value > 0, timeout=60_000)
    told = widget.told.text
    widget.cancel.native.click()
    wait(qtbot, widget)
    assert told.endswith("of 1000 passes")
    assert (widget.told.text, len(viewer.layers)) == ("Stopped.", before)
    widget.samples.value = 2
    widget.start.native.click()
    wait(qtbot, widget)
    assert "filaments mean" in viewer.layers


def test_a_job_stops_with_the_widget_that_it_works_for_and_tells_nobody(qtbot: Any) -> None:
    from napari_denoisplit.background import Hearer, Job
    from qtpy.QtCore import QObject

    owner, told, left = QObject(), list[object](), list[int]()

    def work(progress: Callable[[int, int], None]) -> None:
        try:
            for number in range(10_000):
                progress(number, 10_000)
                time.sleep(0.005)
        finally:
            left.append(number)

    hearer = Hearer(
        progress=lambda *now: told.append(now), made=told.append, failed=told.append, ended=left.clear
    )
    Job(work, hearer, owner).start()
    qtbot.waitUntil(lambda: bool(told))
    owner.deleteLater()
    qtbot.waitUntil(lambda: bool(left))
    told.clear()
    qtbot.wait(300)
    assert (told, len(left)) == ([], 1)
    assert left[0] < 9_999


def test_a_pyramid_is_split_at_its_full_size(widget: Any, viewer: Any, qtbot: Any, mixed: Pixels) -> None:
    pyramid = viewer.add_image([mixed, mixed[::2, ::2]], name="pyramid", multiscale=True)
    widget.layer.value = pyramid
    widget.start.native.click()
    wait(qtbot, widget)
    assert viewer.layers["filaments mean"].data.shape == mixed.shape


def test_what_is_wrong_is_told_in_the_widget(widget: Any, viewer: Any, qtbot: Any, tmp_path: Path) -> None:
    widget.axes.value = "zyx"
    widget.start.native.click()
    assert "one letter per axis (got 'zyx' for 2 axes)" in widget.told.text
    widget.axes.value = "yq"
    widget.start.native.click()
    wait(qtbot, widget)
    assert "axes have unknown letters" in widget.told.text
    picture = viewer.add_image(np.zeros((8, 8, 3), np.uint8), name="photo", rgb=True)
    widget.layer.value = picture
    widget.start.native.click()
    assert "photo: is a picture in colours" in widget.told.text
    (tmp_path / "model.json").touch()
    widget.run_folder.value = tmp_path
    assert "model.safetensors is missing" in widget.told.text


def test_the_example_opens_and_is_chosen(widget: Any, viewer: Any, qtbot: Any) -> None:
    widget.example.native.click()
    wait(qtbot, widget)
    assert widget.layer.value.name == "mixed (simulated 3-0)"
    assert [layer.name for layer in viewer.layers if layer.visible] == ["cells", "mixed (simulated 3-0)"]


def test_the_uncertainty_fades_in_and_single_samples_take_the_place_of_the_average(
    widget: Any, viewer: Any, qtbot: Any
) -> None:
    widget.keep.value = True
    widget.start.native.click()
    wait(qtbot, widget)
    _, shown = viewer.window.add_plugin_dock_widget(PLUGIN, "Uncertainty")

    def visible() -> set[str]:
        return {layer.name for layer in viewer.layers if layer.visible}

    shown.overlay.value = 0.25
    assert visible() == {f"{channel} {kind}" for channel in CHANNELS for kind in ("mean", "calibrated std")}
    mean, spread = viewer.layers["filaments mean"], viewer.layers["filaments calibrated std"]
    assert (mean.opacity, spread.opacity, mean.colormap.name) == (0.75, 0.25, "gray")
    shown.channel.value = "mitochondria"
    assert visible() == {"mitochondria mean", "mitochondria calibrated std"}
    shown.overlay.value = 0
    shown.view.value = "single samples"
    assert visible() == {"mitochondria samples"}
    assert viewer.layers["mitochondria samples"].colormap.name == "magenta"
    del viewer.layers["filaments samples"], viewer.layers["mitochondria samples"]
    shown.overlay.value = 0.5
    assert "There are no single samples" in shown.told.text
