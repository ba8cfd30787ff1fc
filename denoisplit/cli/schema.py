"""``denoisplit schema``: what editors need to complete and check a spec."""

from pathlib import Path

import click


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="File to write; without it, standard output.")
def schema(out: Path | None) -> None:
    """Write the JSON Schema of a spec, with the options of all installed components.

    Specs that denoisplit writes name the file spec.schema.json beside them.
    """
    from denoisplit.core.registry.registry import installed_registry
    from denoisplit.core.spec.schema import schema_text, spec_schema

    found, problems = spec_schema(installed_registry())
    for problem in problems:
        click.echo(f"Left out: {problem}", err=True)
    if out is None:
        click.echo(schema_text(found), nl=False)
    else:
        out.write_text(schema_text(found), encoding="utf-8")
        click.echo(f"Schema: {out}")
