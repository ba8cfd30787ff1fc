"""``denoisplit plugins``: shows, examines and creates components.

Listing imports neither torch nor the code of plugins that ship a manifest; showing imports the component.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import click

from denoisplit.cli.console import columns, plugin_option, say
from denoisplit.cli.paths import PATH
from denoisplit.core.errors import PluginError
from denoisplit.core.registry.component import KINDS, Component
from denoisplit.core.registry.manager import BUILTIN, BrokenPlugin
from denoisplit.core.registry.registry import Registry, installed_registry


def _kind_option(
    meaning: str, *, required: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--kind",
        type=click.Choice(KINDS),
        metavar="KIND",
        required=required,
        help=f"{meaning}: {', '.join(KINDS)}.",
    )


@click.group()
def plugins() -> None:
    """Show the installed components, or begin a package with one of your own."""


@plugins.command("list")
@_kind_option("Only components of this kind")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--load", is_flag=True, help="Import every component, too, and tell which are broken.")
@plugin_option
def list_plugins(kind: str | None, as_json: bool, load: bool) -> None:
    """List all components and all broken plugins.

    Components are imported when a spec uses them, and here with --load. Image formats of other packages are
    looked at in any case, as every command that opens a file does.
    """
    registry = installed_registry()
    rows = registry.components(kind)
    broken = (*registry.broken, *_unusable(registry, load=load))
    if as_json:
        listing = {
            "components": [_plain(row) for row in rows],
            "broken": [attrs.asdict(plugin) for plugin in broken],
        }
        click.echo(json.dumps(listing, indent=2, ensure_ascii=False))
        return
    names, offers = (max((len(text(row)) for row in rows), default=0) for text in (_name, _offer))
    for kind_of_rows in dict.fromkeys(row.kind for row in rows):
        click.echo(kind_of_rows)
        for row in (row for row in rows if row.kind == kind_of_rows):
            say(f"  {row.name:{names}}  {_offer(row):{offers}}  {_summary(row)}", hanging=4)
    for plugin in broken:
        click.echo(_broken(plugin))


@plugins.command("show", short_help="Show a component with its options.")
@click.argument("name")
@_kind_option("Only the component of this kind")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@plugin_option
def show_plugin(name: str, kind: str | None, as_json: bool) -> None:
    """Show the components called NAME, or package/NAME: options, code, source to cite."""
    from denoisplit.cli.show import WIDTH, as_lines, as_plain, named, shown

    found = [shown(row) for row in named(installed_registry(), name, kind)]
    if as_json:
        listing = {"components": [as_plain(component) for component in found]}
        click.echo(json.dumps(listing, indent=2, ensure_ascii=False))
    else:
        width = columns() or WIDTH
        click.echo("\n\n".join("\n".join(as_lines(component, width)) for component in found))
    if any(component.error for component in found):
        click.get_current_context().exit(2)


@plugins.command("check", short_help="Examine a component: which laws of its kind hold.")
@click.argument("name")
@_kind_option("Where several kinds have a component of this name")
@click.option("--suite", metavar="MODULE:CLASS", help="A suite of the plugin's own, for that of the kind.")
@click.option(
    "--device", metavar="simulated", help="Examine it on a device that refuses what a GPU refuses, too."
)
@plugin_option
@click.pass_context
@click.option("--strict", is_flag=True, help="Fail also when a law could not be examined.")
def check_plugin(
    ctx: click.Context, name: str, kind: str | None, suite: str | None, device: str | None, strict: bool
) -> None:
    """Examine a component: which laws of its kind hold, which fail, and which could not be examined.

    Exit code 1 when a law fails. Needs denoisplit[testing].
    """
    # Imported here, as listing components must not need torch.
    conformance = importlib.import_module("denoisplit.cli.conformance")
    ctx.exit(0 if conformance.check(name, kind=kind, suite=suite, strict=strict, device=device) else 1)


@plugins.command("new", short_help="Begin a package with a component of your own, or add one.")
@click.argument("path", type=PATH)
@_kind_option("Kind of the component", required=True)
@click.option("--name", required=True, help="Name of the component, as a spec will use it.")
def new_plugin(path: Path, kind: str, name: str) -> None:
    """Write a package with a working component of your own into the new folder PATH, or add one to a package.

    A new folder gives the package its name. In the folder of an existing package, the component, its test and
    its row in registry.yaml are added, and nothing is overwritten.
    """
    from denoisplit.cli.addition import add_component, is_package
    from denoisplit.cli.scaffold import write_package

    if is_package(path):
        new = add_component(path, kind=kind, name=name)
        click.echo(f"{path}: the {kind} {name} in {new.package}/{new.module}.py, tests/{new.test}")
    else:
        new = write_package(path, kind=kind, name=name)
        click.echo(f"{path}: package {new.distribution} with the {kind} {name}")
    click.echo(f"Next: python -m pip install --editable {path}")
    click.echo(f"Then: denoisplit plugins check {name} --kind {kind}")


def _unusable(registry: Registry, *, load: bool) -> Iterator[BrokenPlugin]:
    """Yield components that are listed but cannot be used."""
    if load or any(row.package != BUILTIN for row in registry.components("image_format")):
        from denoisplit.core.storage.formats import examine_formats

        yield from examine_formats(registry).faults
    for row in registry.components() if load else ():
        try:
            if row.kind != "image_format":
                row.load()
        except PluginError as error:
            yield BrokenPlugin(package=row.package, version=row.version, error=str(error), component=True)


def _plain(row: Component) -> dict[str, str]:
    fields = attrs.asdict(attrs.evolve(row, target=row.target_text))
    return {"qualified": row.qualified, **fields}


def _name(row: Component) -> str:
    return row.name


def _summary(row: Component) -> str:
    status = "" if row.status == "stable" else f" [{row.status}]"
    return f"{row.summary}{status}" + (f" use {row.replaced_by}" if row.replaced_by else "")


def _offer(row: Component) -> str:
    return f"{row.package} {row.version}"


def _broken(plugin: BrokenPlugin) -> str:
    what = "component" if plugin.component else "plugin"
    trace = [f"    {line}" for line in plugin.traceback.splitlines()]
    return "\n".join([f"broken {what}: {plugin.package} {plugin.version}: {plugin.error}", *trace])
