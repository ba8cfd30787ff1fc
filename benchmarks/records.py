"""Results of benchmarks as records, and the arithmetic of ratios."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import cattrs
from attrs.validators import ge, in_, min_len

SCHEMA: Final = 1

OURS: Final = "denoisplit"
"""Name of the toolkit among the contestants; ratios are relative to it."""


@attrs.frozen
class Spread:
    """Median and range of several numbers."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of at least one number."""
        return cls(statistics.median(values), min(values), max(values))


@attrs.frozen(kw_only=True)
class Row:
    """Measurements of one contestant in one case.

    Attributes:
        case: description of the work, the same for all contestants.
        contestant: ``denoisplit``, or a program that it is compared with.
        unit: unit of the values: ``s``, ``MiB``, ``dB``, ``GFLOP/s``.
        values: one per round; in every round, all contestants of a case ran one after the other.
        note: remark for the reader, for example about extrapolation.
    """

    case: str
    contestant: str
    unit: str
    values: tuple[float, ...] = attrs.field(validator=min_len(1))
    note: str = ""

    @property
    def spread(self) -> Spread:
        """Median and range of the values."""
        return Spread.of(self.values)


@attrs.frozen(kw_only=True)
class Session:
    """One run of a measure.

    Attributes:
        measure: name of the measure.
        date: start, ISO 8601.
        commit: commit of the code; ends in ``+`` where the working tree had changes.
        quick: whether sizes are small and rounds few: to try the benchmark, not to quote.
        clock: ``wall`` for elapsed seconds, or ``processor`` for processor seconds.
        threads: threads of torch.
        load: mean number of runnable processes in the minute before the benchmark.
        seconds: duration.
        versions: versions of Python and of the packages that matter.
        rows: the measurements.
    """

    measure: str
    date: str
    commit: str
    quick: bool
    clock: str
    threads: int = attrs.field(validator=ge(1))
    load: float
    seconds: float
    versions: Mapping[str, str]
    rows: tuple[Row, ...]


@attrs.frozen(kw_only=True)
class Machine:
    """The machine of a measurement.

    Attributes:
        processor: model name.
        features: units for matrices and for bf16.
        cores: logical processors that may be used.
        memory: memory, GiB.
        system: operating system and architecture.
    """

    processor: str
    features: tuple[str, ...]
    cores: int
    memory: float
    system: str

    @property
    def slug(self) -> str:
        """Name of the machine for file names."""
        words = [*self.processor.split()[:2], str(self.cores), "cores", *self.features[:1]]
        return "-".join("".join(c for c in word.lower() if c.isalnum()) for word in words)


@attrs.frozen(kw_only=True)
class Results:
    """All results of one machine on one day, with the latest session of every measure."""

    schema: int = attrs.field(default=SCHEMA, validator=in_((SCHEMA,)))
    machine: Machine
    sessions: tuple[Session, ...] = ()

    def with_session(self, session: Session) -> "Results":
        """Return the results with a session in place of an earlier one of the same measure and settings."""
        others = tuple(one for one in self.sessions if _way(one) != _way(session))
        return attrs.evolve(self, sessions=(*others, session))


def _way(session: Session) -> tuple[str, str, int]:
    return session.measure, session.clock, session.threads


def ratio(other: Row, ours: Row) -> Spread:
    """Return the ratio of the other contestant to ours, round by round.

    Raises:
        ValueError: units or numbers of rounds differ.
    """
    if other.unit != ours.unit or len(other.values) != len(ours.values):
        raise ValueError(
            f"ratio: {other.contestant} has {len(other.values)} values in {other.unit}, {ours.contestant} "
            f"{len(ours.values)} in {ours.unit}. Measure both in the same rounds."
        )
    return Spread.of([theirs / mine for theirs, mine in zip(other.values, ours.values, strict=True)])


_CONVERTER: Final = cattrs.Converter(forbid_extra_keys=True)


def to_json(results: Results) -> str:
    """Write results as the text of a file."""
    return json.dumps(_CONVERTER.unstructure(results), indent=1) + "\n"


def from_json(text: str) -> Results:
    """Read results from the text of a file.

    Raises:
        cattrs.BaseValidationError: another schema.
    """
    results: Results = _CONVERTER.structure(json.loads(text), Results)
    return results


def add(path: Path, machine: Machine, session: Session) -> Results:
    """Add a session to a results file, which need not exist."""
    before = from_json(path.read_text(encoding="utf-8")) if path.exists() else Results(machine=machine)
    results = before.with_session(session)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_json(results), encoding="utf-8")
    return results
