"""Division of fields into those for training, validation and test."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, get_args

import attrs
import numpy as np
from attrs.validators import ge, in_, lt

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.cut_fields import cut_fields
from denoisplit.core.images.exposures import refuse_shared_scenes, scenes_of
from denoisplit.core.images.overlap import overlapping_pairs

Rule = Literal["random", "named", "regions", "test_first", "interleaved"]

_REFERENCE_SEED: Final = 955
"""Seed of the reference's draw of the fields that change sides; its splits depend on it."""


@attrs.frozen(kw_only=True)
class Split:
    """Settings of the division of the fields of one data set.

    Attributes:
        rule: ``random``: random fields are held out; ``named``: those named in ``validation`` and ``test``;
            ``regions``: the last part of every field, for data sets of few fields; or a rule of the reference
            that goes by the order of the fields: ``test_first``: the first are for the test, the next for
            validation; ``interleaved``: chunks of the first ones for validation and test in turn.
        test_fraction: share of the fields, or of every field, for the test.
        validation: names of fields for validation, or patterns of names (``*_A0?*``), for the rule ``named``.
        test: names of fields for the test, or patterns of names, for the rule ``named``.
        gap: unused pixels between two regions, for the rule ``regions``. Give at least the side of a patch:
            nearer pixels show the same structures and the same out-of-focus light.
    """

    rule: Rule = attrs.field(default="random", validator=in_(get_args(Rule)))
    test_fraction: float = attrs.field(default=0.0, validator=[ge(0), lt(1)])
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    gap: int = attrs.field(default=128, validator=ge(0))

    def __attrs_post_init__(self) -> None:
        if self.rule == "named" and self.test_fraction:
            raise ValueError(
                f"test_fraction does not go with rule named (got {self.test_fraction}). Name the fields as "
                f"test"
            )
        if self.rule == "named" and not self.validation:
            raise ValueError("rule named needs the names of fields (got validation: []). Name some")
        if self.rule != "named" and (self.validation or self.test):
            raise ValueError(
                f"validation and test name fields for rule named (got rule {self.rule}). Change the rule"
            )


@attrs.frozen
class SplitIndices:
    """Indices of the fields of every split, in the order of the reference."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def hold_out(
    fields: Sequence[Field], fraction: float, seed: int
) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Split fields at random into training and validation; a field is never cut.

    Exposures of one place and frames of one movie stay together, see ``scenes_of``, and so do fields that
    share pixels, such as overlapping crops, see ``overlapping_pairs``.

    Args:
        fields: fields of at least two scenes.
        fraction: share of the scenes to hold out, rounded, with at least one scene on each side.
        seed: seed of the choice.

    Returns:
        Training and validation fields, each in their original order.

    Raises:
        ImageError: there are fewer than two fields, or all belong to one scene.
    """
    if len(fields) < 2:
        raise ImageError(
            f"data: one field cannot be split into training and validation (got {len(fields)} fields). "
            f"Give data.validation, or more fields, or cut it with data.split.rule: regions."
        )
    scenes = _apart(fields)
    if len(scenes) < 2:
        raise ImageError(
            f"data: all {len(fields)} fields are exposures of one place, frames of one movie, or overlap, so "
            f"none can be held out (got 1 scene). Give images of other places, or hold out a part of each "
            f"with data.split: {{rule: regions}}; noise_pairs: repeats learns the noise from exposures."
        )
    count = min(max(round(fraction * len(scenes)), 1), len(scenes) - 1)
    drawn = np.random.default_rng(seed).permutation(len(scenes))[:count].tolist()
    held = {i for number in drawn for i in scenes[number]}
    return (
        tuple(field for i, field in enumerate(fields) if i not in held),
        tuple(field for i, field in enumerate(fields) if i in held),
    )


def _apart(fields: Sequence[Field]) -> list[tuple[int, ...]]:
    """Group fields that know of each other, in the order of the fields."""
    group = {i: set(scene) for scene in scenes_of(fields) for i in scene}
    for one, other in overlapping_pairs(fields):
        joined = group[one] | group[other]
        group |= dict.fromkeys(joined, joined)
    return sorted({tuple(sorted(scene)) for scene in group.values()})


def split_fields(
    fields: Sequence[Field], split: Split, fraction: float, seed: int
) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    """Divide fields into training, validation and test by the rule of a spec.

    Raises:
        ImageError: no field is left for training or for validation; a name fits no field; a field is too
            small to be cut; or exposures of one place are in two splits.
    """
    if split.rule == "random":
        return _random(fields, fraction, split.test_fraction, seed)
    if split.rule == "regions":
        return cut_fields(fields, fraction, split.test_fraction, split.gap)
    parts = _named(fields, split) if split.rule == "named" else _in_order(fields, split, fraction)
    refuse_shared_scenes(tuple(zip(("training", "validation", "test"), parts, strict=True)))
    return parts


def _in_order(
    fields: Sequence[Field], split: Split, fraction: float
) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    """Divide fields by a rule of the reference."""
    if split.rule not in ("test_first", "interleaved"):
        raise ValueError(f"no rule of the reference (got {split.rule})")
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


def _random(
    fields: Sequence[Field], fraction: float, test_fraction: float, seed: int
) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    train, validation = hold_out(fields, fraction, seed)
    if not test_fraction:
        return train, validation, ()
    # The fraction is of all fields, not of those that are left; the seed is that of the next draw.
    remaining = test_fraction * len(fields) / len(train)
    if len(train) < 2 or remaining >= 1:
        raise ImageError(
            f"$.data.split: {len(fields)} fields are too few to hold some out for validation and test (got "
            f"validation_fraction {fraction}, test_fraction {test_fraction}). "
            f"Lower the fractions, or give more fields."
        )
    train, test = hold_out(train, remaining, seed + 1)
    return train, validation, test


def _named(
    fields: Sequence[Field], split: Split
) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    parts: dict[str, list[Field]] = {"train": [], "validation": [], "test": []}
    patterns = {"validation": split.validation, "test": split.test}
    for field in fields:
        asked = [part for part, names in patterns.items() if any(_fits(field.name, n) for n in names)]
        if len(asked) > 1:
            raise ImageError(
                f"$.data.split: field {field.name!r} is named for validation and for test. Name it once."
            )
        parts[asked[0] if asked else "train"].append(field)
    for part, names in patterns.items():
        for name in names:
            if not any(_fits(field.name, name) for field in fields):
                known = ", ".join(field.name for field in fields[:3])
                raise ImageError(
                    f"$.data.split.{part}: no field has this name (got {name!r}). Name some of the "
                    f"{len(fields)} fields, which are {known}{', ...' if len(fields) > 3 else ''}."
                )
    if not parts["train"]:
        raise ImageError(
            "$.data.split: every field is named for validation or test (got none for training). Name fewer."
        )
    return tuple(parts["train"]), tuple(parts["validation"]), tuple(parts["test"])


def _fits(name: str, pattern: str) -> bool:
    """Whether a name equals or fits a pattern; a full name with brackets is not read as a pattern."""
    return name == pattern or fnmatchcase(name, pattern)


def reference_split(
    count: int, validation: float, test: float, mode: Literal["test_first", "interleaved"]
) -> SplitIndices:
    """Split ``count`` fields in their order, as the reference does.

    Unlike there, a split may be empty, which is an error in the reference.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024, code; method section 5.1.
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
    """Assign the first ``count`` fields in chunks of 1 to 3 to validation and test in turn, then the rest."""
    side = max(1, min(3, count // 2))
    chunks = count // side
    parts: tuple[list[int], list[int]] = ([], [])
    for chunk in range(chunks):
        parts[chunk % 2].extend(range(chunk * side, (chunk + 1) * side))
    rest = list(range(chunks * side, count))
    # After a chunk for validation the test gets the rest; after one for the test, each gets a half.
    half = len(rest) if chunks % 2 else len(rest) // 2
    return parts[0] + rest[half:], parts[1] + rest[:half]


def _balanced(
    held: list[int], tested: list[int], validation: float, test: float, count: int
) -> tuple[list[int], list[int]]:
    """Move fields to the split with the larger fraction; before, both have about as many."""
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
