"""Which fields calibrate and which report."""

from itertools import combinations

import numpy as np

from benchmarks.calibration import Pixels, choices, together


def test_all_ways_to_choose_fields_are_taken_where_they_are_few() -> None:
    assert choices(6, 3, most=20) == list(combinations(range(6), 3))


def test_of_many_ways_random_ones_of_distinct_fields_are_taken() -> None:
    found = choices(24, 8, most=40)
    assert found == choices(24, 8, most=40)
    assert len(found) == 40
    assert all(len(set(one)) == 8 and set(one) <= set(range(24)) for one in found)


def test_fields_of_different_size_make_one_row() -> None:
    parts = [Pixels(*(np.full((1, 2, n), float(k)) for k in range(4))) for n in (3, 5)]
    row = together(parts)
    assert [array.shape for array in (row.mean, row.std, row.truth, row.squares)] == [(1, 2, 8)] * 4
    assert [float(array.min()) for array in (row.mean, row.std, row.truth, row.squares)] == [0, 1, 2, 3]
