"""``python -m tests.fuzz``: many mutated inputs through every reader and loader, or one of them again."""

import sys
import time
from pathlib import Path

import click

from tests.fuzz.engine import examine, fuzz, input_of, put
from tests.fuzz.targets import TARGETS

_SHOWN = 3


@click.command()
@click.option("--count", default=100_000, help="Inputs for every reader.")
@click.option("--seed", default=0, help="Of all inputs.")
@click.option("--first", default=0, help="Number of the first input.")
@click.option(
    "--target", "names", multiple=True, type=click.Choice(sorted(TARGETS)), help="Readers; all if left out."
)
@click.option("--replay", type=int, help="Number of one input, which is kept in the folder --keep.")
@click.option("--keep", type=click.Path(path_type=Path), default=Path("fuzz-input"), help="For --replay.")
def main(count: int, seed: int, first: int, names: tuple[str, ...], replay: int | None, keep: Path) -> None:
    """Fuzz every reader and loader; ends with code 1 where one gives neither a result nor an error."""
    if replay is not None:
        (name,) = names
        _again(name, seed, replay, keep)
        return
    total = 0
    for name in names or TARGETS:
        begun = time.monotonic()
        kinds: dict[str, list[str]] = {}
        for finding in fuzz(TARGETS[name], seed=seed, numbers=range(first, first + count)):
            seen = kinds.setdefault(finding.kind, [])
            seen.append(finding.replay)
            if len(seen) <= _SHOWN:
                click.echo(f"{finding.replay}\n    {' '.join(finding.what.splitlines()[:2])[:300]}")
        found = sum(map(len, kinds.values()))
        total += found
        took = time.monotonic() - begun
        click.echo(f"{name}: {count} inputs, {found} findings of {len(kinds)} kinds, {took:.0f} s")
        for kind, seen in kinds.items():
            click.echo(f"    {len(seen)} x {kind}")
        sys.stdout.flush()
    sys.exit(int(total > 0))


def _again(name: str, seed: int, number: int, keep: Path) -> None:
    target = TARGETS[name]
    given = input_of(target.samples(keep / "made"), name, seed, number)
    put(keep, {**given.sample.files, given.name: given.content})
    click.echo(f"{keep / given.sample.opened}: {given.name} changed")
    click.echo(examine(target, keep, given) or "a result or a deliberate error")
    click.echo(_said(name, keep / given.sample.opened))


def _said(name: str, path: Path) -> str:
    from denoisplit.core.errors import DenoisplitError

    try:
        return f"gives {TARGETS[name].check(path)!r:.300}"
    except DenoisplitError as error:
        return f"says: {error}"


if __name__ == "__main__":
    main()
