"""``denoisplit report``: one HTML page about a run."""

from pathlib import Path

import click

from denoisplit.cli.changed_spec import changed_spec, names_images, set_option
from denoisplit.cli.console import plugin_option, progress
from denoisplit.cli.device import device_option
from denoisplit.cli.paths import PATH


@click.command()
@click.argument("run", type=PATH)
@click.option("--out", type=PATH, help="HTML file to write.  [default: report.html in RUN]")
@click.option(
    "--samples", type=click.IntRange(min=1), help="Posterior samples of each field.  [default: 16, or fewer]"
)
@click.option("--fields", type=click.IntRange(min=1), help="Held-out fields to look at.  [default: 3]")
@click.option(
    "--side", type=click.IntRange(min=16), help="Pixels a side of the centres to look at.  [default: 176]"
)
@set_option
@device_option
@plugin_option
def report(
    run: Path,
    out: Path | None,
    samples: int | None,
    fields: int | None,
    side: int | None,
    overrides: tuple[str, ...],
    device: str,
) -> None:
    """Write a report on the run in the folder RUN: one HTML page that needs nothing else.

    It shows what the run was trained on, the course of the training and predictions of some held-out fields,
    and checks accuracy, uncertainty and noise, each with a sentence on what it means. Nothing is trained or
    fitted. Every training ends with one; this writes it again, with more fields, larger ones or more samples.

    The page holds crops of the images.
    """
    from denoisplit import api
    from denoisplit.core.runs.reporting import extent_of, named_images, require_report, write_report
    from denoisplit.core.storage.run_folder import RunFolder

    folder = RunFolder(run)
    file = folder.report if out is None else out
    folder.require_model()
    require_report(file, folder)
    loaded, data = api.load(run, device=device), None
    if overrides:
        loaded = loaded.on(changed_spec(loaded, overrides))
        if names_images(overrides):
            data = named_images(loaded.spec, loaded.bundle.ceiling, run)
    extent = extent_of(loaded.bundle, samples=samples, fields=fields, side=side)
    with progress("Writing the report") as tell:
        write_report(folder, loaded.vse, loaded.bundle, file, extent, tell, data)
    click.echo(f"Report: {file}")
