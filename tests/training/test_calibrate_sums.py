"""What sums of a run are calibrated against, and what the log says about their sizes."""

import logging

import attrs
import numpy as np
import pytest

from denoisplit.core.arrays import Float64Array
from denoisplit.core.images.bases import Field
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.network.interfaces import SumInterval
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import draw_samples
from denoisplit.core.spec import ResolvedSpec
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.training.calibration.fit_calibrators import calibrate_run
from tests.calibrating import calibrate
from tests.training.test_calibrate import fields as fields
from tests.training.test_calibrate import noisy, spec
from tests.training.test_calibrate import vse as vse


def asked(vse: VSE, chosen: ResolvedSpec, fields: tuple[Field, ...], pixels: int) -> list[SumInterval]:
    """What is found for sums of both channels."""
    assert chosen.region_calibrator is not None
    calibrator, found = chosen.region_calibrator.build(), calibrate_run(vse, chosen, fields).regions
    assert found is not None
    return [calibrator.sum_interval(found, channel=c, pixels=pixels, level=0.9) for c in (0, 1)]


def block_scores(vse: VSE, chosen: ResolvedSpec, fields: tuple[Field, ...], side: int) -> Float64Array:
    """Errors of the sums over all blocks in stds of the sums of the samples [c blocks]."""
    count, scores = 64 // side, []
    for field in fields:
        mixed = mixed_image(field, chosen.data.mixing)[0]
        samples = draw_samples(vse, mixed, PredictionSpec(samples=8, seed=0)).astype(np.float64)
        sums = samples.reshape(8, 2, count, side, count, side).sum((3, 5))
        true = np.asarray(field.clean, dtype=np.float64).reshape(2, count, side, count, side).sum((2, 4))
        scores.append((np.abs(sums.mean(0) - true) / sums.std(0, ddof=1)).reshape(2, -1))
    return np.concatenate(scores, axis=1)


def test_half_widths_are_quantiles_of_the_errors_of_block_sums(vse: VSE, fields: tuple[Field, ...]) -> None:
    ordered = np.sort(block_scores(vse, spec(), fields, 16), axis=1)
    found = asked(vse, spec(), fields, 256)
    # Of 32 blocks, ceil(33 x 0.9) = 30 have to lie within.
    np.testing.assert_allclose([one.half_width or 0 for one in found], ordered[:, 29], rtol=1e-6)


def test_the_pixels_are_calibrated_as_without_sums(vse: VSE, fields: tuple[Field, ...]) -> None:
    both = calibrate_run(vse, spec(), fields)
    assert both.pixels == calibrate(vse, spec(), fields)
    assert both.regions is not None
    without = calibrate_run(vse, spec("region_calibrator=null"), fields)
    assert (without.pixels, without.regions) == (both.pixels, None)


@pytest.mark.parametrize(("hidden", "origin"), [(False, "repeats"), (True, "noisy targets")])
def test_noisy_images_tell_the_root_mean_square_of_these_errors(
    vse: VSE, fields: tuple[Field, ...], hidden: bool, origin: str
) -> None:
    unknown = noisy(fields) if hidden else [attrs.evolve(field, clean=None) for field in fields]
    found = calibrate_run(vse, spec(), unknown).regions
    assert found is not None
    assert found.origin == origin
    expected = np.sqrt((block_scores(vse, spec(), fields, 4) ** 2).mean(axis=1))
    np.testing.assert_allclose(found.parameters["4:factor"], expected, rtol=0.05)


def test_fields_with_clean_references_are_enough(vse: VSE, fields: tuple[Field, ...]) -> None:
    some = calibrate_run(vse, spec(), [fields[0], *noisy(fields[1:])]).regions
    assert some == calibrate_run(vse, spec(), fields[:1]).regions
    assert some is not None
    assert some.origin == "clean references"


def test_sums_do_not_need_the_calibration_of_pixels(vse: VSE, fields: tuple[Field, ...]) -> None:
    both = calibrate_run(vse, spec("calibrator.use=conformal"), noisy(fields))
    assert both.pixels is None
    assert both.regions is not None


def test_the_log_tells_at_which_sizes_it_holds(
    vse: VSE, fields: tuple[Field, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="denoisplit"):
        calibrate_run(vse, spec(), fields)
    said = [record for record in caplog.records if record.getMessage().startswith("sums over")]
    told = [record.getMessage() for record in said]
    assert told[0] == "sums over regions: calibrated on 2 held-out fields (clean references)"
    assert any(line.startswith("sums over 4 x 4 px: 90 % lie within ") for line in told)
    assert said[-1].levelno == logging.WARNING
    assert told[-1].startswith(
        "sums over 64 x 64 px (filaments, puncta): No calibration: larger than 16 x 16"
    )
    assert told[-1].endswith("only 2 blocks of 64 x 64 px were held out")
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="denoisplit"):
        calibrate_run(vse, spec("region_calibrator.sides=[128]"), fields)
    assert "no intervals of sums over regions: no sums can be calibrated" in caplog.text
