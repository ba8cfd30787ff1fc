"""``denoisplit check``: checks a spec and prints it in full."""

from pathlib import Path

import click

from denoisplit.cli.console import override_option, plugin_option
from denoisplit.cli.paths import PATH
from denoisplit.core.spec.yaml_text import component_versions, to_yaml


@click.command()
@click.argument("spec", type=PATH)
@override_option("Override a value of the spec; repeatable.")
@plugin_option
def check(spec: Path, overrides: tuple[str, ...]) -> None:
    """Check SPEC and print it with its defaults, or print every problem.

    Its network is composed and tried on a few pixels of noise, and devices, loggers, optimiser and schedule
    are those that "train" would find here; the images are not looked at ("data check" does that).
    """
    from denoisplit.core.storage.start_folder import remarks_on_start
    from denoisplit.core.workable import load_workable  # help needs no torch

    resolved = load_workable(spec, overrides)
    for kind, component, version in component_versions(resolved):
        click.echo(f"# {kind} {component} {version}")
    for remark in remarks_on_start(resolved.training):
        click.echo(f"# {remark}")
    click.echo(to_yaml(resolved), nl=False)
