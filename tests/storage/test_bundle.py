"""Law 10: what is saved and loaded predicts the same, bit for bit; what cannot be loaded says why."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pytest
import torch

import denoisplit
from denoisplit.core.errors import RunError
from denoisplit.core.images.mixed_range import FittedRange
from denoisplit.core.network.composer import compose
from denoisplit.core.network.interfaces import Calibration, FitReport, NoisePairs
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import component_versions, parse_spec, resolve
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.storage.bundle import Bundle, load_bundle, save_bundle
from denoisplit.core.storage.json_records import write_mapping
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.verdict.reference import Reference, Spread
from tests.e2e.experiment import Experiment
from tests.network.small import statistics

BASE = """
preset: denoisplit
data: {train: {use: simulated}}
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {use: gaussian_mixture, components: 2, fit_steps: 3}
training: {patch: 16}
"""
EACH_ITS_OWN = (
    "model.noise_model=[{use: gaussian_mixture, components: 1, fit_steps: 3},"
    " {use: gaussian_mixture, components: 3, fit_steps: 3}]"
)
THREE_DIMENSIONS = ("model.dimensions=3", "model.noise_model={use: gaussian}", "training.patch=8")
HDN = ("channels=[signal]", "model.decoder.naive_variance=true", "model.decoder.clip=null")


def untrained(*overrides: str) -> tuple[VSE, Bundle]:
    """A network whose noise models are fitted, and its bundle."""
    spec = resolve(parse_spec(BASE, overrides), installed_registry())
    stats = statistics(len(spec.channels))
    vse = compose(spec.model, stats, channels=spec.channels, patch=spec.training.patch).eval()
    reports: tuple[FitReport, ...] = ()
    if vse.noise_model.needs_fit:
        rng = np.random.default_rng(0)
        signal = rng.uniform(100, 900, 1000)
        pairs = NoisePairs(signal, signal + rng.normal(0, 20, 1000))
        reports = vse.noise_model.fit([pairs] * len(spec.channels), seed=0)
    bundle = Bundle(
        spec=spec,
        statistics=stats,
        noise_reports=reports,
        calibration=Calibration("denoisplit/scale", {"factor": (1.1, 1 / 3)}),
        components=component_versions(spec),
        data_fingerprint="00ff",
        versions={"denoisplit": "1"},
        steps=7,
        best_step=3,
        best_loss=1 / 3,
        region_calibration=Calibration("denoisplit/region", {"side": (4.0, 1 / 3)}, origin="noisy targets"),
        fitted_range=FittedRange(ceiling=(1 / 3, math.inf)[: len(spec.channels)], background_shift=-1 / 7),
        reference=Reference(
            spreads={"noise": Spread(mean=-1 / 3, std=1 / 7, count=9, pixels=4 / 3)}, saturated=1 / 9
        ),
    )
    return vse, bundle


@pytest.mark.parametrize("overrides", [(), (EACH_ITS_OWN,), THREE_DIMENSIONS, HDN], ids=str)
def test_save_load_predict_is_bit_identical(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    vse, bundle = untrained(*overrides)
    folder = RunFolder(tmp_path)
    save_bundle(folder, vse, bundle)
    loaded, description = load_bundle(folder)
    # A round trip through JSON keeps every number; sequences come back as lists.
    apart: dict[str, Any] = {"calibration": None, "region_calibration": None}
    assert attrs.evolve(description, **apart) == attrs.evolve(bundle, **apart)
    assert description.calibration is not None
    assert description.region_calibration is not None
    assert description.region_calibration.origin == "noisy targets"
    assert tuple(description.region_calibration.parameters["side"]) == (4.0, 1 / 3)
    assert tuple(description.calibration.parameters["factor"]) == (1.1, 1 / 3)
    assert not loaded.training
    assert not loaded.noise_model.needs_fit

    mixed = np.random.default_rng(0).normal(330, 70, (5, 21, 14)[-vse.spatial_rank :])
    first, second = (predict(network, mixed, PredictionSpec(samples=3, seed=4)) for network in (vse, loaded))
    assert np.array_equal(first.mean, second.mean)
    assert first.std is not None
    assert second.std is not None
    assert np.array_equal(first.std, second.std)
    signal = torch.from_numpy(first.mean)[None]
    extra = torch.zeros_like(signal) if vse.noise_model.extra_maps else None
    likelihoods = [network.noise_model.log_prob(signal + 5, signal, extra) for network in (vse, loaded)]
    assert torch.equal(*likelihoods)


def test_loading_needs_neither_the_images_nor_the_spec(experiment: Experiment, tmp_path: Path) -> None:
    """Only the run folder is needed, wherever it is."""
    mixed = np.random.default_rng(0).normal(200, 50, (19, 23)).astype(np.float32)
    here = denoisplit.load(experiment.run).predict(mixed)
    moved = tmp_path / "moved"
    shutil.copytree(
        experiment.run, moved, ignore=shutil.ignore_patterns("checkpoints", "*.csv", "*.log", "*.yaml")
    )
    hidden = experiment.folder.with_name("hidden")
    experiment.folder.rename(hidden)
    try:
        there = denoisplit.load(moved).predict(mixed)
    finally:
        hidden.rename(experiment.folder)
    arrays: list[tuple[npt.NDArray[Any] | None, ...]] = [
        (p.mean, p.std, p.calibrated_std) for p in (here, there)
    ]
    for one, two in zip(*arrays, strict=True):
        assert one is not None
        assert two is not None
        assert np.array_equal(one, two)


def test_a_run_of_an_early_version_knows_no_range_and_takes_images_as_they_are(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    save_bundle(folder, *untrained("data.background.quantile=0.5"))
    plain = json.loads(folder.bundle.read_text())
    assert plain.pop("fitted_range")["ceiling"] == [1 / 3, None]
    del plain["region_calibration"], plain["spec"]["region_calibrator"]
    for part in ("training", "prediction"):
        assert plain["spec"][part].pop("noise") == "box_muller"
    assert plain["spec"]["data"]["degradation"].pop("noise") == "by_place"
    write_mapping(folder.bundle, plain)
    _, bundle = load_bundle(folder)
    assert (bundle.fitted_range, bundle.ceiling, bundle.region_calibration) == (None, None, None)
    assert (bundle.spec.training.noise, bundle.spec.prediction.noise) == ("generator", "ziggurat")
    assert bundle.spec.data.degradation.noise == "in_order"
    mixed = np.random.default_rng(0).normal(330, 70, (5, 6)).astype(np.float32)
    assert bundle.conditioned(mixed) is mixed


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[RunFolder], object]:
    def edit(folder: RunFolder) -> None:
        plain = json.loads(folder.bundle.read_text())
        change(plain)
        write_mapping(folder.bundle, plain)

    return edit


def _of_noise(**changed: float) -> Callable[[RunFolder], object]:
    return _edited(lambda p: p["reference"]["spreads"]["noise"].update(changed))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES: dict[str, tuple[Callable[[RunFolder], object], str]] = {
    "no weights": (lambda f: f.weights.unlink(), r"model\.safetensors is missing\. .*--resume"),
    "no description": (lambda f: f.bundle.unlink(), r"model\.json is missing"),
    "truncated weights": (
        lambda f: _cut(f.weights),
        r"model\.safetensors: the file is damaged",
    ),
    "empty weights": (lambda f: f.weights.write_bytes(b""), r"model\.safetensors: does not hold the weights"),
    "truncated description": (lambda f: _cut(f.bundle), r"model\.json: the file is damaged"),
    "no JSON": (lambda f: f.bundle.write_bytes(b"\xff\xfe\x00"), r"model\.json: is not the description"),
    "a list": (lambda f: f.bundle.write_text("[]"), r"model\.json: is not the description of a run"),
    "a part missing": (
        _edited(lambda p: p.pop("statistics")),
        r"is not the description of a run \(\$\.statistics: missing",
    ),
    "a wrong type": (
        _edited(lambda p: p.update(components=3)),
        r"model\.json: is not the description of a run",
    ),
    "statistics of no use": (
        _edited(lambda p: p["statistics"].update(mixed_std=0.0)),
        r"model\.json: is not the description of a run \(.*mixed_std.* must be finite and > 0",
    ),
    "a range of no use": (
        _edited(lambda p: p["fitted_range"].update(ceiling=["x"])),
        r"model\.json: is not the description of a run",
    ),
    "fields seen as a list": (
        _edited(lambda p: p.update(served=[1])),
        r"model\.json: is not the description of a run \(\$\.served: expected a mapping or null",
    ),
    "a number of text": (
        _edited(lambda p: p["calibration"]["parameters"].update(factor=["x"])),
        r"\(\$\.calibration\.parameters\.factor\[0\]: expected a number \(got 'x'\)",
    ),
    "a spec of another type": (_edited(lambda p: p.update(spec=[])), r"model\.json"),
    "nested values": (
        lambda f: f.bundle.write_text("[" * 100_000),
        r"is not the description of a run \(values are nested too deeply\)",
    ),
    "nested values in a part": (
        _edited(lambda p: p.update(served=json.loads("[" * 500 + "]" * 500))),
        r"is not the description of a run \(.*nested too deeply",
    ),
    "a format of text": (
        _edited(lambda p: p.update(format="x")),
        r"model\.json: is not the description of a run",
    ),
    "a format of none": (_edited(lambda p: p.update(format=0)), r"\(\$\.format: expected .* >= 1 \(got 0\)"),
    "a format that is true": (_edited(lambda p: p.update(format=True)), r"expected .* >= 1 \(got True\)"),
    "steps below zero": (_edited(lambda p: p.update(steps=-1)), r"\(\$.*steps.* must be >= 0.*-1"),
    "a spread of one unit": (_of_noise(count=1), r"\(\$\.reference\.spreads\.noise.*count.* must be >= 2.*1"),
    "a spread below zero": (_of_noise(std=-0.1), r"spreads\.noise.*std.* must be >= 0"),
    "units without pixels": (_of_noise(pixels=-1), r"spreads\.noise.*pixels.* must be >= 1"),
    "pixels without a size": (
        _edited(lambda p: p["reference"].update(pixel=[0.1, -0.1])),
        r"\(\$\.reference.*must be > 0",
    ),
    "more saturated than all": (
        _edited(lambda p: p["reference"].update(saturated=2)),
        r"\(\$\.reference.*saturated.* must be <= 1",
    ),
    "a newer format": (
        _edited(lambda p: p.update(format=99)),
        r"model\.json: written by a newer denoisplit \(got format 99",
    ),
    "other weights": (
        _edited(lambda p: p["spec"]["model"]["encoder"].update(width=5)),
        r"model\.safetensors: does not hold the weights of this run",
    ),
    "another spec": (_edited(lambda p: p["spec"]["model"].pop("encoder")), r"model\.json.*encoder: missing"),
    "statistics of other channels": (
        _edited(lambda p: p["statistics"].update(target_mean=[1.0], target_std=[1.0])),
        r"the statistics have 1 channels, the spec names 2",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_says_what_is_wrong(
    tmp_path: Path, damage: Callable[[RunFolder], object], message: str
) -> None:
    folder = RunFolder(tmp_path / "run")
    save_bundle(folder, *untrained())
    damage(folder)
    with pytest.raises(denoisplit.DenoisplitError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).replace(str(tmp_path), "")) < 340, caught.value


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nothing: no such run folder\. Give the folder"):
        denoisplit.load(tmp_path / "nothing")
