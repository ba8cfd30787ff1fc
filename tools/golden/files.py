"""A file of reference numbers, and the list of all of them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray


@attrs.frozen
class GoldenNumbers:
    """The numbers of one file.

    Attributes:
        name: path below the folder, without its suffix.
        what: a sentence that identifies its check.
        tolerance: tolerance for each precision, in the notation of ``tests/golden/tolerance.py``.
        arrays: inputs and results.
        meta: further settings of the check, stored in the file if there are any.
    """

    name: str
    what: str
    tolerance: Mapping[str, object]
    arrays: Mapping[str, AnyArray]
    meta: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def file(self) -> str:
        """Path below the folder."""
        return f"{self.name}.npz"

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the file; return its row of the list."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = dict(self.arrays) | ({"meta": np.array(json.dumps(self.meta))} if self.meta else {})
        np.savez_compressed(path, allow_pickle=False, **stored)
        arrays = {name: np.asarray(values) for name, values in stored.items() if name != "meta"}
        return {
            "file": self.file,
            "what": self.what,
            "tolerance": dict(self.tolerance),
            "arrays": {name: f"{values.dtype}{list(values.shape)}" for name, values in arrays.items()},
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }


def write_all(numbers: Iterable[GoldenNumbers], folder: Path) -> None:
    """Write the files and their list, ``manifest.json``."""
    rows = [one.write(folder) for one in numbers]
    (folder / "manifest.json").write_text(json.dumps({"items": rows}, indent=1) + "\n", encoding="utf-8")
