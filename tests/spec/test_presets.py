"""Presets have the hyper-parameters of the published configurations (method section 6.3)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

import denoisplit
from denoisplit.core.spec import ResolvedSpec, load_spec, preset_names
from denoisplit.core.spec.records import Chosen
from tests.network.small import statistics

DATA = "data: {train: {use: simulated, fields: 2}}\n"
STEPS_PER_EPOCH = 100


@attrs.frozen(kw_only=True)
class Row:
    """A row of the table: what the configuration says, in the words of the method.

    ``patience`` is that of the learning rate and of the early end; an epoch counts as 100 steps.
    """

    patch: int | tuple[int, ...] = 128
    kl: str
    free_bits: float
    latents: tuple[int, int]
    width: int = 64
    blocks: int = 1
    dropout: float = 0.1
    log_variance: str | None
    noise_model: str
    monitor: str = "loss"
    patience: tuple[int, int] = (30, 200)
    epochs: int = 400
    analytic: bool = False
    naive: bool = False
    clip: float | None = 20.0
    normalised: bool = True


SPLIT: Mapping[str, Any] = {"latents": (4, 128)}
MIXTURE: Mapping[str, Any] = {"log_variance": None, "noise_model": "gaussian_mixture"}
PREDICTED: Mapping[str, Any] = {"log_variance": "pixel", "noise_model": "gaussian"}
CONTEXT: Mapping[str, Any] = {"patch": 64, "patience": (15, 100), "epochs": 200}
TABLE = {
    # biosr_new_config
    "denoisplit": Row(kl="denoisplit", free_bits=1.0, **SPLIT, **MIXTURE),
    # twotiff_config
    "denoisplit-hagen": Row(
        kl="denoisplit", free_bits=1.0, **SPLIT, **MIXTURE, patience=(15, 100), epochs=200
    ),
    # biosr_config, the tutorial
    "altered-musplit": Row(
        kl="denoisplit", free_bits=1.0, **SPLIT, log_variance="pixel", noise_model="gaussian"
    ),
    # biosr_usplit_config, whose lateral context is left out
    "musplit": Row(
        patch=64, kl="musplit", free_bits=0.0, **SPLIT, log_variance="pixel", noise_model="gaussian"
    ),
    # CAREamics, method section 12
    "microsplit": Row(kl="microsplit", free_bits=1.0, **SPLIT, log_variance="pixel", noise_model="weighted"),
    # lc_hagen, lc_paviaATN, hagen_usplit_config, pavia_atn_usplit_config
    "musplit-regular": Row(**CONTEXT, kl="musplit", free_bits=0.0, **SPLIT, **PREDICTED, monitor="psnr"),
    "musplit-lean": Row(**CONTEXT, kl="musplit", free_bits=0.0, **SPLIT, **PREDICTED, monitor="psnr"),
    "musplit-deep": Row(
        **CONTEXT, kl="musplit", free_bits=0.0, latents=(8, 128), **PREDICTED, monitor="psnr"
    ),
    # pavia_atn_config
    "denoisplit-regular": Row(**CONTEXT, kl="denoisplit", free_bits=1.0, **SPLIT, **MIXTURE),
    # hdn_denoiser, hdn_biosr, hdn_paviaatn
    "hdn": Row(
        kl="denoisplit",
        free_bits=1.0,
        latents=(6, 32),
        width=32,
        blocks=5,
        dropout=0.2,
        **MIXTURE,
        patience=(15, 100),
        epochs=200,
        analytic=True,
        naive=True,
        clip=None,
        normalised=False,
    ),
}


def preset(name: str, folder: Path) -> ResolvedSpec:
    file = folder / "spec.yaml"
    file.write_text(f"preset: {name}\n{DATA}")
    return load_spec(file)


def noise_model(spec: ResolvedSpec) -> Chosen:
    assert isinstance(spec.model.noise_model, Chosen)
    return spec.model.noise_model


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_complete_but_for_the_data(name: str, tmp_path: Path) -> None:
    assert preset(name, tmp_path).model.encoder.component.package == "denoisplit"


@pytest.mark.parametrize("name", TABLE)
def test_the_values_are_those_of_the_configuration(name: str, tmp_path: Path) -> None:
    spec, row = preset(name, tmp_path), TABLE[name]
    encoder, decoder, kl = (
        part.options for part in (spec.model.encoder, spec.model.decoder, spec.model.kl_scheme)
    )
    training = spec.training
    chosen = noise_model(spec)
    gaussian = {"gaussian": chosen.options, "weighted": getattr(chosen.options, "gaussian", None)}
    predicted: Any = gaussian.get(chosen.component.name)
    found = Row(
        patch=training.patch,
        kl=spec.model.kl_scheme.component.name,
        free_bits=kl.free_bits,
        latents=(encoder.levels, decoder.latent_channels),
        width=encoder.width,
        blocks=encoder.blocks,
        dropout=encoder.dropout,
        log_variance=None if predicted is None else predicted.log_variance,
        noise_model=chosen.component.name,
        monitor=training.monitor,
        patience=(training.plateau_patience, training.stop_patience),
        epochs=training.steps // STEPS_PER_EPOCH,
        analytic=kl.analytic,
        naive=decoder.naive_variance,
        clip=decoder.clip,
        normalised=decoder.normalise_latents,
    )
    assert found == row
    assert (decoder.blocks, decoder.dropout) == (encoder.blocks, encoder.dropout)
    if predicted is not None:
        assert predicted.log_variance_floor == -5.0
    assert spec.data.clip.quantile == 1.0
    _has_the_shared_values(spec)


def _has_the_shared_values(spec: ResolvedSpec) -> None:
    """Method sections 6.1 and 6.2."""
    training = spec.training
    assert training.validate_every == STEPS_PER_EPOCH, "a validation per epoch"
    assert (training.batch, training.learning_rate, training.gradient_clip) == (32, 1e-3, 0.5)
    assert (training.plateau_factor, training.kl_warmup_steps, training.channel_weights) == (0.5, 0, ())
    assert (training.schedule, training.augment) == ("plateau", False)
    assert (spec.data.mixing.mode, spec.data.background.quantile) == ("mean", 0.0)
    assert (spec.data.statistics.mixed, spec.data.statistics.targets) == ("auto", "per_channel")
    assert spec.model.kl_scheme.options.weight == 1.0


def test_the_best_is_the_published_one_but_for_what_paid(tmp_path: Path) -> None:
    best, published = preset("denoisplit-best", tmp_path), preset("denoisplit", tmp_path)
    assert best.model == published.model
    assert best.calibrator.component.name == "by_field"
    assert best.region_calibrator is not None
    assert best.region_calibrator.component.name == "by_field"
    assert isinstance(best.training.optimizer, Chosen)
    assert best.training.optimizer.component.name == "muon"
    reference = attrs.evolve(best.training, optimizer="adamax", schedule="plateau", augment=False)
    assert reference == published.training
    assert (best.training.schedule, best.training.augment) == ("cosine", True)
    assert attrs.evolve(best.prediction, orientations=1) == published.prediction
    assert best.prediction.orientations == 8


def test_the_unet_is_the_published_baseline(tmp_path: Path) -> None:
    """Five levels of 32 channels and more, mean squared error, bright pixels cut off."""
    spec = preset("unet", tmp_path)
    assert (spec.model.encoder.component.name, spec.model.decoder.component.name) == ("unet", "unet")
    assert (spec.model.encoder.options.pools, spec.model.encoder.options.width) == (5, 32)
    assert spec.model.decoder.options.align_corners
    gaussian = noise_model(spec).options
    assert (gaussian.log_variance, gaussian.std) == ("fixed", 1.0)
    assert spec.data.clip.quantile == 0.995
    training = spec.training
    assert (training.patch, training.monitor, training.steps) == (64, "psnr", 400 * STEPS_PER_EPOCH)
    assert (training.plateau_patience, training.stop_patience) == (30, 200)
    _has_the_shared_values(spec)


def test_the_unet_has_17_30_million_parameters(tmp_path: Path) -> None:
    """Counted from the description in method section 10."""

    def double(inputs: int, middle: int, outputs: int) -> int:
        return 9 * inputs * middle + 9 * middle * outputs + 2 * (middle + outputs)

    widths = [32, 64, 128, 256, 512, 512]
    down = sum(double(i, o, o) for i, o in zip([1, *widths], widths, strict=False))
    # Upwards, skipped and enlarged features of equal width are joined; the middle is half of both.
    up = sum(
        double(2 * w, w, o) for w, o in zip([512, 256, 128, 64, 32], [256, 128, 64, 32, 32], strict=True)
    )
    expected = down + up + 2 * (32 + 1)
    assert round(expected / 1e6, 2) == 17.30
    file = tmp_path / "spec.yaml"
    file.write_text(f"preset: unet\n{DATA}")
    vse = denoisplit.build(file, stats=statistics(2))
    assert sum(parameter.numel() for parameter in vse.parameters()) == expected


def test_a_preset_may_say_something_about_the_data_that_a_spec_changes(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(f"preset: unet\n{DATA.replace('2}', '2}, clip: {quantile: 1}')}")
    assert load_spec(file).data.clip.quantile == 1
