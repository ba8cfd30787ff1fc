"""``denoisplit train``: trains a model from a spec into a run folder."""

from pathlib import Path
from typing import Final

import click

from denoisplit.cli.console import messages, override_option, plugin_option, plugin_words, tell_next
from denoisplit.cli.device import device_option, device_words
from denoisplit.cli.paths import PATH
from denoisplit.cli.stopping import continued_by

_EXAMPLE: Final = """\b
Example:
  denoisplit train mine.yaml --out runs/first
"""


@click.command(epilog=_EXAMPLE)
@click.argument("spec", type=PATH)
@click.option("--out", required=True, type=PATH, help="Run folder to write.")
@override_option("Override a value of the spec, for example training.steps=2000; repeatable.")
@device_option
@click.option(
    "--devices", type=click.IntRange(1), metavar="N", help="GPUs, or processes, that train together."
)
@click.option(
    "--nodes",
    type=click.IntRange(1),
    metavar="N",
    help="Hosts that train together; this is called on each.",
)
@plugin_option
@click.option("--resume", is_flag=True, help="Continue an interrupted run.")
def train(
    spec: Path,
    out: Path,
    overrides: tuple[str, ...],
    resume: bool,
    device: str,
    devices: int | None,
    nodes: int | None,
) -> None:
    """Train the network that SPEC describes, a file such as "denoisplit new" writes.

    The run folder gets the network, a log (train.log) and a report with pictures (report.html). Ctrl-C stops
    a training, and --resume goes on with it.
    """
    from denoisplit.core.workable import load_workable

    together = {"devices": devices, "nodes": nodes}
    given = {name: number for name, number in together.items() if number is not None}
    changes = (*overrides, *(f"training.{name}={number}" for name, number in given.items()))
    resolved = load_workable(spec, changes, device=device, resumed=out if resume else None)
    from denoisplit import api
    from denoisplit.core.storage.run_folder import RunFolder
    from denoisplit.core.storage.write_guards import require_outside_runs
    from denoisplit.core.training.processes.seat import host_of

    require_outside_runs(out)
    folder, first = RunFolder(out), host_of(resolved.training) == 0
    options = [word for override in overrides for word in ("--set", override)] + [*plugin_words()]
    options += device_words(device)
    options += [word for name, number in given.items() for word in (f"--{name}", str(number))]
    command = ("denoisplit", "train", str(spec), "--out", str(out), *options, "--resume")
    with messages() as stages, continued_by(*command, of=folder.spec):
        if first:
            api.train(resolved, out, resume=resume, stages=stages, device=device)
        else:
            from denoisplit.core.training.fit import fit

            fit(resolved, folder, resume=resume, stages=stages, device=device)
    if first:
        click.echo(f"Trained: {out}")
        if folder.report.is_file():
            click.echo(f"Report: {folder.report}")
        tell_next(out)
    else:
        click.echo(f"Took part in the training. The first host has the run: {out}")
