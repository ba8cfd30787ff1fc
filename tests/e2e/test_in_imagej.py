"""What ImageJ itself shows of our files, and what the macros of the page do there. Needs xvfb-run."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import denoisplit
from denoisplit.core.images import writing
from denoisplit.core.images.bases import Image, ImageLayout, PixelSize, TimeInterval
from denoisplit.core.images.scaled import as_dtype
from denoisplit.core.storage.image_files import save_image
from tests.docs.test_code_blocks import ROOT, blocks
from tests.e2e.experiment import CHANNELS, PIXEL_SIZE, Experiment
from tests.plugins.test_tiff_above_4_gib import sparse

JAR: Final = Path(os.environ.get("IMAGEJ_JAR", "/usr/share/java/ij.jar"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not JAR.is_file() or not shutil.which("java") or not shutil.which("xvfb-run"),
        reason="there is no ImageJ (set IMAGEJ_JAR), Java or xvfb-run",
    ),
]

SHOW: Final = """
getDimensions(width, height, channels, slices, frames);
print("shape", width, height, channels, slices, frames);
getVoxelSize(x, y, z, unit);
Stack.getUnits(inX, inY, inZ, inT, counts);
print("size", x, y, z, unit, Stack.getFrameInterval(), inT, counts);
if (is("composite")) { Stack.getDisplayMode(mode); print("mode", mode); }
if (bitDepth() == 24) exit("colours");
for (c = 1; c <= channels; c++) {
    if (nSlices > 1) Stack.setPosition(c, slices, frames);
    getMinAndMax(low, high);
    print("channel", c, getInfo("slice.label"), low, high, getValue(3, 2));
}
"""


def macro(folder: Path, text: str) -> list[str]:
    """The lines that a macro prints."""
    file = folder / "macro.ijm"
    file.write_text(f"setBatchMode(true);\n{text}", encoding="utf-8")
    with subprocess.Popen(
        ["xvfb-run", "-a", "java", "-Xmx1g", "-jar", str(JAR), "-batch", str(file)],  # noqa: S607
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as ran:
        try:
            said, _ = ran.communicate(timeout=60)
        except subprocess.TimeoutExpired:  # a dialog waits for somebody
            os.killpg(ran.pid, signal.SIGKILL)
            said, _ = ran.communicate()
            pytest.fail(f"ImageJ did not end after {said}")
    return said.splitlines()


def shown(folder: Path, image: Image) -> list[str]:
    """What ImageJ says of an image that was saved as TIFF."""
    save_image(folder / "a.tif", image)
    return macro(folder, f'open("{folder}/a.tif");{SHOW}')


def numbers(line: str) -> list[float]:
    """The numbers at the end of a line."""
    return [float(word) for word in line.split()[-3:]]


def test_a_hyperstack_has_sizes_names_and_a_range_for_every_channel(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(200, 50, (3, 2, 4, 20, 30)).astype(np.float32)
    data[:, 1] *= 10
    image = Image(
        data=data,
        axes="tczyx",
        channel_names=("actin mean", "tubulin mean"),
        pixel_size=PixelSize((0.5, 0.25, 0.125)),
        time_interval=TimeInterval(2.5, "s"),
    )
    shape, size, mode, *channels = shown(tmp_path, image)
    assert shape == "shape 30 20 2 4 3"
    assert size == "size 0.125 0.25 0.5 µm 2.5 sec Gray Value"
    assert mode == "mode composite"
    for number, name in enumerate(image.channel_names):
        assert channels[number].startswith(f"channel {number + 1} {name} ")
        mine = data[:, number]
        expected = [mine.min(), mine.max(), mine[-1, -1, 2, 3]]
        np.testing.assert_allclose(numbers(channels[number]), expected, rtol=1e-4)


@pytest.mark.parametrize(("low", "high"), [(3.0, 60_000.0), (-40.0, 500.0), (0.0, 300_000.0), (0.0, 1.0)])
def test_whole_numbers_are_shown_as_counts(tmp_path: Path, low: float, high: float) -> None:
    counts = np.linspace(low, high, 4 * 20 * 30).reshape(4, 20, 30)
    image = as_dtype(Image(data=counts, axes="cyx", channel_names=tuple("abcd")), "uint16")
    _, size, mode, *channels = shown(tmp_path, image)
    assert size.endswith("Gray Value" if image.intensity_scale is None else "counts")
    assert mode == "mode grayscale"
    step = 1.0 if image.intensity_scale is None else image.intensity_scale.factor[0]
    for number, line in enumerate(channels):
        mine = counts[number]
        np.testing.assert_allclose(numbers(line), [mine.min(), mine.max(), mine[2, 3]], atol=step / 2 + 1e-3)


@pytest.mark.parametrize(
    ("axes", "shape"), [("yx", "30 20 1 1 1"), ("tyx", "30 20 1 1 5"), ("zyx", "30 20 1 5 1")]
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_images_of_one_channel(tmp_path: Path, axes: str, shape: str, dtype: str) -> None:
    data = np.arange(20 * 30, dtype=dtype).reshape(20, 30) % 200 + 9
    stacked = np.stack([data + n for n in range(5)]) if len(axes) > 2 else data
    lines = shown(tmp_path, Image(data=stacked.astype(dtype), axes=axes))
    assert lines[0] == f"shape {shape}"
    assert numbers(lines[-1])[2] == stacked[..., 2, 3].flat[-1]


def test_a_file_above_4_gib_opens_as_a_virtual_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(writing, "check_space", lambda size, path: None)
    single: np.dtype[Any] = np.dtype(np.float32)
    layout = ImageLayout(shape=(515, 2, 1024, 1024), dtype=single, axes="tcyx", channel_names=("a", "b"))
    sparse(tmp_path / "a.tif", layout)
    # The last pixel is the only one that was written.
    show = SHOW.replace("getValue(3, 2)", "getValue(1023, 1023)")
    lines = macro(tmp_path, f'run("TIFF Virtual Stack...", "open={tmp_path}/a.tif");{show}')
    assert lines[0] == "shape 1024 1024 2 1 515"
    assert lines[-1].startswith("channel 2 b ")
    assert numbers(lines[-1])[2] == 7


@pytest.fixture
def macros(experiment: Experiment, tmp_path: Path) -> list[str]:
    """The macros of the page, with the paths of a run."""
    program = Path(sys.executable).with_name("denoisplit")
    found = blocks(ROOT / "docs" / "fiji.md", "java")
    paths = {"/home/me/denoisplit/bin/denoisplit": program, "/home/me/runs/first": experiment.run}
    for mine, theirs in paths.items():
        found = [text.replace(mine, str(theirs)) for text in found]
    folder = f'"{tmp_path}/images/"'
    return [text.replace('getDirectory("Folder of mixed images")', folder) for text in found]


def test_the_macros_of_the_page_split_what_is_open_and_a_folder(
    experiment: Experiment, tmp_path: Path, macros: list[str]
) -> None:
    one, means, folder = macros
    (tmp_path / "images").mkdir()
    mixed = np.random.default_rng(0).normal(200, 50, (32, 40)).astype(np.float32)
    for name in ("a.tif", "b.tif"):
        save_image(tmp_path / "images" / name, Image(data=mixed, axes="yx", pixel_size=PIXEL_SIZE))
    opened = f'open("{tmp_path}/images/a.tif");'
    lines = macro(tmp_path, f"{opened}{one}{SHOW}print(getTitle());")
    expected = denoisplit.load(experiment.run).predict(mixed).mean
    assert "shape 40 32 2 1 1" in lines
    assert lines[-1] == "split of a.tif"
    for number, name in enumerate(CHANNELS):
        (line,) = [line for line in lines if line.startswith(f"channel {number + 1} ")]
        assert f" {name} mean " in line
        assert numbers(line)[2] == pytest.approx(expected[number, 2, 3], abs=1e-3)

    all_images = one.replace(', "--output", "mean"', "")
    lines = macro(tmp_path, f"{opened}{all_images}{means}Stack.getActiveChannels(on); print(on);")
    assert lines[-1].startswith("110000")

    lines = macro(tmp_path, f"{folder}{SHOW}print(getTitle());")
    assert lines[-1] == "a.tif"
    assert "shape 40 32 2 1 1" in lines
    assert {path.name for path in (tmp_path / "images" / "split").glob("*.tif")} == {"a.tif", "b.tif"}


def test_a_macro_says_what_the_command_said(tmp_path: Path, macros: list[str]) -> None:
    save_image(tmp_path / "a.tif", Image(data=np.zeros((32, 40), np.float32), axes="yx"))
    text = macros[0].replace("trained = ", f'trained = "{tmp_path}/none"; unused = ')
    text = text.replace("exit(", "print(").partition("open(made)")[0]  # a dialog would wait
    lines = macro(tmp_path, f'open("{tmp_path}/a.tif");{text}')
    assert any("none" in line for line in lines), lines
