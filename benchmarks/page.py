"""Write docs/benchmarks.md from the results.

python -m benchmarks.page
"""

import datetime as dt
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import click

from benchmarks.__main__ import RESULTS
from benchmarks.machine import ROOT
from benchmarks.records import OURS, Results, Row, Session, from_json, ratio

PAGE: Final = ROOT / "docs" / "benchmarks.md"

_HEAD: Final = """\
# Benchmarks

The costs of the toolkit, measured by `make bench` in one run per machine. Contestants take turns (A B C A B
C), and ratios are taken within a round, so that a disturbance of the machine affects all of them. A cell
gives the median and, in brackets, the lowest and highest round.

- **denoisplit** is the toolkit with its defaults, in the precision that it chooses for the machine;
  **denoisplit, float32** is the same in full precision, **denoisplit, compiled** the same with
  `training.compile`.
- **reference procedure** is what the method's authors do, reimplemented from the description in plain
  PyTorch: float32, eager, channels first; prediction by overlapping patches with the encoder in every
  pass. With the same weights and noise it gives the same output as the toolkit, which a test checks.
- **CAREamics 0.2.0** is the last release of CAREamics with a trainable splitter, in a process and an
  environment of its own: its network, its `denoisplit` loss and Adamax, in float32, without Lightning.

All have the same network with the same number of parameters. This page is written by `python -m
benchmarks.page`; how to measure is in [its last section](#measure-it-yourself).
"""

_TITLES: Final = {
    "training": "A training step",
    "prediction": "Mean and spread of 50 posterior samples",
    "quality": "Time to a quality",
    "memory": "Peak memory",
    "fixed": "Fixed costs",
    "limit": "How near to the limit",
    "executors": "Tiles in other processes",
}

_WORDS: Final = {
    "training": "Forward pass, loss, backward pass, clipping and optimiser on the same batch.",
    "prediction": "Times are scaled from a part of the work, as the last column says.",
    "quality": """\
Seconds of training of `examples/w2s/split.yaml` until the range-invariant PSNR on the test fields (mean over
fields and channels, 4 samples) reaches a mark. The trivial answer, the blurred mixed image, has 21.45 dB.""",
    "memory": "Largest resident memory of a process, libraries included.",
    "fixed": "Seconds from the start of a process to its end.",
    "limit": """\
Arithmetic per second of a stage of the training step, in per cent of the rate of a large matrix product in
the same precision and round. Encoder, decoder and backward pass count convolutions and products. The
likelihood has none: there every operation on an element counts as one, including an exponential, so low
figures are to be expected.""",
    "executors": """\
Processor seconds of the command and of all processes that it started, with one worker and the tile that is
chosen for it. The second table has the fixed costs: libraries, run and image are opened once more, and Dask
starts a scheduler. The third has many tiles with little work each.""",
}

_FOOT: Final = """\
## Measure it yourself

<!-- not run: it takes an hour, and an environment with CAREamics -->
```bash
python -m benchmarks.rival_environment bench-rival  # once: an environment with CAREamics
make bench RIVAL=bench-rival                        # all but the time to a quality, and this page
python -m benchmarks training --rival bench-rival   # or prediction, memory, fixed, limit, executors
python -m benchmarks quality                        # half an hour; DENOISPLIT_DATA names the images
OMP_NUM_THREADS=1 python -m benchmarks training --clock processor  # where others use the machine, too
python -m benchmarks.page                           # this page
make bench QUICK=1                                  # a minute, tiny networks: does it run?
```

Nothing else should run meanwhile: every session records the load of the machine before it began. Results are
JSON files in `benchmarks/results`, one per machine and day.
"""


def number(value: float) -> str:
    """Format with three digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _range(row: Row) -> str:
    spread = row.spread
    if row.unit == "dB":
        return f"{spread.median:.2f} dB"
    if len(row.values) == 1:
        return f"{number(spread.median)} {row.unit}"
    return f"{number(spread.median)} {row.unit} [{number(spread.low)} to {number(spread.high)}]"


def _case(name: str, rows: Sequence[Row]) -> list[str]:
    ours = next((row for row in rows if row.contestant == OURS and len(rows) > 1), None)
    notes = any(row.note for row in rows)
    lines = [f"**{name}**", ""]
    head = ["", "median", *(["times denoisplit"] if ours else []), *(["note"] if notes else [])]
    lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        cells = [row.contestant, _range(row)]
        if ours:
            times = ratio(row, ours)
            same = row is ours
            cells.append(
                "1" if same else f"**{number(times.median)}** [{number(times.low)} to {number(times.high)}]"
            )
        if notes:
            cells.append(row.note)
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def section(session: Session) -> list[str]:
    """Return the section about one session."""
    when = dt.datetime.fromisoformat(session.date).date().isoformat()
    versions = ", ".join(f"{name} {version}" for name, version in session.versions.items())
    lines = []
    if session.quick:
        lines += ["**A quick run, to try the benchmark: not to be quoted.**", ""]
    cases = [(name, list(rows)) for name, rows in groupby(session.rows, key=lambda row: row.case)]
    lines += [line for name, rows in cases for line in _case(name, rows)]
    threads = f"{session.threads} thread{'s' if session.threads > 1 else ''}"
    if session.clock == "processor":
        threads += ", seconds of the processor (others were busy)"
    before = f"load before it {session.load:.1f}"
    facts = (when, f"commit {session.commit}", threads, before, f"{session.seconds:.0f} s")
    lines += [f"{', '.join(facts)}; {versions}.", ""]
    return lines


def page(results: Sequence[Results]) -> str:
    """Return the whole page, Markdown."""
    lines = [_HEAD]
    order = list(_TITLES)
    for one in results:
        machine = one.machine
        lines += [
            f"## {machine.processor}, {machine.cores} core{'s' * (machine.cores != 1)}",
            "",
            f"{machine.memory:.0f} GiB, {machine.system}, units: {', '.join(machine.features) or 'none'}.",
            "",
        ]
        sessions = sorted(one.sessions, key=lambda session: order.index(session.measure))
        for measure, same in groupby(sessions, key=lambda session: session.measure):
            lines += [f"### {_TITLES[measure]}", "", _WORDS[measure], ""]
            lines += [line for session in same for line in section(session)]
    return "\n".join([*lines, _FOOT])


def read_all(folder: Path) -> list[Results]:
    """Read the latest results of every machine, except those of quick runs."""
    latest: dict[str, Results] = {}
    for path in sorted(folder.glob("*.json")):
        if not path.name.startswith("quick-"):
            results = from_json(path.read_text(encoding="utf-8"))
            latest[results.machine.slug] = results
    return list(latest.values())


@click.command()
@click.option("--out", default=PAGE, type=click.Path(dir_okay=False, path_type=Path))
def main(out: Path) -> None:
    """Write the page."""
    out.write_text(page(read_all(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
