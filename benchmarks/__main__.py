"""Measure, and store the results in benchmarks/results.

python -m benchmarks all --rival ENVIRONMENT
python -m benchmarks training prediction
"""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import click
import torch

from benchmarks import executors, fixed, limit, machine, memory, prediction, training, waiting
from benchmarks.inputs import FULL, SMALL
from benchmarks.records import Row, Session, add
from benchmarks.settings import QUICK, THOROUGH, Settings
from benchmarks.timing import CLOCKS

RESULTS: Final = Path(__file__).with_name("results")


def _quality(settings: Settings) -> tuple[Row, ...]:
    from benchmarks import quality  # unlike the others, imports training and images

    return quality.measure(settings)


MEASURES: Final[dict[str, Callable[[Settings], tuple[Row, ...]]]] = {
    "training": training.measure,
    "prediction": prediction.measure,
    "quality": _quality,
    "memory": memory.measure,
    "fixed": fixed.measure,
    "limit": limit.measure,
    "executors": executors.measure,
    "waiting": waiting.measure,
}

IN_ALL: Final = tuple(name for name in MEASURES if name != "quality")
"""Measures that are run only on request: half an hour of training on real images."""


def session(name: str, settings: Settings) -> Session:
    """Measure one thing."""
    begun, load, start = dt.datetime.now(dt.UTC), machine.load(), time.perf_counter()
    rows = MEASURES[name](settings)
    return Session(
        measure=name,
        date=begun.isoformat(timespec="seconds"),
        commit=machine.commit(),
        quick=settings.quick,
        clock=settings.clock,
        threads=torch.get_num_threads(),
        load=load,
        seconds=round(time.perf_counter() - start, 1),
        versions=machine.versions(),
        rows=rows,
    )


def default_file(*, quick: bool) -> Path:
    """Return the file of today's results on this machine; quick runs have files of their own."""
    day = dt.datetime.now(dt.UTC).date().isoformat()
    return RESULTS / f"{'quick-' if quick else ''}{day}-{machine.this_machine().slug}.json"


@click.command()
@click.argument("names", nargs=-1, required=True, type=click.Choice(["all", *MEASURES]))
@click.option(
    "--quick", is_flag=True, help="Tiny networks and images, a minute in all: to try the benchmark."
)
@click.option(
    "--rival",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Environment made by benchmarks.rival_environment.",
)
@click.option("--rounds", type=click.IntRange(min=1), help="Rounds of training steps and of predictions.")
@click.option(
    "--clock",
    type=click.Choice(list(CLOCKS)),
    default="wall",
    show_default=True,
    help="processor: for one thread (OMP_NUM_THREADS=1) on a machine that others use, too.",
)
@click.option(
    "--network", type=click.Choice([FULL.name, SMALL.name]), help="Only one of the networks.  [default: both]"
)
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Where the results go.")
def main(
    names: tuple[str, ...],
    quick: bool,
    rival: Path | None,
    rounds: int | None,
    clock: str,
    network: str | None,
    file: Path | None,
) -> None:
    """Measure NAMES: training, prediction, quality and others; all means all but quality."""
    settings = attrs.evolve(QUICK if quick else THOROUGH, rival=rival and rival.resolve(), clock=clock)
    if rounds:
        settings = attrs.evolve(settings, rounds=rounds, prediction_rounds=rounds)
    if network:
        chosen = tuple(one for one in (FULL, SMALL) if one.name == network)
        settings = attrs.evolve(settings, architectures=chosen)
    path = file or default_file(quick=quick)
    wanted = dict.fromkeys(one for name in names for one in (IN_ALL if name == "all" else (name,)))
    for name in wanted:
        click.echo(f"{name} ...", err=True)
        done = session(name, settings)
        add(path, machine.this_machine(), done)
        click.echo(f"{name}: {done.seconds:.0f} s", err=True)
    click.echo(path)


if __name__ == "__main__":
    main()
