"""What the end of a training says of chi-square."""

import logging

import pytest

from denoisplit.core.training.calibration.measured_reference import tell_misfit


@pytest.mark.parametrize(
    ("found", "said"),
    [(1.1, ""), (0.7, ""), (2e-7, "far below 1"), (0.3, "far below 1"), (40, "far above 1")],
)
def test_chi_square_far_from_one_is_a_warning(
    found: float, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "denoisplit"):
        tell_misfit(found)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert f"chi-square {found:.3g}" in caplog.text  # a small number is no zero
    assert len(warnings) == bool(said)
    assert all(said in warning for warning in warnings)
