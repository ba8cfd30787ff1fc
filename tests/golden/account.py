"""One file of reference numbers, and the account of what was done with each of them."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from torch import Tensor

from denoisplit.core.arrays import AnyArray
from tests.golden.tolerance import Tolerance, parse


@attrs.define
class GoldenFile:
    """A file, opened, and what became of its numbers.

    Every array, and every number under a key of ``meta`` that begins with ``values``, must in the end be an
    input, compared, or left with a reason.

    Attributes:
        root: folder of the reference numbers.
        about: row of the file in the manifest.
        scratch: empty folder for files that a check writes.
        arrays: by name.
        meta: what the file says of itself; empty for the exchange format.
    """

    root: Path
    about: dict[str, Any]
    scratch: Path
    arrays: dict[str, AnyArray]
    meta: dict[str, Any]
    _inputs: set[str] = attrs.field(factory=set)
    _compared: set[str] = attrs.field(factory=set)
    _left: dict[str, str] = attrs.field(factory=dict)

    @classmethod
    def open(cls, root: Path, about: dict[str, Any], scratch: Path) -> "GoldenFile":
        """Read a file of the manifest."""
        with np.load(root / about["file"], allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        meta = json.loads(str(arrays.pop("meta"))) if "meta" in arrays else {}
        return cls(root, about, scratch, arrays, meta)

    @property
    def name(self) -> str:
        """Path below the root."""
        return str(self.about["file"])

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of all that has to be accounted for."""
        values = {key: value for key, value in self.meta.items() if key.startswith("values")}
        return (*self.arrays, *_leaves(values))

    def tolerance(self, key: str, name: str = "") -> Tolerance:
        """What the manifest says under ``key``, for ``name`` if it tells several apart."""
        stated = self.about["tolerance"]
        for part in key.split("/"):
            stated = stated[part]
        if key in ("rtol", "atol"):
            return Tolerance(**{key: float(stated)})
        return parse(stated, name)

    def given(self, *names: str) -> AnyArray:
        """Inputs; the first of them is returned."""
        self._inputs.update(names)
        first: AnyArray = self._number(names[0])
        return first

    def matching(self, pattern: str) -> dict[str, re.Match[str]]:
        """Names that match as a whole, with their matches."""
        found = {name: re.fullmatch(pattern, name) for name in self.numbers}
        return {name: match for name, match in found.items() if match}

    def leave(self, pattern: str, why: str) -> None:
        """Numbers that nothing here can be compared with; a pattern may have none."""
        self._left.update(dict.fromkeys(self.matching(pattern), why))

    def compared_by(self, pattern: str) -> None:
        """Numbers that a test of their own compares, which the check has run."""
        self._compared.update(self.matching(pattern))

    def compare(
        self, name: str, found: object, within: Tolerance, *, by: Callable[[AnyArray], AnyArray] = np.asarray
    ) -> None:
        """Assert that ``found`` has the reference values; ``by`` picks or sorts on both sides."""
        expected, actual = by(np.asarray(self._number(name))), by(_array(found))
        assert actual.shape == expected.shape, f"{name}: shape {actual.shape}, not {expected.shape}"
        expected, actual = expected.astype(np.float64), actual.astype(np.float64)
        same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
        with np.errstate(invalid="ignore"):
            limit = np.broadcast_to(within.atol + within.rtol * np.abs(expected), expected.shape)
            bad = ~same & ~(np.abs(actual - expected) <= limit)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise AssertionError(
                f"{self.name}, {name}: {int(bad.sum())} of {bad.size} numbers differ, the first at {at} "
                f"({actual[at]!r}, not {expected[at]!r}, allowed {limit[at]:g})"
            )
        self._compared.add(name)

    def close(self) -> None:
        """Assert that nothing was forgotten, and nothing compared that was left."""
        done = self._inputs | self._compared | set(self._left)
        forgotten = [name for name in self.numbers if name not in done]
        assert not forgotten, f"{self.name}: not accounted for: {', '.join(forgotten)}"
        both = self._compared & set(self._left)
        assert not both, f"{self.name}: compared, though declared not comparable: {', '.join(sorted(both))}"
        assert self._compared, f"{self.name}: nothing was compared"

    def _number(self, name: str) -> Any:
        if name in self.arrays:
            return self.arrays[name]
        value: Any = self.meta
        for part in name.split("/"):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value


def _array(found: object) -> AnyArray:
    return found.detach().cpu().double().numpy() if isinstance(found, Tensor) else np.asarray(found)


def _leaves(values: Any, prefix: str = "") -> Iterator[str]:
    """Paths of numbers, and of lists of nothing but numbers."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _leaves(value, f"{prefix}/{key}" if prefix else str(key))
    elif isinstance(values, list) and not _only_numbers(values):
        for index, value in enumerate(values):
            yield from _leaves(value, f"{prefix}/{index}")
    elif not isinstance(values, str | bool) and values is not None:
        yield prefix


def _only_numbers(values: list[Any]) -> bool:
    return all(_only_numbers(v) if isinstance(v, list) else isinstance(v, int | float) for v in values)


def largest(values: AnyArray) -> float:
    """Largest magnitude, 0 of nothing."""
    return float(np.abs(values).max()) if math.prod(values.shape) else 0.0
