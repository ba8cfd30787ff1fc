"""``denoisplit schema``: lets editors complete and check a spec."""

from pathlib import Path

import click

from denoisplit.cli.console import plugin_option
from denoisplit.cli.paths import PATH


@click.command()
@click.option("--out", type=PATH, help="File to write; without it, standard output.")
@plugin_option
def schema(out: Path | None) -> None:
    """Write the JSON Schema of a spec, with the options of all installed components.

    Specs that denoisplit writes name the file spec.schema.json beside them.
    """
    from denoisplit.core.registry.registry import installed_registry
    from denoisplit.core.spec.json_schema import schema_text, spec_schema
    from denoisplit.core.storage.atomic import write_text
    from denoisplit.core.storage.write_guards import require_ours, require_outside_runs

    found, problems = spec_schema(installed_registry())
    for problem in problems:
        click.echo(f"Left out: {problem}", err=True)
    if out is None:
        click.echo(schema_text(found), nl=False)
    else:
        require_outside_runs(out)
        require_ours(out, "schema", lambda beginning: b'"$schema"' in beginning)
        write_text(out, schema_text(found))
        click.echo(f"Schema: {out}")
