"""``denoisplit models``: the trained networks that come with denoisplit."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import click

from denoisplit.cli.console import say, tell_next
from denoisplit.cli.paths import PATH

_PAGE = "docs/models.md"


@click.group()
def models() -> None:
    """Show or copy trained networks that come with denoisplit.

    All of them learnt from simulated images alone: start a training of your own from one, with
    'training.start_from: model:NAME' in its spec.
    """


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_models(as_json: bool) -> None:
    """List all models."""
    from denoisplit.core.storage.shipped_models import shipped_models

    found = shipped_models()
    if as_json:
        click.echo(json.dumps({"models": [attrs.asdict(one) for one in found]}, indent=2, ensure_ascii=False))
        return
    for model in found:
        click.echo(model.name)
        for name, text in (
            ("what", model.summary),
            ("channels", ", ".join(model.channels)),
            ("network", model.network),
            ("trained on", model.trained_on),
            ("size", f"{model.size / 1e6:.1f} MB"),
            ("licence", model.licence),
        ):
            say(f"  {name:12}{text}", hanging=14)
    click.echo(f"{_PAGE} says what they are good for.")


@models.command("get")
@click.argument("name")
@click.option("--out", required=True, type=PATH, help="Run folder to write.")
def get_model(name: str, out: Path) -> None:
    """Copy the model NAME into a run folder, which predicts as any other."""
    from denoisplit.core.storage.shipped_models import copy_model, find_model

    model = find_model(name, "models get")
    folder = copy_model(model, out)
    click.echo(f"Copied: {model.name} to {folder.path}")
    tell_next(folder.path)
