"""Conversion of JSON files to attrs records, with every value checked against its declared type."""

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
    """Write a JSON file with its digest; the file appears whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    text = json.dumps({NAME: ZEROS, **plain}, indent=2, allow_nan=False)
    write_bytes(path, sealed(f"{text}\n".encode()))


def read_mapping(path: Path, what: str, advice: str) -> dict[str, Any]:
    """Read the mapping in a JSON file.

    Raises:
        RunError: the file is missing, unreadable, damaged or changed, is not JSON, or holds no mapping.
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
    """Log that a file lacks a digest, so that nothing shows whether it is intact.

    Raises:
        RunError: it had a digest once.
    """
    if NAME in plain:
        raise RunError(
            f"{path}: was changed after it was written (got {NAME} in another place). "
            f"Copy it again, or remove {NAME} if you made the change yourself."
        )
    _LOG.warning(
        "%s: holds no %s, as files of early versions and edited files do: damage would not show",
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
    """Convert a mapping to a record; its keys are the fields of the class, and those in ``skip`` are ignored.

    Raises:
        RunError: values are missing, unknown, of a wrong type, or not accepted by the record.
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
