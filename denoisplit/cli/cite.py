"""``denoisplit cite``: what to cite for an experiment."""

from pathlib import Path

import click

from denoisplit.cli.console import override_option, plugin_option
from denoisplit.cli.paths import PATH


@click.command()
@click.argument("spec", type=PATH)
@override_option("Override a value of the spec; repeatable.")
@plugin_option
def cite(spec: Path, overrides: tuple[str, ...]) -> None:
    """Print what SPEC uses as BibTeX: the software and the sources of its components."""
    from denoisplit.core.registry.bibliography import citations
    from denoisplit.core.spec import components, load_spec

    for citation in citations(components(load_spec(spec, overrides))):
        click.echo(f"% {', '.join(citation.cited_for)}")
        click.echo(f"{citation.bibtex}\n")
