"""Training on fields that are read piece by piece is training on the same fields in memory."""

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

import denoisplit
from denoisplit.core.images import lazy
from denoisplit.core.images.bases import Image
from denoisplit.core.images.lazy import is_lazy
from denoisplit.core.storage.image_files import save_image
from denoisplit.core.training.data.prepare import read_fields
from denoisplit.core.training.watchers.watching import Moment, Watcher
from denoisplit.plugins.datasets.simulated import Simulated
from tests.e2e.experiment import CHANNELS

SPEC = """
spec_version: 1
preset: denoisplit
channels: [filaments, mitochondria]
data:
  train: {{use: folder, path: ., observed: "*_noisy.{ending}", clean: "*_clean.{ending}", memory: {memory}}}
  split: {{rule: regions, gap: 8}}
  background: {{quantile: 0.1}}
  clip: {{quantile: 0.99}}
model:
  encoder: {{{encoder}}}
  decoder: {{latent_channels: 2}}
  noise_model: {{fit_pairs: 2000, fit_steps: 5}}
training:
  {{steps: 5, batch: 2, patch: 16, validate_every: 3, precision: float32, workers: {workers},
    foreground: {fore}}}
prediction: {{samples: 2}}
"""
LADDER = "levels: 2, width: 4"
CONTEXT = "use: lateral_context, levels: 2, width: 4, input_scales: 2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two fields in two formats."""
    folder = tmp_path_factory.mktemp("large")
    fields = Simulated(Simulated.Options(fields=2, size=101, seed=1), channels=CHANNELS).fields()
    for ending in ("tif", "ome.zarr"):
        for number, field in enumerate(fields):
            assert field.clean is not None
            for kind, pixels in (("noisy", field.observed), ("clean", field.clean)):
                image = Image(data=pixels, axes="cyx", channel_names=CHANNELS)
                save_image(folder / f"{number}_{kind}.{ending}", image)
    return folder


def trained(
    folder: Path,
    name: str,
    *,
    memory: int,
    encoder: str = LADDER,
    workers: int = 0,
    fore: float = 0.0,
    ending: str,
    **how: Any,
) -> denoisplit.Run:
    spec = folder / f"{name}.yaml"
    text = SPEC.format(memory=memory, encoder=encoder, workers=workers, fore=fore, ending=ending)
    spec.write_text(text, encoding="utf-8")
    return denoisplit.train(spec, folder / name, **how)


def assert_same(one: denoisplit.Run, other: denoisplit.Run) -> None:
    """Weights, statistics, fits, calibrations, fingerprints and the rest."""
    for (name, tensor), expected in zip(
        one.vse.state_dict().items(), other.vse.state_dict().values(), strict=True
    ):
        assert torch.equal(tensor, expected), name
    assert attrs.evolve(one.bundle, spec=other.spec) == other.bundle


@pytest.mark.parametrize(("encoder", "ending"), [(LADDER, "ome.zarr"), (CONTEXT, "tif")])
def test_the_run_is_the_same_to_the_last_bit(
    folder: Path, encoder: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(folder, f"whole_{ending}", memory=1024, encoder=encoder, ending=ending)
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    large = trained(folder, f"large_{ending}", memory=0, encoder=encoder, ending=ending)
    for run, expected in ((whole, False), (large, True)):
        fields = read_fields(run.spec.data.train, CHANNELS)
        assert [is_lazy(field.observed) for field in fields] == [expected] * 2
        assert [is_lazy(np.asarray(0) if f.clean is None else f.clean) for f in fields] == [expected] * 2
    assert_same(large, whole)


def test_workers_change_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    alone = trained(folder, "alone", memory=0, fore=0.5, ending="tif")
    helped = trained(folder, "helped", memory=0, fore=0.5, workers=1, ending="tif")
    assert_same(attrs.evolve(helped, bundle=attrs.evolve(helped.bundle, spec=alone.spec)), alone)


class StoppedError(Exception):
    """What ends a training in its midst."""


class StopAfter(Watcher):
    """Ends a training after a step, and counts those that it has seen."""

    def __init__(self, step: int) -> None:
        self.step, self.seen = step, 0

    def stepped(self, now: Moment, loss: Tensor) -> None:
        if now.step == self.step:
            raise StoppedError
        self.seen += 1


STOPPED: dict[str, Any] = {
    "memory": 0,
    "fore": 0.5,
    "ending": "ome.zarr",
    "overrides": ["training.checkpoint_every=1"],
}


@pytest.fixture(scope="module")
def never_stopped(folder: Path) -> denoisplit.Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lazy, "LAZY_FROM", 1)
        return trained(folder, "never_stopped", **STOPPED)


@pytest.mark.parametrize("step", [2, 5])
def test_a_training_that_was_stopped_goes_on_to_the_same_run(
    folder: Path, step: int, never_stopped: denoisplit.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after the first validation; the step that was stopped is done again."""
    monkeypatch.setattr(lazy, "LAZY_FROM", 1)
    name = f"stopped_{step}"
    with pytest.raises(StoppedError):
        trained(folder, name, **STOPPED, watchers=[StopAfter(step)])
    rest = StopAfter(-1)
    assert_same(trained(folder, name, **STOPPED, watchers=[rest], resume=True), never_stopped)
    assert rest.seen == 6 - step
