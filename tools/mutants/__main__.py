"""``python -m tools.mutants``: count the small mistakes in built-in components that their suites notice."""

import ast
import importlib
import sys
import warnings
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs
import click
import numpy as np
import torch

from denoisplit.core.registry import Component, load_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.testing import suite_for
from tools.mutants.argued import PLUGINS, argument_for
from tools.mutants.operators import Mutation, mutations
from tools.mutants.trial import IDLE, SURVIVED, Timed, timed, tried

_PLUGINS: Final = "denoisplit.plugins"
_LEAST: Final = 0.95
_MOST: Final = 2
"""Number of suites that a mutant is tried with."""

UNCALLED: Final = "no suite calls it"
NOTICED_BY_NONE: Final = (SURVIVED, UNCALLED)


@click.command()
@click.argument("components", nargs=-1)
@click.option("-n", "--sample", type=int, default=0, help="Number of mutants to draw; 0 for all.")
@click.option("--seed", type=int, default=0, help="Seed of the sample.")
def main(components: tuple[str, ...], sample: int, seed: int) -> None:
    """Mutate components (names or kinds, by default all) and try their suites.

    A mutant is one changed expression in the body of a function. Annotations, decorators, defaults,
    docstrings, constants of modules, raised errors, formatted text and what nothing else reads, assertions
    and the guard strict of zip are not changed, and nothing is detached that becomes a plain number. Each
    mutant is tried with the suites of two components that call its function, of two kinds where there are.

    Mutants with a reason in argued.yaml are counted, but not tried. The exit code is 1 where fewer than 95 %
    of the others are noticed.
    """
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = [row for row in load_registry().components() if row.package == BUILTIN]
    asked = [row for row in rows if not components or {row.name, row.kind} & set(components)]
    users = _users(rows)
    files = [path for path, using in users.items() if using[0] in asked]
    drawn = [(path, mutation) for path in files for mutation in _mutations(path)]
    if sample:
        chosen = np.random.default_rng(seed).permutation(len(drawn))[:sample]
        drawn = [drawn[number] for number in sorted(chosen.tolist())]
    suites: dict[str, Timed] = {}
    fates: dict[Path, list[str]] = defaultdict(list)
    found = Tally()
    for path, mutation in drawn:
        where = f"{path.relative_to(PLUGINS)}, {mutation}"
        if argument_for(path, mutation) is not None:
            found.argued += 1
            continue
        for row in users[path]:
            if _named(row) not in suites:
                suites[_named(row)] = timed(suite_for(row.kind, row.load()))
        calling = [row for row in users[path] if (str(path), mutation.function) in suites[_named(row)].calls]
        using = _of_different_kinds(calling)
        trying = [suites[_named(row)] for row in using[:_MOST]]
        fate = tried(trying, path, mutation, fates[path]) if using else UNCALLED
        if fate == IDLE:
            continue
        fates[path].append(fate)
        found.count(_named((using or users[path])[0]), where, fate)
        click.echo(f"{'survived' if fate in NOTICED_BY_NONE else 'killed  '}  {where}  ({fate})")
    sys.exit(_report(found))


@attrs.define
class Tally:
    """Fates of mutants, by component.

    Attributes:
        killed: number of killed mutants.
        survivors: surviving mutants.
        argued: number of mutants that were not tried.
    """

    killed: dict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    survivors: dict[str, list[str]] = attrs.field(factory=lambda: defaultdict(list))
    argued: int = 0

    def count(self, component: str, where: str, fate: str) -> None:
        """Count one more mutant."""
        if fate in NOTICED_BY_NONE:
            self.survivors[component].append(where)
        else:
            self.killed[component] += 1


def _report(found: Tally) -> int:
    """Print the figures and the survivors, and return the exit code."""
    killed, survivors = found.killed, found.survivors
    click.echo("")
    for name in sorted({*killed, *survivors}):
        of = killed.get(name, 0) + len(survivors.get(name, ()))
        click.echo(f"{name:32} {killed.get(name, 0):5} of {of} killed")
    for name, lines in sorted(survivors.items()):
        for line in lines:
            click.echo(f"survivor of {name}: {line}")
    dead, alive = sum(killed.values()), sum(map(len, survivors.values()))
    share = dead / max(1, dead + alive)
    click.echo(f"{dead} of {dead + alive} mutants killed ({share:.1%}), {found.argued} more are argued.")
    return 0 if share >= _LEAST else 1


def _named(row: Component) -> str:
    return f"{row.kind}/{row.name}"


def _mutations(path: Path) -> list[Mutation]:
    return list(mutations(ast.parse(path.read_text(encoding="utf-8"))))


def _users(rows: list[Component]) -> dict[Path, list[Component]]:
    """Map the files of the plugins to the components that import each, its own component first."""
    found: dict[Path, list[Component]] = defaultdict(list)
    for row in rows:
        row.load()
        for module in imported(_module(row)):
            if Path(str(sys.modules[module].__file__)).name != "__init__.py":
                found[Path(str(sys.modules[module].__file__))].append(row)
    return {
        path: sorted(users, key=lambda row: _own(row, path), reverse=True) for path, users in found.items()
    }


def _of_different_kinds(rows: list[Component]) -> list[Component]:
    """Put the first component of every kind before the others."""
    seen: set[str] = set()
    later = []
    for row in rows:
        if row.kind in seen:
            later.append(row)
        seen.add(row.kind)
    return [row for row in rows if row not in later] + later


def _own(row: Component, path: Path) -> bool:
    return path.stem == _module(row).rpartition(".")[2]


def _module(row: Component) -> str:
    module: str = row.load().__module__
    return module


def imported(module: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Return a module and all modules of plugins that it imports, directly or not."""
    loaded = importlib.import_module(module)
    names = {module}
    for value in (one for constant in vars(loaded).values() for one in _held(constant)):
        home = value.__name__ if isinstance(value, type(sys)) else getattr(value, "__module__", "") or ""
        if isinstance(home, str) and home.startswith(_PLUGINS) and home not in seen | names:
            names |= imported(home, seen | names)
    return names


def _held(value: object) -> tuple[object, ...]:
    """Return the value of a name of a module, and what it is a table or collection of."""
    if isinstance(value, Mapping):
        return (value, *value.values())
    return (value, *value) if isinstance(value, list | tuple | set | frozenset) else (value,)


if __name__ == "__main__":
    main()
