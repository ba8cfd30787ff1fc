"""Fields are held out whole, and no pixels serve in two splits."""

import itertools
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.data_fingerprint import array_fingerprint, assert_disjoint, data_fingerprint
from denoisplit.core.images.splits import Split, hold_out, reference_split, split_fields


def fields(count: int) -> tuple[Field, ...]:
    return tuple(Field(name=f"f{i}", observed=np.full((1, 2, 2), i, np.float32)) for i in range(count))


@given(st.integers(2, 40), st.floats(0.01, 0.99), st.integers(0, 9))
def test_every_field_lands_on_one_side_and_no_side_is_empty(count: int, fraction: float, seed: int) -> None:
    train, validation = hold_out(fields(count), fraction, seed)
    assert sorted((*train, *validation), key=lambda f: int(f.name[1:])) == list(fields(count))
    assert abs(len(validation) - fraction * count) <= 1 or 1 in (len(train), len(validation))
    assert min(len(train), len(validation)) >= 1
    assert_disjoint(train, validation)
    again = hold_out(fields(count), fraction, seed)
    assert [f.name for f in again[1]] == [f.name for f in validation]


def test_the_seed_chooses_which_fields_are_held_out() -> None:
    assert {hold_out(fields(10), 0.1, seed)[1][0].name for seed in range(100)} == {f"f{i}" for i in range(10)}


def test_overlapping_crops_stay_together() -> None:
    """Two images, cut into crops that overlap; validation has all crops of one of them."""
    images = [np.random.default_rng(seed).poisson(50.0, (1, 96, 96)) for seed in (1, 2)]
    crops = [
        Field(name=f"{number} {place}", observed=image[:, place : place + 48].astype(np.float32))
        for place in (0, 24, 48)
        for number, image in enumerate(images)
    ]
    for seed in range(3):
        train, validation = hold_out(crops, 0.2, seed)
        for part in (train, validation):
            assert len({field.name[0] for field in part}) == 1
            assert len(part) == 3
    with pytest.raises(ImageError, match=r"all 3 fields are exposures of one place, .* or overlap"):
        hold_out(crops[::2], 0.5, 0)


def test_one_field_cannot_be_split() -> None:
    with pytest.raises(ImageError, match=r"data\.validation"):
        hold_out(fields(1), 0.1, 0)


def test_the_same_pixels_in_two_splits_are_refused_whatever_their_names() -> None:
    a, b, c = fields(3)
    assert_disjoint((a,), (b,), (c,))
    copy = attrs.evolve(b, name="copy")
    with pytest.raises(ImageError, match="validation field 'f1' and test field 'copy'"):
        assert_disjoint((a,), (b,), (copy,))
    with pytest.raises(ImageError, match="train field 'f1' and validation field 'copy'"):
        assert_disjoint((a, b), (copy,))


def test_a_fingerprint_sees_pixels_shape_type_and_order_but_not_memory_layout() -> None:
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    same: list[AnyArray] = [np.asfortranarray(pixels), pixels.astype(">f4"), np.pad(pixels, 1)[1:-1, 1:-1]]
    other: list[AnyArray] = [pixels.T, pixels.reshape(4, 3), pixels.astype(np.float64), pixels + 1]
    assert {array_fingerprint(a) for a in same} == {array_fingerprint(pixels)}
    assert len({array_fingerprint(a) for a in [pixels, *other]}) == 5
    a, b = fields(2)
    assert data_fingerprint((a, b)) == data_fingerprint((a, attrs.evolve(b, name="renamed")))
    assert data_fingerprint((a, b)) != data_fingerprint((b, a))


@given(st.integers(0, 80), st.floats(0, 0.5), st.floats(0, 0.49), st.booleans())
def test_a_reference_split_uses_every_field_once(
    count: int, validation: float, test: float, first: bool
) -> None:
    parts = reference_split(count, validation, test, "test_first" if first else "interleaved")
    assert sorted(parts.train + parts.validation + parts.test) == list(range(count))
    if not test:
        assert not parts.test
    if not validation:
        assert not parts.validation


def test_the_reference_splits_of_the_method() -> None:
    parts = reference_split(54, 0.1, 0.1, "test_first")
    assert (parts.test, parts.validation) == (tuple(range(5)), tuple(range(5, 10)))
    assert parts.train == tuple(range(10, 54))
    parts = reference_split(62, 0.1, 0.1, "interleaved")
    assert (parts.validation, parts.test) == ((0, 1, 2, 6, 7, 8), (3, 4, 5, 9, 10, 11))


def test_fields_are_split_by_the_rule_of_the_spec() -> None:
    given_fields = fields(10)
    train, validation, test = split_fields(given_fields, Split(rule="test_first", test_fraction=0.2), 0.2, 0)
    assert [f.name for f in test + validation + train] == [f.name for f in given_fields]
    assert (len(test), len(validation)) == (2, 2)
    train, validation, test = split_fields(given_fields, Split(), 0.3, 5)
    assert ((train, validation), test) == (hold_out(given_fields, 0.3, 5), ())


def test_a_rule_that_leaves_nothing_to_learn_from_or_to_validate_on_is_refused() -> None:
    with pytest.raises(
        ImageError, match=r"\$\.data\.split: 4 fields give 4 for training and 0 for validation"
    ):
        split_fields(fields(4), Split(rule="test_first"), 0.1, 0)


@given(st.integers(3, 40), st.floats(0.05, 0.4), st.floats(0.05, 0.4), st.integers(0, 99))
def test_a_random_split_uses_every_field_once_and_its_validation_fields_do_not_depend_on_the_test(
    count: int, validation: float, test: float, seed: int
) -> None:
    given_fields = fields(count)
    parts = split_fields(given_fields, Split(test_fraction=test), validation, seed)
    assert sorted(f.name for part in parts for f in part) == sorted(f.name for f in given_fields)
    assert all(parts)
    assert parts[1] == split_fields(given_fields, Split(), validation, seed)[1]
    assert abs(len(parts[2]) - test * count) <= 1
    assert parts == split_fields(given_fields, Split(test_fraction=test), validation, seed)


def test_too_few_fields_for_a_random_test_are_refused() -> None:
    with pytest.raises(ImageError, match=r"2 fields are too few"):
        split_fields(fields(2), Split(test_fraction=0.3), 0.3, 0)


def test_fields_are_held_out_by_name_and_by_pattern() -> None:
    split = Split(rule="named", validation=("f3",), test=("f1?", "f7"))
    train, validation, test = split_fields(fields(12), split, 0.1, 0)
    assert [f.name for f in validation] == ["f3"]
    assert [f.name for f in test] == ["f7", "f10", "f11"]
    assert len(train) == 8


@pytest.mark.parametrize(
    ("split", "words"),
    [
        (Split(rule="named", validation=("g*",)), r"split\.validation: no field has this name \(got 'g\*'\)"),
        (
            Split(rule="named", validation=("f1",), test=("f*",)),
            "field 'f1' is named for validation and for test",
        ),
        (Split(rule="named", validation=("f*",)), "every field is named"),
    ],
)
def test_names_that_cannot_be_followed_are_refused(split: Split, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        split_fields(fields(3), split, 0.1, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rule": "named"},
        {"rule": "named", "validation": ("a",), "test_fraction": 0.1},
        {"validation": ("a",)},
        {"rule": "regions", "test": ("a",)},
    ],
)
def test_keys_of_another_rule_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="rule"):
        Split(**wrong)


@given(
    st.tuples(st.integers(84, 110), st.integers(84, 110)),
    st.integers(0, 20),
    st.floats(0.1, 0.3),
    st.sampled_from([0.0, 0.2]),
)
def test_regions_share_no_pixel_and_keep_their_distance(
    sides: tuple[int, int], gap: int, validation: float, test: float
) -> None:
    numbers = np.arange(np.prod(sides), dtype=np.float32).reshape(sides)
    field = Field(name="one", observed=numbers[None], clean=numbers[None] + 0.5, repeats=numbers[None, None])
    split = Split(rule="regions", gap=gap, test_fraction=test)
    parts = [part[0] for part in split_fields([field], split, validation, 0) if part]
    assert len(parts) == (3 if test else 2)
    axis = 0 if sides[0] >= sides[1] else 1
    spans = []
    for part in parts:
        assert part.clean is not None
        assert part.repeats is not None
        np.testing.assert_array_equal(part.clean[...], part.observed[...] + 0.5)
        np.testing.assert_array_equal(part.repeats[0], part.observed)
        places = np.argwhere(np.isin(numbers, part.observed))
        assert len(places) == part.observed[...].size
        spans.append((places[:, axis].min(), places[:, axis].max()))
    assert spans[0][0] == 0
    assert spans[-1][1] == max(sides) - 1
    assert all(after[0] - before[1] - 1 == gap for before, after in itertools.pairwise(spans))
    assert abs(parts[1].observed.shape[1 + axis] - validation * max(sides)) <= 0.5
    assert len({part.name for part in parts}) == len(parts)
    assert_disjoint(parts[:1], parts[1:2], parts[2:])


def test_a_field_too_small_for_regions_is_refused() -> None:
    field = Field(name="small", observed=np.zeros((1, 20, 30), dtype=np.float32))
    with pytest.raises(ImageError, match=r"'small': 30 pixels are too few.*gap 128"):
        split_fields([field], Split(rule="regions"), 0.1, 0)
