"""As many samples as the mean needs."""

import logging

import attrs
import numpy as np
import pytest

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.prediction.samples.sample_count import LEAST, MOST, PILOT, AutoSamples, parse_samples
from denoisplit.core.spec.records import PredictionSpec
from tests.prediction.networks import small_vse

SCALES = IntensityStats(mixed_mean=0, mixed_std=1, target_mean=(0, 0), target_std=(20, 50))


def variance(std: FloatArray) -> FloatArray:
    """The mean variance of every channel."""
    return np.asarray(np.mean(np.square(std.astype(np.float64)), axis=tuple(range(1, std.ndim))))


def chosen(fraction: float, *stds: float) -> int:
    arrays = [variance(np.full((2, 8, 8), std, np.float32)) for std in stds]
    return AutoSamples(fraction).choose(arrays, SCALES)


def test_the_channel_and_the_plane_that_need_most_decide() -> None:
    # 6 of 20 is 0.3 of the scale; (0.3 / 0.02)^2 = 225. In the other channel, 6 of 50 needs 36.
    assert chosen(0.02, 6.0) == 225
    assert chosen(0.02, 1.0, 6.0, 2.0) == 225
    assert chosen(0.04, 6.0) == 57
    assert chosen(0.02, 0.0) == LEAST
    assert AutoSamples().choose([np.zeros(2)], SCALES, least=39) == 39


def test_variances_are_averaged_over_the_image() -> None:
    std = np.zeros((2, 10, 10))
    std[0, :5] = 6
    assert AutoSamples(0.02).choose([variance(std)], SCALES) == 113


def test_units_do_not_matter() -> None:
    std = np.random.default_rng(0).uniform(0, 10, (2, 9, 9))
    scaled = attrs.evolve(SCALES, target_std=tuple(7 * s for s in SCALES.target_std))
    assert AutoSamples().choose([variance(7 * std)], scaled) == AutoSamples().choose([variance(std)], SCALES)


def test_there_is_an_end_and_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "denoisplit.prediction"):
        assert chosen(0.001, 6.0) == MOST
    assert "90000 would be needed" in caplog.text
    assert "with 1000 it is 0.0095" in caplog.text  # 0.3 / sqrt(1000)


def test_the_error_of_the_mean_is_what_was_asked_for() -> None:
    """Means of separate sets of samples differ by sqrt(2) times the Monte Carlo error."""
    vse = small_vse(channels=1)
    mixed = np.random.default_rng(1).normal(120, 30, (32, 32))
    pilot = predict(vse, mixed, PredictionSpec(samples=PILOT, seed=0)).std
    assert pilot is not None
    scale = vse.statistics.target_std[0]
    fraction = float(np.sqrt(np.mean(pilot**2)) / scale / np.sqrt(50))  # for about 50 samples
    count = AutoSamples(fraction).choose([variance(pilot)], vse.statistics)
    assert 49 <= count <= 51
    one, two = (predict(vse, mixed, PredictionSpec(samples=count, seed=seed)).mean for seed in (1, 2))
    error = np.sqrt(np.mean((one - two) ** 2) / 2) / scale
    assert error == pytest.approx(fraction, rel=0.2)


def test_tiles_choose_the_same_number() -> None:
    vse, mixed = small_vse(), np.random.default_rng(1).normal(120, 30, (100, 40))
    stds = [
        predict(vse, mixed, PredictionSpec(samples=PILOT, seed=0, tile=tile)).std for tile in (20, 52, 100)
    ]
    counts = {AutoSamples(0.005).choose([variance(std)], vse.statistics) for std in stds if std is not None}
    assert len(counts) == 1
    assert counts != {LEAST}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (7, 7),
        ("7", 7),
        ("auto", AutoSamples()),
        ("auto:0.01", AutoSamples(0.01)),
        (" auto:1", AutoSamples(1)),
    ],
)
def test_words_for_it(given: int | str, expected: int | AutoSamples) -> None:
    assert parse_samples(given) == expected


@pytest.mark.parametrize("given", ["many", "auto:0", "auto:2", "auto:nan", "auto:x", "2.5", ""])
def test_other_words(given: str) -> None:
    with pytest.raises(
        SpecError, match=r"prediction\.samples: must be a number, auto, or auto:FRACTION"
    ) as it:
        parse_samples(given)
    assert f"(got {given!r})" in str(it.value)
