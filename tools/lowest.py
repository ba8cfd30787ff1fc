"""Lowest versions that pyproject.toml allows: ``python -m tools.lowest``.

Printed as requirements for pip. torch is left out: constraints.txt has the version that is tested.
"""

import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

PROJECT: Final = Path(__file__).parents[1] / "pyproject.toml"
EXTRAS: Final = ("dask", "lif", "micro", "nd2", "testing")
"""Optional features that the tests with the lowest versions use."""

LEFT_OUT: Final = ("denoisplit", "torch")


def lowest(project: dict[str, Any], extras: Iterable[str] = EXTRAS) -> Iterator[str]:
    """Yield one requirement per library, ``numpy==2.0``, of the table ``project`` of a pyproject.toml.

    Raises:
        ValueError: a library has no lower bound, or several.
    """
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    for needed in map(Requirement, lines):
        bounds = [one.version for one in needed.specifier if one.operator in (">=", "==", "~=")]
        if len(bounds) != 1:
            raise ValueError(
                f"{needed}: one lower bound is needed (got {len(bounds)}). Write {needed.name}>=VERSION."
            )
        if needed.name not in LEFT_OUT:
            yield f"{needed.name}=={bounds[0]}"


def main() -> int:
    """Print the lowest versions."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    sys.stdout.write("".join(f"{line}\n" for line in lowest(project)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
