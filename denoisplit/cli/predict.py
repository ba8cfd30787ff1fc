"""``denoisplit predict``: splits and denoises mixed images, with uncertainty."""

from pathlib import Path
from typing import Final

import click

from denoisplit.cli.console import plugin_option
from denoisplit.cli.device import device_option
from denoisplit.cli.paths import PATH

UNLIKE: Final = 3
"""Exit code of --strict."""

FAILED: Final = 1
"""Exit code where one of many images failed."""


_EXAMPLES: Final = """\b
Examples:
  denoisplit predict runs/first mixed.tif --out split.ome.tif
  denoisplit predict runs/first "cells/*.tif" --out split
"""


def _number_or_auto(context: click.Context, option: click.Parameter, given: str | None) -> int | str | None:
    """Convert the value to a number, unless it begins with ``auto``."""
    if given is None or given.startswith("auto"):
        return given
    number: int = click.IntRange(min=1)(given, option, context)
    return number


def _refuse_set(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> None:
    """Say what can be chosen instead of values of the spec."""
    del option
    if given:
        raise click.UsageError(
            f"The spec of a run stays as it was trained (got --set {given[0]}). Choose --samples, --seed, "
            f"--tile, --output, --workers or --device of the prediction, or train another run with --set.",
            context,
        )


@click.command(epilog=_EXAMPLES)
@click.argument("run", type=PATH)
@click.argument("image", nargs=-1, required=True, type=PATH)
@click.option(
    "--out",
    type=PATH,
    help="File to write, for example split.ome.tif or split.ome.zarr; of many images, a folder.  [required, "
    "except with --dry-run and --check-precision]",
)
@click.option(
    "--output",
    multiple=True,
    metavar="IMAGE",
    help="Images to write, repeated or with commas: mean, std, total_std, calibrated_std, samples, "
    "chi_square, quantile=LEVEL, interval=LEVEL, calibrated_interval=LEVEL.  "
    "[default: mean,std,calibrated_std]",
)
@click.option(
    "--samples",
    callback=_number_or_auto,
    metavar="N|auto|auto:FRACTION",
    help="Posterior samples. auto takes as many as keep the Monte Carlo error of the mean below 2 % of the "
    "intensity scale, auto:0.01 below 1 %.  [default: the run's, usually 50]",
)
@click.option("--axes", help="What the axes of IMAGE mean, for example TYX.  [default: what the file says]")
@click.option(
    "--report",
    type=PATH,
    help="HTML file for a report: mixed image, samples, mean, std, interval, verdict, provenance.",
)
@click.option(
    "--strict", is_flag=True, help="Exit with code 3 unless the image looks like the training images."
)
@click.option(
    "--labels",
    type=PATH,
    help="Label image (0: no region), to sum the channels over its regions: a table beside the output.",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "uint16"]),
    default="float32",
    show_default=True,
    help="Type of the pixels to write. uint16 rounds to whole counts; where these do not fit, one factor for "
    "the whole file is noted in it.",
)
@click.option(
    "--ending",
    default=".ome.tif",
    show_default=True,
    help="Ending of the output files when many images are predicted into a folder; it chooses their format.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing output files.")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on from the tiles that are finished, and keep the results of many images that are there.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Write nothing; say what there is to do from the beginning, and the time it takes.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", help="Seed of the samples.  [default: the run's]"
)
@click.option(
    "--tile",
    type=click.IntRange(min=0),
    metavar="N",
    help="Pixels a side that one pass predicts; 0 chooses.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Tiles predicted at the same time.",
)
@click.option(
    "--executor",
    default="",
    metavar="NAME",
    help="How tiles are predicted: serial, threads, processes, dask, or that of a plugin; with options as in "
    "'{use: processes, threads: 2}'.  [default: threads]",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Use the running Dask cluster with this scheduler: tcp://HOST:PORT.",
)
@click.option(
    "--shard",
    metavar="I/N",
    help="Predict a part of the tiles, for array jobs of a cluster; the shard that is last writes the file.",
)
@click.option(
    "--check-precision",
    is_flag=True,
    help="Write nothing; say what the precision of the network costs against float32.",
)
@click.option(
    "--clean",
    type=PATH,
    help="With --check-precision: file of the true channels, for PSNR and coverage.",
)
@click.option("--set", multiple=True, hidden=True, expose_value=False, callback=_refuse_set)
@device_option
@plugin_option
@click.pass_context
def predict(
    ctx: click.Context,
    run: Path,
    image: tuple[Path, ...],
    out: Path | None,
    ending: str,
    output: tuple[str, ...],
    samples: int | str | None,
    seed: int | None,
    tile: int | None,
    workers: int,
    executor: str,
    scheduler: str | None,
    labels: Path | None,
    axes: str | None,
    dtype: str,
    overwrite: bool,
    resume: bool,
    dry_run: bool,
    shard: str | None,
    report: Path | None,
    strict: bool,
    check_precision: bool,
    clean: Path | None,
    device: str,
) -> None:
    """Split and denoise IMAGE with the trained model, or the sequence of models, in the folder RUN.

    IMAGE is one file or several, a folder, a pattern in quotes such as "cells/*.tif", or a table (.csv) with
    a column "file". For more than one image, --out is a folder: every image gets a file of its name there, a
    failure is reported and does not stop the others, and predictions.csv lists the outcome of each.

    The output has, for every channel, the mean (the denoised channel), the std (how far the samples of the
    model spread) and the calibrated std (how large the real error is expected to be), all in the units of the
    input. --output chooses others: the total std (how far a measurement of the channel would lie from the
    mean: spread and noise together), quantiles and intervals of the samples, calibrated intervals, the
    samples themselves, and a map of where the channels do not add up to IMAGE (chi_square). A line says
    whether IMAGE looks like the training images; with --strict, the exit code says so, too, and the output is
    written all the same.

    IMAGE is read, predicted and written tile by tile, so neither it nor the output has to fit into memory.

    With --report, an HTML page shows the part of IMAGE with most contrast: its samples behind a slider, mean,
    std and interval, and says whether IMAGE looks like the training images.

    With --labels, a table beside the output (split.sums.csv for split.ome.tif) has the sum of every channel
    over every region, how far it may be off, and whether that was checked for regions of this size.

    With --check-precision, the middle of IMAGE is predicted in float32 as well, and a table says what the
    precision of the network changes.
    """
    if check_precision:
        from denoisplit.cli.precision import show_precision

        if len(image) > 1:
            raise click.UsageError(f"--check-precision needs a single IMAGE (got {len(image)}).", ctx)
        show_precision(
            run, image[0], device=device, clean=clean, samples=samples, seed=seed, tile=tile, axes=axes
        )
        return
    from denoisplit.cli import predicting
    from denoisplit.core.prediction.files.items import is_one
    from denoisplit.core.prediction.request import How, Shard
    from denoisplit.core.runs.sequence import load_any

    how = How(
        samples=samples,
        seed=seed,
        tile=tile,
        axes=axes,
        output=output or None,
        workers=workers,
        labels=labels,
        executor=executor if scheduler is None else {"use": "dask", "scheduler": scheduler},
        resume=resume,
    )
    if shard is not None:
        Shard.parse(shard)
    if dry_run:
        predicting.show_estimate(load_any(run, device=device), image, how)
        return
    if out is None:
        raise click.UsageError(
            "Missing option '--out', the file to write, for example split.ome.tif, or a folder.", ctx
        )
    if clean is not None:
        raise click.UsageError("--clean needs --check-precision.", ctx)
    if is_one(image, out):
        predicting.require_free(image[0], out, run=run, labels=labels, overwrite=overwrite, how=how)
        loaded = load_any(run, device=device)
        if report is not None:
            predicting.require_reportable(loaded, image[0], report)
        found = predicting.predict_one(loaded, image[0], out, dtype=dtype, how=how, shard=shard)
        liked = found is None or found.verdict.status == "like"
        if report is not None and found is not None:
            predicting.report_one(loaded, found, image[0], report, how)
    else:
        if shard is not None:
            raise click.UsageError("--shard needs a single IMAGE and the name of a file for --out.", ctx)
        if report is not None:
            raise click.UsageError("--report needs a single IMAGE and the name of a file for --out.", ctx)
        if labels is not None:
            raise click.UsageError("--labels needs a single IMAGE and the name of a file for --out.", ctx)
        loaded = load_any(run, device=device)
        failed, liked = predicting.predict_many(
            loaded, image, out, ending=ending, dtype=dtype, overwrite=overwrite, how=how
        )
        if failed:
            ctx.exit(FAILED)
    if strict and not liked:
        ctx.exit(UNLIKE)
