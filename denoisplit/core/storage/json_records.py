"""JSON files back into attrs records: every value checked against its declared type."""

import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from denoisplit.core.documents import node_of, show
from denoisplit.core.errors import RunError, SpecError
from denoisplit.core.registry.registry import Registry
from denoisplit.core.spec.structure import Structurer
from denoisplit.core.storage.atomic import write_bytes
from denoisplit.core.storage.digests import NAME, ZEROS, require_intact, sealed

Record = TypeVar("Record")

_LOG = logging.getLogger("denoisplit.storage")

_SHOWN: Final = 2
_LONGEST: Final = 120


def write_mapping(path: Path, plain: Mapping[str, Any]) -> None:
    """Write a JSON file with a digest of it; the file appears whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    text = json.dumps({NAME: ZEROS, **plain}, indent=2, allow_nan=False)
    write_bytes(path, sealed(f"{text}\n".encode()))


def read_mapping(path: Path, what: str, advice: str) -> dict[str, Any]:
    """The mapping in a JSON file.

    Args:
        path: of the file.
        what: it should be, for messages.
        advice: what to do when it is not.

    Raises:
        RunError: no readable file, damaged, no JSON, or no mapping in it; or it was changed since.
    """
    try:
        content = path.read_bytes()
        known = require_intact(path, content)
        plain = json.loads(content, parse_constant=_refuse)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}). {advice}") from error
    except RecursionError as error:
        raise RunError(f"{path}: is not {what} (values are nested too deeply). {advice}") from error
    except ValueError as error:
        raise RunError(f"{path}: is not {what} ({error}). {advice}") from error
    if not isinstance(plain, dict):
        raise RunError(f"{path}: is not {what} (expected a mapping, got {show(plain):.40}). {advice}")
    if not known:
        _tell_unknown(path, plain)
    return plain


def _tell_unknown(path: Path, plain: Mapping[str, Any]) -> None:
    """Tell of a file that does not say itself whether it is what was written.

    Raises:
        RunError: it did once.
    """
    if NAME in plain:
        raise RunError(
            f"{path}: was changed after it was written (got {NAME} in another place than it was written to). "
            f"Copy it again; where you changed it yourself and are sure of it, remove {NAME}."
        )
    _LOG.warning(
        "%s: holds no %s, as files of early versions and those that were edited: nothing tells whether it is "
        "what was written",
        path,
        NAME,
    )


def _refuse(number: str) -> None:
    raise ValueError(f"all numbers have to be finite, got {number}")


def structured(
    plain: dict[str, Any],
    cls: type[Record],
    registry: Registry,
    *,
    where: str,
    advice: str,
    skip: Collection[str] = (),
) -> Record:
    """A mapping as a record; its keys are the fields of the class, and those of ``skip`` are not looked at.

    Raises:
        RunError: values that are missing, unknown, of a wrong type, or that the record does not take.
    """
    structurer = Structurer(registry, Path())
    try:
        record: Any = structurer.record(node_of(plain, ""), cls, "$", skip=skip)
    except SpecError as error:
        raise RunError(f"{where} ({error}). {advice}") from error
    if structurer.problems or not isinstance(record, cls):
        shown = [f"{problem.strip().rstrip('.'):.{_LONGEST}}" for problem in structurer.problems[:_SHOWN]]
        more = len(structurer.problems) - len(shown)
        raise RunError(f"{where} ({'; '.join(shown)}{f'; and {more} more' if more else ''}). {advice}")
    return record
