"""Training, validation and prediction with every preset are the same on the device."""

import copy
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

import denoisplit
from denoisplit.core.network.composer import compose
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.evidence import gather_evidence
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.prediction.samples.summaries import NoiseVariance, Quantiles, Samples
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import ResolvedSpec, parse_spec, resolve
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.training.steps.descent import optimizer_of
from denoisplit.core.training.steps.task import SplittingTask, values_of
from denoisplit.testing.noise_model_laws.noise_model_cases import NoiseModelCases
from denoisplit.testing.simulated_device import simulated_device
from tests.network.small import counts

DEVICE = simulated_device()
PRESETS = sorted(one.stem for one in (Path(denoisplit.__file__).parent / "core/spec/presets").glob("*.yaml"))
ALIKE = ("altered-musplit", "denoisplit-best", "denoisplit-hagen", "microsplit-regular", "musplit-deep")
"""With so few channels and levels, others have the same network, or each of its parts."""
LADDER = """preset: {preset}
model: {{encoder: {{levels: 2, width: 4, blocks: 1}}, decoder: {{latent_channels: 2, blocks: 1}}}}"""
CONTEXT = LADDER.replace("width", "input_scales: 2, width")
UNET = "preset: {preset}\nmodel: {{encoder: {{pools: 2, width: 4}}}}"
DATA = "\ndata: {train: {use: simulated}}"
STEPS = 2
SIDE = 16
"""Pixels of a patch, and of a tile."""


def tiny(preset: str) -> tuple[ResolvedSpec, VSE]:
    """A preset with few channels and levels, and its noise model fitted."""
    text = UNET if preset == "unet" else LADDER
    if preset.endswith(("regular", "lean", "deep")):
        text = CONTEXT
    spec = resolve(parse_spec(text.format(preset=preset) + DATA, ()), installed_registry())
    cases, count = NoiseModelCases(), len(spec.channels)
    given = cases.statistics()
    given = attrs.evolve(given, target_mean=given.target_mean[:count], target_std=given.target_std[:count])
    torch.manual_seed(0)
    vse = compose(spec.model, given, channels=spec.channels, patch=64)
    if vse.noise_model.needs_fit:
        vse.noise_model.fit(cases.pairs(500)[:count], seed=0)
    vse.halo = (SIDE,) * vse.spatial_rank  # measuring it takes longer than all else
    return spec, vse.double()


def learnt(spec: ResolvedSpec, vse: VSE, device: torch.device) -> dict[str, Tensor]:
    """What steps and a validation give, and the weights and gradients that they leave."""
    task = SplittingTask(vse, spec.training).to(device).train()
    optimizer = optimizer_of(vse, spec.training)
    found: dict[str, Tensor] = {}
    mixed, targets = (one.to(device) for one in counts(vse, (SIDE, SIDE), batch=2))
    for step in range(STEPS):
        terms = task((mixed, targets), step)
        task.took(terms, step)
        optimizer.zero_grad()
        torch.autograd.backward(terms.total)
        torch.nn.utils.clip_grad_norm_(vse.parameters(), spec.training.gradient_clip)
        optimizer.step()
        found |= {f"{name} {step}": torch.tensor(value) for name, value in values_of(terms).items()}
    found |= {n: torch.tensor(v) for n, v in task.validated([(mixed.cpu(), targets.cpu())], STEPS).items()}
    found |= {f"gradient of {n}": p.grad for n, p in vse.named_parameters() if p.grad is not None}
    return {name: value.cpu() for name, value in (found | vse.state_dict()).items()}


def predicted(vse: VSE, tile: int) -> dict[str, Tensor]:
    """Every image that a prediction has to offer, and what a verdict rests on."""
    image = counts(vse, (2 * SIDE, SIDE - 1))[0][0, 0].numpy()
    how = PredictionSpec(samples=2, seed=5, tile=tile)
    made = predict(vse, image, how, batch=1, summaries=[Samples(), Quantiles((0.3,)), NoiseVariance()])
    evidence = gather_evidence(vse, image, how)
    rates = {f"rate {level}": rate for level, rate in zip(evidence.levels, evidence.rates, strict=True)}
    found = {**made.images, "mean": made.mean, "std": made.std, "draw": evidence.draw, **rates}
    found["variance"] = evidence.variance
    return {name: torch.from_numpy(np.asarray(value)) for name, value in found.items()}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.isfinite(value).all()
        assert torch.allclose(found[name], value, rtol=1e-6, atol=1e-8), name


@pytest.mark.parametrize(
    "preset", [pytest.param(one, marks=pytest.mark.slow if one in ALIKE else ()) for one in PRESETS]
)
def test_a_preset_learns_and_predicts_there_what_it_does_here(preset: str) -> None:
    spec, vse = tiny(preset)
    other = copy.deepcopy(vse)
    assert_same(learnt(spec, other, DEVICE), learnt(spec, vse, torch.device("cpu")))
    assert_same(predicted(other, 0), predicted(vse, 0))
    assert_same(predicted(other, SIDE), predicted(vse, SIDE))
