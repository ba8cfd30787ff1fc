"""The trained networks in the package: whole, small, able, and of the size that `denoisplit new` proposes."""

import textwrap
from pathlib import Path

import numpy as np
import pytest

import denoisplit
from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.network.composer import compose
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.spec.resolution import resolve
from denoisplit.core.spec.tree import parse_spec
from denoisplit.core.storage.shipped_models import SHIPPED, ShippedModel, copy_model, shipped_models
from denoisplit.core.survey.findings import ChannelFacts, Facts, Machine
from denoisplit.core.survey.sizing import choose_size
from denoisplit.core.training.starts.starting import start
from denoisplit.plugins.datasets.simulated import Simulated

ROOT = Path(denoisplit.__file__).parents[1]
MOST = 1_500_000
models = pytest.mark.parametrize("model", shipped_models(), ids=lambda model: model.name)


@models
def test_a_model_has_its_files_a_licence_and_a_card(model: ShippedModel) -> None:
    found = {path.name: path.stat().st_size for path in (SHIPPED / model.folder).iterdir()}
    assert found == {file.name: file.size for file in model.files}
    assert model.size < MOST
    assert model.licence == "BSD-3-Clause"
    assert f"## {model.name}\n" in (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


@models
def test_a_model_learnt_from_simulated_images_alone(model: ShippedModel, tmp_path: Path) -> None:
    """Or started from its own earlier version, which did."""
    bundle = denoisplit.load(copy_model(model, tmp_path / "run").path).bundle
    assert bundle.spec.channels == model.channels
    data = bundle.spec.data
    used = [one.component.name for one in (data.train, data.validation, data.test) if one is not None]
    assert used == ["simulated_variety"] * 3
    if bundle.start is not None:
        assert bundle.start.run == f"model:{model.name}"
        assert bundle.start.weights not in {file.sha256 for file in model.files}


def test_lines_and_blobs_are_split(tmp_path: Path) -> None:
    """Better than half of the mixed image, without any training on these images."""
    (model,) = [one for one in shipped_models() if one.name == "lines-blobs"]
    run = denoisplit.load(copy_model(model, tmp_path / "run").path)
    options = Simulated.Options(size=128, fields=1, psf=2.0, seed=400)
    (field,) = Simulated(options, channels=("filaments", "mitochondria")).fields()
    assert field.clean is not None
    clean = field.clean
    mixed = field.observed[...].sum(0, dtype=np.float32) - options.offset
    found = run.predict(mixed, samples=4).mean.reshape(clean.shape)
    half = np.stack([(mixed - options.offset) / 2 + options.offset] * 2)
    assert _error(found, clean) < 0.8 * _error(half, clean)
    assert _error(found, clean) < 0.6 * _error(found[::-1], clean), "lines first"


@pytest.mark.parametrize("gpu", ["", "some"])
def test_all_of_it_fits_what_new_proposes(gpu: str) -> None:
    """For oversampled images, which most are; others take all but what their binning and levels change."""
    bright = ChannelFacts(offset=100.0, darkest=104.0, mean=300.0, saturated=0.0, finest=0.2)
    size = choose_size(512, Facts(channels=(bright, bright)), Machine(memory=2**36, gpu=gpu))
    spec = f"""
        preset: denoisplit
        spec_version: 1
        data: {{train: {{use: simulated}}}}
        model:
          encoder: {{levels: {size.levels}, width: {size.width}, binning: {size.binning}}}
          decoder: {{latent_channels: {size.width}}}
        training: {{patch: {size.patch}, start_from: 'model:lines-blobs'}}
    """
    resolved = resolve(parse_spec(textwrap.dedent(spec)), denoisplit.installed_registry())
    stats = IntensityStats(mixed_mean=100, mixed_std=9, target_mean=(100, 100), target_std=(9, 9))
    vse = compose(resolved.model, stats, channels=resolved.channels, patch=size.patch)
    found = start(vse, resolved.training, resolved.channels)
    assert found is not None
    assert found.run == "model:lines-blobs"
    assert found.drawn == ()


def _error(found: Float32Array, truth: LazyArray) -> float:
    return float(np.sqrt(((found - truth[...]) ** 2).mean()))
