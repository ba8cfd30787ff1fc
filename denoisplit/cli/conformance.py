"""``denoisplit plugins check``: examines a component."""

from collections import defaultdict

import click

from denoisplit.core.errors import UnknownComponentError
from denoisplit.core.registry import Component, Registry, installed_registry
from denoisplit.testing import Verdict, examine, require_packages, suite_for, suite_named


def check(
    name: str, *, kind: str | None, suite: str | None, strict: bool = False, device: str | None = None
) -> bool:
    """Examine a component and print which laws hold.

    Args:
        name: name of the component, or ``package/name``.
        kind: kind of the component; None finds it where only one kind has the name.
        suite: ``package.module:Class`` of a suite of the plugin's own; None for that of the kind.
        strict: whether every law that could apply has to be examined.
        device: device that must give the same results as the CPU; None to skip this law.

    Returns:
        Whether no law fails, and with ``strict`` none was left out.

    Raises:
        MissingPackageError: pytest or hypothesis are not installed.
        UnknownComponentError: no component has this name.
        BrokenPluginError: component or suite cannot be imported.
        PluginError: components of this kind are not examined on this device.
    """
    require_packages()
    row = _find(installed_registry(), name, kind)
    examined = suite_for(row.kind, row.load(), suite_named(suite) if suite else None)
    if device is not None:
        from denoisplit.testing.device_law import examined_on  # needs the packages

        examined = examined_on(device, examined)
    click.echo(f"{row.kind} {row.qualified} {row.version}")
    found: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in examine(examined):
        found[verdict.law].append(verdict)
    counted: dict[str, int] = defaultdict(int)
    for law, verdicts in found.items():
        for outcome in ("fails", "not examined", "does not apply", "holds"):
            some = [verdict for verdict in verdicts if verdict.outcome == outcome]
            if some:
                counted[outcome] += 1
                click.echo(_line(law, outcome, some))
    failing = counted["fails"]
    left_out = counted["not examined"]
    click.echo(
        f"{counted['holds']} laws hold, {failing} fail, {counted['does not apply']} do not apply, "
        f"{left_out} not examined."
    )
    return not failing and not (strict and left_out)


def _line(law: str, outcome: str, verdicts: list[Verdict]) -> str:
    cases = ", ".join(verdict.case for verdict in verdicts if verdict.case)
    where = f" ({cases})" if cases else ""
    reason = f": {verdicts[0].reason}" if verdicts[0].reason else ""
    return f"  {outcome:14}  {law}{where}{reason}"


def _find(registry: Registry, name: str, kind: str | None) -> Component:
    """Find the row of a component, and its kind where that is not given.

    Raises:
        UnknownComponentError: no kind has the name, or several do.
    """
    if kind is not None:
        return registry.find(kind, name)
    bare = name.rpartition("/")[2]
    kinds = list(dict.fromkeys(row.kind for row in registry.components() if row.name == bare))
    if len(kinds) > 1:
        raise UnknownComponentError(
            f"plugins check: several kinds have a component of this name (got {name}: {', '.join(kinds)}). "
            f"Add --kind."
        )
    if not kinds:
        raise UnknownComponentError(
            f"plugins check: no such component (got {name}). See denoisplit plugins list."
        )
    return registry.find(kinds[0], name)
