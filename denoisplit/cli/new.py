"""``denoisplit new``: looks at a folder of images and writes a spec for it."""

from pathlib import Path
from typing import Final

import click

from denoisplit.cli.console import plugin_option, progress, say
from denoisplit.cli.paths import PATH

_EXAMPLE: Final = """\b
Example:
  denoisplit new mine.yaml --data images
"""


@click.command(epilog=_EXAMPLE)
@click.argument("path", metavar="SPEC", type=PATH)
@click.option("--data", required=True, type=PATH, help="Folder with the images to learn from.")
@click.option(
    "--channels",
    default="",
    metavar="A,B",
    help="Names of the channels in the order of the files; - leaves one out.",
)
@click.option("--axes", default="", help="What the axes of the files are, for example cyx, tyx or zyx.")
@click.option(
    "--mixing",
    type=click.Choice(["mean", "sum"]),
    help="How your mixed images are formed: averages of the channels, or one exposure of all.",
)
@click.option("--quick", is_flag=True, help="Do not time training steps.")
@click.option("--overwrite", is_flag=True, help="Replace SPEC if it exists.")
@plugin_option
def new(
    path: Path, data: Path, channels: str, axes: str, mixing: str | None, quick: bool, overwrite: bool
) -> None:
    """Look at a folder of images and write SPEC, a commented text file that says how to learn from them.

    Sub-folders train, val and test, and words such as noisy, clean, high, low, mixed in the names of files
    and folders tell what an image is for. What the images do not tell is asked.
    """
    from denoisplit.core.errors import SpecError
    from denoisplit.core.registry import installed_registry
    from denoisplit.core.storage.atomic import write_text
    from denoisplit.core.storage.image_files import installed_formats
    from denoisplit.core.storage.write_guards import require_ours, require_outside_runs
    from denoisplit.core.survey.proposing import propose
    from denoisplit.core.survey.spec_text import next_commands

    if path.is_dir():
        raise SpecError(f"{path}: is a folder. Give the name of the file to write, such as my-split.yaml.")
    require_outside_runs(path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        require_ours(path, "spec", lambda beginning: b"spec_version" in beginning)
    if path.exists() and not overwrite:
        raise SpecError(f"{path}: exists already. Choose another name, or replace it with --overwrite.")
    with progress("Looking at the images") as tell:
        proposal = propose(
            data,
            path,
            formats=installed_formats(),
            registry=installed_registry(),
            axes=axes,
            channels=[name for name in channels.split(",") if channels],
            mixing=mixing or "",
            timed=not quick,
            progress=tell,
        )
    write_text(path, proposal.text)
    plan = proposal.plan
    for line in plan.found:
        say(f"Found:   {line}", hanging=9)
    for line in plan.remarks:
        say(f"Note:    {line}", hanging=9)
    for line in plan.questions:
        say(f"Decide:  {line}", hanging=9)
    if plan.duration:
        say(f"Time:    {plan.duration}", hanging=9)
    click.echo(f"Wrote:   {path}")
    first, *others = next_commands(path)[:3]
    edit = "answer what is to decide in the file, then " if plan.questions else ""
    click.echo(f"Next:    {edit}{first}")
    for command in others:
        click.echo(f"Then:    {command}")
