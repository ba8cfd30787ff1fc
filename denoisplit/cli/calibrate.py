"""``denoisplit calibrate``: repeats the calibration of a run."""

from pathlib import Path

import click

from denoisplit.cli.console import messages, plugin_option
from denoisplit.cli.device import device_option
from denoisplit.cli.paths import PATH
from denoisplit.cli.stopping import continued_by


@click.command()
@click.argument("run", type=PATH)
@device_option
@plugin_option
def calibrate(run: Path, device: str) -> None:
    """Calibrate RUN on the held-out images of its spec, as its training does at the end.

    For a run whose calibration was interrupted or failed. The previous calibration is replaced once the new
    one is complete; the weights do not change. The report of RUN is written again.

    The training images are not needed where the spec names held-out ones (data.validation), unless the first
    calibration was interrupted or the calibrator learns from training images (by_field).
    """
    from denoisplit import api

    with messages() as stages, continued_by("denoisplit", "calibrate", str(run), of=run):
        found = api.load(run, device=device).calibrate(stages=stages)
    if found.bundle.calibration is None:
        click.echo(f"No calibration was possible: {found.path}")
    else:
        click.echo(f"Calibrated: {found.path} ({found.bundle.calibration.origin})")
    if found.folder.report.is_file():
        click.echo(f"Report:     {found.folder.report}")
