"""Programs of torch.export compute what the network computes, for every size, and say what they are."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from click.testing import Result
from torch import Tensor

import denoisplit
from denoisplit.core.errors import ExportError
from denoisplit.core.exporting.torch_program import TorchProgram
from denoisplit.core.network import pointwise
from denoisplit.core.network.interfaces import Features
from denoisplit.core.network.vse import VSE
from denoisplit.plugins import windows
from tests.cli.refusals import run as command
from tests.e2e.experiment import CHANNELS, Experiment
from tests.exporting.small_exports import (
    assert_same,
    code_of_the_page,
    computed,
    inputs_of,
    levelled,
    trained,
)
from tests.network.small import mixture, network
from tests.network.variants import anisotropic, variant

NETWORKS: dict[str, Callable[[], VSE]] = {
    "stacks of three channels with strides of their own": partial(
        network, channels=3, rank=3, noise_model=mixture, parts=anisotropic
    ),
    "unet": partial(variant, ("unet_with_aligned_corners", 2)),
}
MORE: dict[str, Callable[[], VSE]] = {
    "one channel": partial(network, channels=1),
    "three channels": partial(network, channels=3, noise_model=mixture),
    "stacks": partial(network, rank=3),
    "hdn": partial(variant, ("hdn", 2)),
    "deterministic": partial(variant, ("deterministic", 2)),
    "binned": partial(network, binning=2),
    "six levels": partial(network, levels=6),
    "hook": levelled,
}
INPUTS = (torch.full((1, 1, 8, 12), 150.0), torch.zeros(1, 2, 4, 6), torch.zeros(1, 2, 2, 3))
"""For the run that all tests share."""


def opened(file: Path) -> tuple[Callable[..., tuple[Tensor, Tensor]], Any]:
    """The program and its details."""
    details: dict[str, Any] = {"denoisplit.json": ""}
    program: Any = torch.export.load(file, extra_files=details).module()
    return program, json.loads(details["denoisplit.json"])


@pytest.mark.parametrize("name", [*NETWORKS, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_program_is_the_network_for_every_size(
    name: str, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where our evaluation would divide the traced image into blocks, but not a smaller one."""
    monkeypatch.setattr(pointwise, "BLOCK", 150)
    monkeypatch.setattr(windows, "WINDOW_BYTES", 2000)
    vse = (NETWORKS | MORE)[name]()
    given = trained(vse, experiment.run)
    found = TorchProgram().write(given, tmp_path / "network.pt2")
    assert max(found.signal, found.log_variance) < 1e-5
    program, _ = opened(tmp_path / "network.pt2")
    for steps, batch in ((2, 1), (5, 2)):
        inputs = inputs_of(given.ports, steps=steps, batch=batch)
        with torch.inference_mode():
            assert_same(program(*inputs), computed(vse, inputs), given.ports)


@pytest.fixture(scope="module")
def exported(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """What the command writes for a run, and what it says."""
    out = tmp_path_factory.mktemp("exported") / "exports" / "network.pt2"
    return out, command("export", experiment.run, "--format", "torch", "--out", out)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_the_command_exports_a_run_with_its_details(
    exported: tuple[Path, Result], experiment: Experiment
) -> None:
    out, result = exported
    assert result.exit_code == 0, result.output
    assert "Inputs:   mixed, noise_0, noise_1" in result.stdout
    assert "at least 8 x 8 pixels (y, x), in steps of 4 x 4" in result.stdout
    assert [path.name for path in out.parent.iterdir()] == ["network.pt2"]

    assert TorchProgram().recognise(out.read_bytes()[:65536])
    run = denoisplit.load(experiment.run)
    program, about = opened(out)
    assert about["channels"] == list(CHANNELS)
    assert [one["name"] for one in about["inputs"]] == ["mixed", "noise_0", "noise_1"]
    assert [one["channels"] for one in about["inputs"]] == [1, 2, 2]
    assert [one["pixels_per_position"] for one in about["inputs"]] == [[1, 1], [2, 2], [4, 4]]
    assert [one["name"] for one in about["outputs"]] == ["signal", "log_variance"]
    assert about["sizes"] == {"axes": "yx", "min": [8, 8], "step": [4, 4]}
    assert about["halo"] == [52, 52]
    assert about["before"] == {"subtract": None, "bounds": [None, None]}
    assert run.bundle.calibration is not None
    factors = run.bundle.calibration.parameters["factor"]
    assert about["calibration"]["parameters"]["factor"] == list(factors)
    assert about["training"]["steps"] == run.bundle.best_step

    with torch.inference_mode():
        signal, log_variance = program(*INPUTS)
        expected = computed(run.vse, INPUTS)
    torch.testing.assert_close(signal, expected[0], rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(log_variance, expected[1], rtol=1e-5, atol=1e-3)


@pytest.mark.slow
def test_the_python_of_the_page_runs_a_program_without_denoisplit(
    exported: tuple[Path, Result], experiment: Experiment, tmp_path: Path
) -> None:
    code = """
import json, sys
import numpy as np
sys.modules["denoisplit"] = None
def inputs(draw):
    noise = {"noise_1": draw((1, 2, 2, 3)), "noise_0": draw((1, 2, 4, 6))}
    arrays = noise | {"mixed": np.full((1, 1, 8, 12), 150)}
    return {name: array.astype("float32") for name, array in arrays.items()}
"""
    code += code_of_the_page()[-1] + "np.save('found.npy', same_signal.numpy())"
    shutil.copyfile(exported[0], tmp_path / "network.pt2")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, timeout=240)
    expected, _ = computed(denoisplit.load(experiment.run).vse, INPUTS)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, rtol=1e-5, atol=1e-3)


def test_a_background_is_named_and_a_ceiling_is_part_of_the_file(experiment: Experiment) -> None:
    from denoisplit.core.exporting.exported_details import before
    from denoisplit.core.images.intensity_range import Background
    from denoisplit.core.images.mixed_range import FittedRange

    bundle = denoisplit.load(experiment.run).bundle
    data = attrs.evolve(bundle.spec.data, background=Background(quantile=0.1, floor=True))
    fitted = FittedRange(ceiling=(400.0, 600.0), background_shift=7.0)
    given = attrs.evolve(bundle, spec=attrs.evolve(bundle.spec, data=data), fitted_range=fitted)
    assert before(given) == {"subtract": {"quantile": 0.1, "plus": 7.0}, "bounds": [0.0, 500.0]}


def test_a_network_that_torch_export_cannot_follow_is_refused(
    experiment: Experiment, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def signed(_module: Any, _inputs: Any, features: Features) -> Features:
        return tuple(-one if one.sum() > 0 else one for one in features)

    vse = network()
    vse.encoder.register_forward_hook(signed)
    with pytest.raises(ExportError, match=r"torch\.export cannot follow this network \(\w+: ") as caught:
        TorchProgram().write(trained(vse, experiment.run), tmp_path / "network.pt2")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # libraries would print the whole graph


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("network.onnx", r"network\.onnx: .* names that end in \.pt2"),
        ("taken.pt2", r"taken\.pt2: a file that is not a network of denoisplit has this name"),
        ("folder.pt2", r"folder\.pt2: is a folder"),
    ],
)
def test_files_of_others_stay(name: str, message: str, experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "folder.pt2").mkdir()
    (tmp_path / "taken.pt2").write_text("mine", encoding="utf-8")
    result = command("export", experiment.run, "--format", "torch", "--out", tmp_path / name)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert re.search(message, result.stderr)
    assert (tmp_path / "taken.pt2").read_text(encoding="utf-8") == "mine"


def test_nothing_is_written_into_a_run(experiment: Experiment) -> None:
    result = command("export", experiment.run, "--format", "torch", "--out", experiment.run / "network.pt2")
    assert result.exit_code == 2
    assert "lies in the folder of a run" in result.stderr
    assert not (experiment.run / "network.pt2").exists()
