"""What is counted of the intervals that were calibrated on few fields."""

import attrs
import numpy as np
import pytest

from benchmarks.few_fields import FOR_PIXELS, FOR_SUMS, MOST, SIDES, Known, of_pixels, of_sums, table, thinned
from denoisplit.testing.calibrator_laws.field_calibrators import made_field


def known(size: float, seed: int, *, seen: bool = False) -> Known:
    field = attrs.evolve(made_field(size, seed), seen=seen)
    return Known(field, tuple(attrs.evolve(field, pixels=side**2) for side in SIDES))


HELD = [known(1.0, seed) for seed in range(5)]
SEEN = [known(0.9, seed, seen=True) for seed in range(10, 13)]


@pytest.mark.parametrize("name", FOR_PIXELS)
def test_fields_that_are_alike_are_covered_as_promised(name: str) -> None:
    for one in of_pixels(FOR_PIXELS[name], HELD[:3], [], HELD[3:]):
        assert one.covered == pytest.approx(0.9, abs=0.01)
        assert one.ratio == pytest.approx(1, abs=0.05)
        assert one.width == pytest.approx(2 * 1.645 * 10, rel=0.1)


@pytest.mark.parametrize("name", FOR_SUMS)
def test_sums_are_counted_by_size_and_channel(name: str) -> None:
    found = of_sums(FOR_SUMS[name], HELD[:3], [], HELD[3:])
    assert list(found) == list(SIDES)
    for outcomes in found.values():
        assert [one.covered for one in outcomes] == pytest.approx([0.9, 0.9], abs=0.01)


def test_a_field_with_larger_errors_is_covered_less() -> None:
    (one, _) = of_pixels(FOR_PIXELS["conformal"], HELD[:3], [], [known(3.0, 8)])
    assert one.covered < 0.5


def test_training_fields_serve_those_that_take_them_and_never_report() -> None:
    lines = table([*HELD, *SEEN], ("first", "second"), 3, 100)
    assert lines[0] == "10 choices of 3 of 5 fields; 3 training fields"
    assert len(lines) == 4 + 2 * (len(FOR_PIXELS) + len(SIDES) * len(FOR_SUMS))
    alone, with_seen = (of_pixels(FOR_PIXELS["by_field"], HELD[:3], seen, HELD[3:]) for seen in ([], SEEN))
    assert with_seen[0].width < alone[0].width


def test_of_many_pixels_some_are_drawn() -> None:
    drawn = thinned(made_field(1.0, 1, pixels=2 * MOST), np.random.default_rng(0))
    assert drawn.truth is not None
    assert drawn.mean.shape == drawn.std.shape == drawn.truth.shape == (2, MOST)
