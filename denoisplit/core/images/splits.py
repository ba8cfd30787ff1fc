"""Hold fields out of training."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import attrs
import numpy as np
from attrs.validators import ge, in_, lt

from denoisplit.core.errors import ImageError
from denoisplit.core.images.interfaces import Field

_REFERENCE_SEED: Final = 955
"""With it the reference draws which fields change sides; its splits depend on it."""


@attrs.frozen(kw_only=True)
class Split:
    """How the fields of one data set are divided.

    Attributes:
        rule: ``random``: any fields are held out for validation; or a rule of the reference that goes by the
            order of the fields: ``test_first``: the first are for the test, the next for validation;
            ``interleaved``: chunks of the first ones for validation and test in turn.
        test_fraction: part of the fields to test on, for the rules of the reference.
    """

    rule: Literal["random", "test_first", "interleaved"] = attrs.field(
        default="random", validator=in_(("random", "test_first", "interleaved"))
    )
    test_fraction: float = attrs.field(default=0.0, validator=[ge(0), lt(1)])

    def __attrs_post_init__(self) -> None:
        if self.rule == "random" and self.test_fraction:
            raise ValueError(
                f"test_fraction needs rule test_first or interleaved (got {self.test_fraction}). "
                f"Change the rule, or name a data set as data.test"
            )


@attrs.frozen
class SplitIndices:
    """Indices of the fields of every part, in the order of the reference."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def hold_out(
    fields: Sequence[Field], fraction: float, seed: int
) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Split fields at random into training and validation; a field is never cut.

    Args:
        fields: at least two.
        fraction: of the fields to hold out, rounded, but at least one field stays on each side.
        seed: of the choice.

    Returns:
        Training and validation fields, each in their original order.

    Raises:
        ImageError: fewer than two fields.
    """
    if len(fields) < 2:
        raise ImageError(
            f"data: one field cannot be split into training and validation (got {len(fields)} fields). "
            f"Give data.validation, or more fields."
        )
    count = min(max(round(fraction * len(fields)), 1), len(fields) - 1)
    held = set(np.random.default_rng(seed).permutation(len(fields))[:count].tolist())
    return (
        tuple(field for i, field in enumerate(fields) if i not in held),
        tuple(field for i, field in enumerate(fields) if i in held),
    )


def split_fields(
    fields: Sequence[Field], split: Split, fraction: float, seed: int
) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    """Training, validation and test fields by the rule of a spec.

    Args:
        fields: of one data set, in its order.
        split: the rule.
        fraction: of the fields for validation.
        seed: of random choices.

    Raises:
        ImageError: no field is left for training or for validation.
    """
    if split.rule == "random":
        return *hold_out(fields, fraction, seed), ()
    indices = reference_split(len(fields), fraction, split.test_fraction, split.rule)
    if not indices.train or not indices.validation:
        raise ImageError(
            f"$.data.split: {len(fields)} fields give {len(indices.train)} for training and "
            f"{len(indices.validation)} for validation (got rule '{split.rule}', "
            f"validation_fraction {fraction}, test_fraction {split.test_fraction}). "
            f"Change the fractions, or give more fields."
        )
    parts = (indices.train, indices.validation, indices.test)
    train, validation, test = (tuple(fields[i] for i in part) for part in parts)
    return train, validation, test


def reference_split(
    count: int, validation: float, test: float, mode: Literal["test_first", "interleaved"]
) -> SplitIndices:
    """Split ``count`` fields in their order, as the reference does.

    Unlike there, a part that gets no field is empty instead of an error.

    Args:
        count: number of fields.
        validation: fraction of them for validation.
        test: fraction of them for the test.
        mode: the rule, see ``Split``.

    Source: Ashesh & Jug, ECCV 2024, code; method section 5.1.
    """
    if mode == "test_first":
        held, tested = _test_first(count, validation, test)
        begin = len(held) + len(tested)
    else:
        begin = int((validation + test) * count)
        held, tested = _interleaved(begin)
    held, tested = _balanced(held, tested, validation, test, count)
    return SplitIndices(tuple(range(begin, count)), tuple(held), tuple(tested))


def _test_first(count: int, validation: float, test: float) -> tuple[list[int], list[int]]:
    tested, held = int(count * test), int(count * validation)
    return list(range(tested, tested + held)), list(range(tested))


def _interleaved(count: int) -> tuple[list[int], list[int]]:
    """The first ``count`` fields in chunks of 1 to 3 for validation and test in turn, then the rest."""
    side = max(1, min(3, count // 2))
    chunks = count // side
    parts: tuple[list[int], list[int]] = ([], [])
    for chunk in range(chunks):
        parts[chunk % 2].extend(range(chunk * side, (chunk + 1) * side))
    rest = list(range(chunks * side, count))
    # After a chunk for validation the test gets the rest; after one for the test, both get a half.
    half = len(rest) if chunks % 2 else len(rest) // 2
    return parts[0] + rest[half:], parts[1] + rest[:half]


def _balanced(
    held: list[int], tested: list[int], validation: float, test: float, count: int
) -> tuple[list[int], list[int]]:
    """Move fields to the part with the larger fraction, which so far got about as many as the other."""
    if validation == test:
        return held, tested
    if not validation:
        return [], tested + held
    if not test:
        return held + tested, []
    moved = int(abs(test - validation) * count / 2)
    if test > validation:
        shuffled = _shuffled(held)
        return shuffled[moved:], tested + shuffled[:moved]
    shuffled = _shuffled(tested)
    return held + shuffled[:moved], shuffled[moved:]


def _shuffled(indices: list[int]) -> list[int]:
    legacy: Any = np.random.RandomState(_REFERENCE_SEED)
    shuffled: list[int] = legacy.permutation(indices).tolist()
    return shuffled
