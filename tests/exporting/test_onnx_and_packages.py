"""ONNX files and packages for bioimage.io, in the libraries that run them, and the page about them."""

import json
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import tifffile
import torch
import yaml

from denoisplit.core.errors import ExportError, ImageError, MissingPackageError
from denoisplit.core.exporting.about import About
from denoisplit.core.exporting.bioimage_package import BioimagePackage
from denoisplit.core.exporting.exported import Exported
from denoisplit.core.exporting.exporter import Trained
from denoisplit.core.exporting.onnx_model import OnnxModel, runtime
from denoisplit.core.runs.run import Run
from tests.cli.refusals import run as command
from tests.e2e.experiment import CHANNELS, Experiment
from tests.exporting.small_exports import assert_same, code_of_the_page, computed, inputs_of, trained
from tests.network.small import mixture, network
from tests.network.variants import variant

# What the libraries of ONNX and bioimage.io say about themselves and each other.
pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning"
)


@pytest.fixture(scope="module")
def package(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    image = np.random.default_rng(0).normal(200, 30, (120, 130)).astype(np.float32)
    out = tmp_path_factory.mktemp("zip") / "network.zip"
    return run.export(out, "bioimageio", license="CC-BY-4.0", authors=["Ada Lovelace"], image=image)


@pytest.fixture(scope="module")
def unpacked(package: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(folder)
    return folder


def test_an_onnx_file_is_the_network_for_every_size(package: Exported, unpacked: Path, run: Run) -> None:
    ports, found = package.ports, package.agreement
    assert max(found.signal, found.log_variance) < 1e-5
    for steps, batch in ((2, 1), (7, 2)):
        inputs = inputs_of(ports, steps=steps, batch=batch)
        assert_same(runtime(unpacked / "weights.onnx", ports)(inputs), computed(run.vse, inputs), ports)


def test_an_onnx_file_names_its_tensors_and_has_the_details(unpacked: Path) -> None:
    import onnxruntime  # type: ignore[import-untyped]

    session = onnxruntime.InferenceSession(str(unpacked / "weights.onnx"))
    assert [one.name for one in session.get_inputs()] == ["mixed", "noise_0", "noise_1"]
    assert [one.name for one in session.get_outputs()] == ["signal", "log_variance"]
    about = json.loads(session.get_modelmeta().custom_metadata_map["denoisplit"])
    assert about["channels"] == list(CHANNELS)
    assert about["sizes"] == {"axes": "yx", "min": [8, 8], "step": [4, 4]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: network(channels=3, noise_model=mixture),
        lambda: variant(("anisotropic", 3)),
        lambda: variant(("unet_with_aligned_corners", 2)),
        lambda: variant(("hdn", 2)),
        lambda: network(levels=5),
    ],
    ids=["three channels", "stacks", "unet", "hdn", "five levels"],
)
def test_other_networks_in_onnx(make: Callable[[], Any], experiment: Experiment, tmp_path: Path) -> None:
    vse = make()
    given = trained(vse, experiment.run)
    exporter = OnnxModel()
    exporter.write(given, tmp_path / "network.onnx")
    inputs = inputs_of(given.ports, steps=4, batch=2)
    assert exporter.recognise((tmp_path / "network.onnx").read_bytes()[:65536])
    found = runtime(tmp_path / "network.onnx", given.ports)(inputs)
    assert_same(found, computed(vse, inputs), given.ports)


def test_what_onnx_cannot_express_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("no such operator\nand much more") from ValueError("aten::special\nwith a graph")

    monkeypatch.setattr(Trained, "program", lambda _: None)  # which takes seconds
    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(
        ExportError, match=r"\(ValueError: aten::special with a graph\)\. Use --format torch"
    ) as caught:
        run.export(tmp_path / "network.onnx", "onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_package_passes_the_test_of_bioimage_io(package: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the smallest image and two larger ones, one and two at a time, and without a network."""
    from bioimageio.core import test_model as tested

    def refuse(*_: Any) -> None:
        raise OSError("a test needs no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    summary = tested(package.path)
    assert summary.status == "passed", summary.format()
    runs = [one.name for one in summary.details if one.name.startswith("Run onnx inference")]
    assert len(runs) == 6
    assert BioimagePackage(About()).recognise(package.path.read_bytes()[:65536])


def test_a_package_says_what_is_in_it(package: Exported, unpacked: Path) -> None:
    (description,) = (path for path in unpacked.iterdir() if path.suffix == ".yaml")
    said = yaml.safe_load(description.read_text(encoding="utf-8").replace("%YAML 1.2\n---\n", ""))
    assert said["license"] == "CC-BY-4.0"
    assert said["authors"] == [{"name": "Ada Lovelace"}]
    assert said["name"] == "denoisplit filaments + mitochondria"
    assert said["cite"][0]["doi"] == "10.48550/arXiv.2403.11854"
    mixed, finest, coarsest = said["inputs"]
    assert mixed["axes"][2]["size"] == {"min": 2 * 52 + 4, "step": 4}
    assert [axis.get("scale", 1) for axis in (*finest["axes"][2:], *coarsest["axes"][2:])] == [2, 2, 4, 4]
    assert [one["axes"][1]["channel_names"] for one in said["outputs"]] == [list(CHANNELS)] * 2
    assert [axis["halo"] for one in said["outputs"] for axis in one["axes"][2:]] == [52] * 4
    assert said["config"]["denoisplit"]["calibration"]["parameters"]["factor"]

    tensors = [torch.from_numpy(np.load(unpacked / f"test_{name}.npy")) for name in package.ports.inputs]
    assert tensors[0].mean() == pytest.approx(200, abs=2)  # the centre of the image
    page = (unpacked / "README.md").read_text(encoding="utf-8")
    assert "| input | `noise_1` | batch, 2 channels, y, x | latent noise, 4 x 4 pixels per position |" in page
    assert "- factor: " in page
    assert "@inproceedings{ashesh2024denoisplit," in page
    assert "\n\n\n\n" not in page
    height, width = matplotlib.image.imread(unpacked / "cover.png").shape[:2]
    assert width == 2 * height


def test_bioimage_io_asks_for_licence_and_authors(experiment: Experiment, tmp_path: Path) -> None:
    words = ("export", experiment.run, "--format", "bioimageio", "--out", tmp_path / "network.zip")
    for more, wanted in (((), "--license"), (("--license", "MIT"), "--author")):
        result = command(*words, *more)
        assert result.exit_code == 2
        assert f"asks for {wanted}, which was not given" in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (
            {"licence": "MIT"},
            TypeError,
            r"^export\(\) got an .* 'licence'\. Did you mean license\?",
        ),
        ({"license": "my own"}, ExportError, r"does not take this --license \(got 'my own'"),
        ({"title": "a/b:c*d"}, ExportError, r"does not take this --title \(got 'a/b:c\*d'"),
        ({"image": np.ones((20, 200))}, ExportError, r"too small \(got \[20, 200\] pixels\)"),
        ({"image": np.ones((2, 200, 200))}, ExportError, r"other axes than the network"),
        ({"image": "none.tif"}, ImageError, r"none\.tif"),
    ],
    ids=["spelling", "license", "title", "small", "stack", "no file"],
)
def test_words_that_do_not_fit(
    words: Any, error: type[Exception], message: str, run: Run, tmp_path: Path
) -> None:
    given = {"license": "MIT", "authors": ["Ada Lovelace"], **words}
    with pytest.raises(error, match=message) as caught:
        run.export(tmp_path / "network.zip", "bioimageio", **given)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named_before_any_work(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(
        MissingPackageError, match=r"\(onnxruntime\)\. Install .* pip install 'denoisplit\[export\]'"
    ):
        run.export(tmp_path / "network.onnx", "onnx")


def test_the_python_of_the_page_runs_without_denoisplit(unpacked: Path, run: Run, tmp_path: Path) -> None:
    shutil.copyfile(unpacked / "weights.onnx", tmp_path / "network.onnx")
    image = np.random.default_rng(1).normal(200, 30, (21, 30)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "mixed.tif", image)
    code = "import sys\nsys.modules['denoisplit'] = None\n" + "\n".join(code_of_the_page()[:-1])
    code += "found = {'mean': mean, 'std': std, 'signal': signal, 'noise': noise_std}\n"
    code += "np.savez('found.npz', **found)\n"
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    subprocess.run([sys.executable, "page.py"], cwd=tmp_path, check=True, capture_output=True, timeout=240)

    found = np.load(tmp_path / "found.npz")
    assert {found[name].shape for name in ("mean", "std", "signal", "noise")} == {(2, 21, 30)}
    predicted = run.predict(image, samples=100)
    assert predicted.std is not None
    assert predicted.calibrated_std is not None
    spread = float(predicted.std.mean())
    assert abs(float((found["mean"] - predicted.mean).mean())) < spread
    assert float(found["std"].mean()) == pytest.approx(float(predicted.calibrated_std.mean()), rel=0.3)
