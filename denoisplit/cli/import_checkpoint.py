"""``denoisplit import-checkpoint``: a network that another program trained, as a run folder."""

from pathlib import Path

import click

from denoisplit.cli.console import override_option, plugin_option, tell_next
from denoisplit.cli.paths import PATH


@click.command("import-checkpoint")
@click.argument("checkpoint", type=PATH)
@click.option(
    "--config",
    required=True,
    type=PATH,
    help="Config that the network was trained with (JSON or YAML).",
)
@click.option("--out", required=True, type=PATH, help="Run folder to write.")
@click.option(
    "--noise-model",
    "noise_models",
    multiple=True,
    type=PATH,
    help="Noise model (.npz), once per structure in their order, or once for all.",
)
@click.option("--channel", "channels", multiple=True, metavar="NAME", help="Name of a structure; repeatable.")
@click.option("--input-mean", type=float, help="Mean that mixed images were normalised by, counts.")
@click.option("--input-std", type=float, help="Standard deviation that they were divided by, counts.")
@click.option("--target-mean", multiple=True, type=float, help="Mean of a structure, counts; once for each.")
@click.option(
    "--target-std",
    multiple=True,
    type=float,
    help="Standard deviation of a structure, counts; once for each.",
)
@override_option("Override a value of the spec; repeatable.")
@plugin_option
def import_checkpoint(
    checkpoint: Path,
    config: Path,
    out: Path,
    noise_models: tuple[Path, ...],
    channels: tuple[str, ...],
    input_mean: float | None,
    input_std: float | None,
    target_mean: tuple[float, ...],
    target_std: tuple[float, ...],
    overrides: tuple[str, ...],
) -> None:
    """Import CHECKPOINT, a network trained with denoiSplit, muSplit, HDN or CAREamics, as a run folder.

    Files from others are safe: only numbers are read, and nothing is executed. What does not fit is reported,
    and then nothing is written.
    """
    from denoisplit.core.runs import imported as importing
    from denoisplit.core.storage.write_guards import require_outside_runs

    require_outside_runs(out)

    run = importing.import_checkpoint(
        checkpoint,
        config,
        out,
        noise_models=noise_models,
        input_mean=input_mean,
        input_std=input_std,
        target_mean=target_mean,
        target_std=target_std,
        channels=channels,
        overrides=overrides,
    )
    click.echo(f"Imported: {run.path} ({' + '.join(run.spec.channels)})")
    click.echo(f"What was assumed and what was not needed: {run.folder.log}")
    tell_next(run.path)
