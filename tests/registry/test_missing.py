"""A run whose plugin is gone says which package and version to install."""

import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import denoisplit
from denoisplit.core.errors import RunError, SpecError, UnknownComponentError
from denoisplit.core.network.composer import compose
from denoisplit.core.registry import installed_registry, load_registry, with_missing
from denoisplit.core.spec import component_versions, parse_spec, resolve, unstructure
from denoisplit.core.storage.bundle import Bundle, load_bundle, save_bundle
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.steps.descent import optimizer_of
from tests.distributions import MANIFEST, Install, installer
from tests.network.small import statistics
from tests.registry.test_plugins import PARTS

SPEC = """
preset: denoisplit
channels: [one, two]
data: {train: {use: simulated}}
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {use: gaussian}
calibrator: {use: lab-gone/mine}
training: {patch: 16}
"""
OPTIMIZER = """
import attrs
import torch
from denoisplit.core.training.optimizer import Optimizer

class Mine(Optimizer):
    @attrs.frozen
    class Options:
        slowness: float = 1.0

    def __init__(self, options): ...
    def over(self, parameters, learning_rate): return torch.optim.SGD(parameters, lr=learning_rate)
"""
NEEDED = [("calibrator", "lab-gone/mine", "1.2")]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    installed_registry.cache_clear()
    yield installer(tmp_path / "site", monkeypatch)
    installed_registry.cache_clear()
    for name in [name for name in sys.modules if name.startswith("lab_gone")]:
        del sys.modules[name]


def stored_run(folder: Path, text: str = SPEC) -> RunFolder:
    """An untrained network on disk, in a spec with a component of a plugin."""
    spec = resolve(parse_spec(text), installed_registry())
    stats = statistics(2)
    vse = compose(spec.model, stats, channels=spec.channels, patch=spec.training.patch)
    run = RunFolder(folder)
    bundle = Bundle(
        spec=spec,
        statistics=stats,
        noise_reports=(),
        calibration=None,
        components=component_versions(spec),
        data_fingerprint="00ff",
        versions={"denoisplit": "1"},
        steps=1,
        best_step=1,
        best_loss=0.5,
    )
    run.path.mkdir()
    save_bundle(run, vse, bundle)
    return run


def uninstall(package: Path, version: str = "1.2") -> None:
    shutil.rmtree(package)
    shutil.rmtree(package.with_name(f"{package.name}-{version}.dist-info"))
    importlib.invalidate_caches()
    installed_registry.cache_clear()


def test_a_run_works_until_its_plugin_is_removed_and_again_after_it_is_back(
    install: Install, tmp_path: Path
) -> None:
    package = install("lab-gone", manifest=MANIFEST)
    (package / "parts.py").write_text(PARTS)
    run = stored_run(tmp_path / "run")
    load_bundle(run)

    uninstall(package)
    with pytest.raises(UnknownComponentError) as caught:
        denoisplit.load(run.path)
    assert str(caught.value) == (
        f"{run.path}: needs calibrator lab-gone/mine, but the package lab-gone is not installed (the run was "
        f"made with 1.2). Run: python -m pip install lab-gone==1.2"
    )

    (install("lab-gone", "1.3", manifest=MANIFEST) / "parts.py").write_text(PARTS)
    importlib.invalidate_caches()
    installed_registry.cache_clear()
    assert load_bundle(run)[1].spec.calibrator.component.version == "1.3"


def test_a_run_predicts_without_the_package_that_trained_it_and_keeps_its_options(
    install: Install, tmp_path: Path
) -> None:
    package = install("lab-gone", manifest=MANIFEST.replace("calibrator", "optimizer"))
    (package / "parts.py").write_text(OPTIMIZER)
    used = "training: {optimizer: {use: lab-gone/mine, slowness: 3.5}, "
    run = stored_run(tmp_path / "run", SPEC.replace("lab-gone/mine", "scale").replace("training: {", used))
    mixed = np.random.default_rng(0).normal(100, 9, (24, 24)).astype(np.float32)
    expected = denoisplit.load(run.path).predict(mixed, samples=2)

    uninstall(package)
    opened = denoisplit.load(run.path)
    np.testing.assert_array_equal(opened.predict(mixed, samples=2).mean, expected.mean)
    spec = load_bundle(run)[1].spec
    assert unstructure(spec)["training"]["optimizer"] == {"use": "lab-gone/mine", "slowness": 3.5}
    assert component_versions(spec)[-1] == ("optimizer", "lab-gone/mine", "1.2")
    advice = r"needs optimizer lab-gone/mine, but .* not installed .*lab-gone==1\.2$"
    with pytest.raises(UnknownComponentError, match=advice):
        optimizer_of(opened.vse, spec.training)


def test_another_version_whose_options_changed_is_told(install: Install, tmp_path: Path) -> None:
    package = install("lab-gone", manifest=MANIFEST)
    (package / "parts.py").write_text(PARTS.replace("pass", "strength: float = 1.0"))
    run = stored_run(tmp_path / "run")
    uninstall(package)
    (install("lab-gone", "1.3", manifest=MANIFEST) / "parts.py").write_text(PARTS)
    with pytest.raises(SpecError) as caught:
        load_bundle(run)
    assert caught.value.problems[1:] == (
        f"{run.path}: It was made with lab-gone 1.2 (here 1.3). Run: python -m pip install lab-gone==1.2",
    )


def test_weights_of_another_version_are_told(tmp_path: Path) -> None:
    run = stored_run(tmp_path / "run", SPEC.replace("lab-gone/mine", "scale"))
    told = json.loads(run.bundle.read_text())
    del told["sha256"]
    told["spec"]["model"]["encoder"]["width"] = 6
    run.bundle.write_text(json.dumps(told))
    with pytest.raises(RunError, match=r"does not hold the weights of this run .* Copy the run folder"):
        load_bundle(run)
    run.bundle.write_text(json.dumps(told).replace(f'"{denoisplit.__version__}"', '"0.0.9"'))
    with pytest.raises(RunError, match=r"made with denoisplit 0\.0\.9 .*pip install denoisplit==0\.0\.9$"):
        load_bundle(run)


def test_a_package_that_no_longer_offers_it(install: Install) -> None:
    install("lab-gone", "2.0", manifest=MANIFEST.replace("{name}", "other"))
    with pytest.raises(
        UnknownComponentError,
        match=r"which the package lab-gone 2\.0 does not offer .* pip install lab-gone==1\.2",
    ):
        with_missing("run", NEEDED, load_registry())


def test_a_package_that_is_broken(install: Install) -> None:
    install("lab-gone", "2.0", code="1 / 0")
    with pytest.raises(
        UnknownComponentError,
        match=r"lab-gone 2\.0 is broken \(ZeroDivisionError: division by zero\)\. .*lab-gone==1\.2",
    ):
        with_missing("run", NEEDED, load_registry())


def test_a_package_that_is_disabled(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("lab-gone", manifest=MANIFEST)
    monkeypatch.setenv("DENOISPLIT_DISABLE_PLUGINS", "lab_gone")
    with pytest.raises(
        UnknownComponentError, match="but DENOISPLIT_DISABLE_PLUGINS names the package lab-gone"
    ):
        with_missing("run", NEEDED, load_registry())


def test_every_missing_component_is_named_on_a_line_of_its_own(install: Install) -> None:
    needed = [
        ("calibrator", "denoisplit/scale", "0.1.0"),
        ("noise_model", "notebook/mine", "0"),
        ("encoder", "denoisplit/later", "9.0"),
        *NEEDED,
    ]
    with pytest.raises(UnknownComponentError) as caught:
        with_missing("run", needed, load_registry())
    notebook, builtin, plugin = str(caught.value).splitlines()
    assert "Run the cell that registers it first." in notebook
    assert "which this denoisplit does not have. Run: python -m pip install denoisplit==9.0" in builtin
    assert "lab-gone==1.2" in plugin


def test_components_of_one_package_share_a_line() -> None:
    needed = [("noise_model", "lab-away/one", "0.3"), ("kl_scheme", "lab-away/two", "0.3")]
    with pytest.raises(
        UnknownComponentError,
        match=r"needs noise_model lab-away/one and kl_scheme lab-away/two, but .*==0\.3$",
    ):
        with_missing("run", needed, load_registry())


def test_a_component_of_no_name_is_missing() -> None:
    with pytest.raises(UnknownComponentError, match="run: needs encoder"):
        with_missing("run", [("encoder", "", "1")], load_registry())
