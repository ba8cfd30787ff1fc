"""Held-out sets that are too small, too good or spoiled, for every registered calibrator."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.arrays import Float64Array
from denoisplit.core.network.calibrating import fit_squares
from tests.calibration.outcome import outcome
from tests.registered import StdCalibrator, calibrators, fits_squares

CALIBRATORS = calibrators()
SQUARES = {n: c for n, c in CALIBRATORS.items() if fits_squares(c)}
every_calibrator = pytest.mark.parametrize("calibrator", CALIBRATORS.values(), ids=CALIBRATORS)
Set = tuple[Float64Array, Float64Array, Float64Array]


def usual(*shape: int) -> Set:
    """Mean, std and truth [n c (z) y x] whose errors are 1.5 times the std."""
    rng = np.random.default_rng(0)
    mean, std = rng.normal(100, 20, shape), rng.gamma(5, 1, shape)
    return mean, std, mean + 1.5 * std * rng.normal(size=shape)


def _one_channel_perfect() -> Set:
    mean, std, truth = usual(2, 2, 24, 24)
    truth[:, 1] = mean[:, 1]
    return mean, std, truth


def _spoiled(which: int, value: float) -> Set:
    arrays = usual(2, 2, 24, 24)
    arrays[which][1, 0, 3, 4] = value
    return arrays


def _all_noise() -> Set:
    """A network that gives up: the same mean everywhere, and a truth without structure."""
    _, std, truth = usual(2, 2, 24, 24)
    return np.full_like(std, 100.0), std, 100 + np.random.default_rng(1).normal(0, 12, truth.shape)


FITTED: dict[str, Callable[[], Set]] = {
    "one field": lambda: usual(1, 2, 24, 24),
    "one field of few pixels": lambda: usual(1, 1, 2, 3),
    "a constant std": lambda: (usual(2, 2, 24, 24)[0], np.full((2, 2, 24, 24), 0.7), usual(2, 2, 24, 24)[2]),
    "a std of two values, so that bins are empty": lambda: (
        usual(2, 2, 24, 24)[0],
        np.where(np.arange(24) < 23, 1.0, 9.0) + np.zeros((2, 2, 24, 1)),
        usual(2, 2, 24, 24)[2],
    ),
    "all noise": _all_noise,
    "a channel that is absent": lambda: (*usual(2, 2, 24, 24)[:2], np.full((2, 2, 24, 24), 7.0)),
    "a std from 1e-6 to 1e6": lambda: (
        *usual(1, 1, 1, 400)[:1],
        np.geomspace(1e-6, 1e6, 400).reshape(1, 1, 1, -1),
        usual(1, 1, 1, 400)[2],
    ),
}
REFUSED: dict[str, tuple[Callable[[], Set], str]] = {
    "one pixel": (
        lambda: usual(1, 2, 1, 1),
        "one pixel per channel does not tell how errors are",
    ),
    "no pixel": (lambda: usual(1, 2, 0, 3), "of one shape"),
    "a std of zero somewhere": (lambda: _spoiled(1, 0.0), "std is not above zero at 1 of 2304 pixels"),
    "a std of zero everywhere": (
        lambda: (usual(2, 2, 24, 24)[0], np.zeros((2, 2, 24, 24)), usual(2, 2, 24, 24)[2]),
        "std is not above zero at 2304 of 2304 pixels",
    ),
    "a negative std": (lambda: _spoiled(1, -1.0), "std is not above zero at 1 of 2304 pixels"),
    "a perfect prediction": (lambda: (*usual(2, 2, 24, 24)[:2], usual(2, 2, 24, 24)[0]), "fits these errors"),
    "a perfect channel": (_one_channel_perfect, "fits these errors"),
    "NaN in the mean": (lambda: _spoiled(0, np.nan), "not finite at 1 of 2304 pixels"),
    "NaN in the std": (lambda: _spoiled(1, np.nan), "std is not finite at 1 of 2304 pixels"),
    "NaN in the truth": (lambda: _spoiled(2, np.nan), "not finite at 1 of 2304 pixels"),
    "an infinite truth": (lambda: _spoiled(2, np.inf), "not finite at 1 of 2304 pixels"),
}


def from_truth(calibrator: StdCalibrator, mean: Float64Array, std: Float64Array, truth: Float64Array) -> str:
    return outcome(calibrator, lambda: calibrator.fit(mean, std, truth), mean, std)


def from_squares(
    calibrator: StdCalibrator, mean: Float64Array, std: Float64Array, truth: Float64Array
) -> str:
    squares = (truth - mean) ** 2
    return outcome(calibrator, lambda: fit_squares(calibrator, mean, std, squares), mean, std)


@every_calibrator
@pytest.mark.parametrize("made", FITTED.values(), ids=FITTED)
def test_what_little_there_is_is_used(calibrator: StdCalibrator, made: Callable[[], Set]) -> None:
    assert from_truth(calibrator, *made()) == ""
    said = from_squares(calibrator, *made())
    # Six pixels are a truth, but of estimates they are too few to be sure of.
    assert said == "" or made is FITTED["one field of few pixels"] or "needs clean references" in said


@every_calibrator
@pytest.mark.parametrize(("made", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_nothing_can_be_learned_from_is_named(
    calibrator: StdCalibrator, made: Callable[[], Set], reason: str
) -> None:
    assert reason in from_truth(calibrator, *made())
    said = from_squares(calibrator, *made())
    assert reason in said if calibrator in SQUARES.values() else "needs clean references" in said


@pytest.mark.parametrize("calibrator", SQUARES.values(), ids=SQUARES)
@pytest.mark.parametrize("shift", [0.0, -1.0], ids=["around zero", "below zero"])
def test_errors_that_cannot_be_told_from_noise_are_refused(calibrator: StdCalibrator, shift: float) -> None:
    """Else half of all perfect predictions would get a tiny std by chance, and the other half none."""
    rng = np.random.default_rng(0)
    std, squares = rng.gamma(5, 1, (2, 2, 32, 32)), rng.normal(0, 30, (2, 2, 32, 32))
    squares += shift - squares.mean()
    said = outcome(calibrator, lambda: fit_squares(calibrator, std, std, squares), std, std)
    assert "fits these errors (got mean squared " in said
    if shift == 0:
        assert calibrator is CALIBRATORS["isotonic"] or "give or take" in said


values = st.sampled_from([0.0, 1e-30, 1e-3, 0.7, 1.0, 2.5, 1e4])


@every_calibrator
@settings(max_examples=60)
@given(data=st.data(), pixels=st.integers(1, 70), channels=st.integers(1, 2))
def test_any_set_gives_finite_numbers_or_one_line(
    calibrator: StdCalibrator, data: st.DataObject, pixels: int, channels: int
) -> None:
    count = pixels * channels
    std, error, mean = (
        np.array(data.draw(st.lists(values, min_size=count, max_size=count))).reshape(1, channels, pixels)
        for _ in range(3)
    )
    std = np.maximum(std, data.draw(values))
    from_truth(calibrator, mean, std, mean + error)
    if calibrator in SQUARES.values():
        signed = error * data.draw(st.sampled_from([1, -1]))
        outcome(calibrator, lambda: fit_squares(calibrator, mean, std, signed), mean, std)
