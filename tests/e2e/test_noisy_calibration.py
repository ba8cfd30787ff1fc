"""A network that was trained on noisy targets and is calibrated on noisy targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pytest

import denoisplit
from denoisplit.core.images.bases import Field
from denoisplit.core.prediction.samples.sums_over import SumsOver
from denoisplit.core.sums.divisions import block_division
from denoisplit.core.sums.tile_sums import gathered_sums
from denoisplit.core.training.calibration.fit_calibrators import calibrate_run, noisy_errors, predicted
from denoisplit.core.training.data.prepare import prepare

SPEC = """
spec_version: 1
preset: denoisplit
channels: [filaments, mitochondria]
data:
  train: {use: simulated, fields: 4, size: 128, seed: 1, photons: 10}
  validation: {use: simulated, fields: 3, size: 192, seed: 2, photons: 10, repeats: 1}
model:
  encoder: {levels: 2, width: 8, dropout: 0.0}
  decoder: {latent_channels: 4, dropout: 0.0}
  noise_model: {fit_pairs: 4000, fit_steps: 20}
  kl_scheme: {use: elbo, weight: 0.02} # a network that passes noise on, with the draws below
training: {steps: 90, batch: 2, patch: 32, learning_rate: 3e-3,
  validate_every: 45, precision: float32, noise: generator}
prediction: {samples: 8}
"""


def without(field: Field, *names: str) -> Field:
    hidden: dict[str, Any] = dict.fromkeys(names)
    return attrs.evolve(field, **hidden)


def factors(run: denoisplit.Run, fields: Sequence[Field], side: int) -> npt.NDArray[np.float64]:
    """Of the spread of sums over blocks, from the clean references: root mean square of error over std."""
    scores = []
    for field in fields:
        blocks = block_division(field.observed.shape[1:], side)
        assert blocks is not None
        found = predicted(run.vse, run.spec, field, [SumsOver([[blocks]])])
        (samples,) = gathered_sums([blocks], found.facts)
        scores.append((samples.mean(0) - blocks.sums(np.asarray(field.clean))) / samples.std(0, ddof=1))
    factor: npt.NDArray[np.float64] = np.sqrt((np.concatenate(scores, axis=1) ** 2).mean(axis=1))
    return factor


@pytest.mark.slow
def test_noisy_targets_and_repeats_give_the_factor_of_clean_references(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    run = denoisplit.train(path, tmp_path / "run")
    fields = prepare(run.spec).validation
    assert run.bundle.calibration is not None
    clean = run.bundle.calibration.parameters["factor"]
    for hidden, origin in ((("clean",), "repeats"), (("clean", "repeats"), "noisy targets")):
        both = calibrate_run(run.vse, run.spec, [without(field, *hidden) for field in fields])
        found, sums = both.pixels, both.regions
        assert found is not None
        assert sums is not None
        assert found.origin == sums.origin == origin
        assert found.parameters["factor"] == pytest.approx(clean, rel=0.05)
        for side in (4, 16, 64):
            assert sums.parameters[f"{side}:factor"] == pytest.approx(factors(run, fields, side), rel=0.05)

    # The network does pass noise on: without the covariance, errors would be too small by far more.
    single = without(fields[0], "clean", "repeats")
    mean = predicted(run.vse, run.spec, single).mean
    unaware = attrs.evolve(single, mixed=single.observed[...].mean(0, keepdims=True))
    rng = np.random.default_rng(0)
    whole, part = (noisy_errors(run.vse, run.spec, f, mean, rng).squares().mean() for f in (single, unaware))
    assert part < 0.9 * whole
