"""``denoisplit predict``: mixed images in, separated and denoised channels with their uncertainty out."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from denoisplit.cli.console import plugin_option, progress, say
from denoisplit.cli.device import device_option
from denoisplit.core.errors import ImageError

if TYPE_CHECKING:
    from denoisplit.core.prediction.result import Prediction

UNLIKE: Final = 3
"""Exit code of --strict."""


def _number_or_auto(context: click.Context, option: click.Parameter, given: str | None) -> int | str | None:
    """``auto`` and what follows it as it is; all else has to be a number."""
    if given is None or given.startswith("auto"):
        return given
    number: int = click.IntRange(min=1)(given, option, context)
    return number


def _chi_square(prediction: "Prediction") -> str:
    """The mean of the map, and what is usual if the run knows it."""
    usual = "1 where the channels add up to the image"
    if prediction.verdict.chi_square_range is not None:
        low, high = prediction.verdict.chi_square_range
        usual = f"usual: {low:.3g} to {high:.3g}"
    return f"{prediction.verdict.chi_square or 0.0:.3g} on average ({usual})"


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write, for example split.ome.tif or split.ome.zarr.  [required, except with "
    "--check-precision]",
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
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of the samples.  [default: the run's]")
@click.option("--tile", type=click.IntRange(min=0), help="Pixels a side that one pass predicts; 0 chooses.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Tiles predicted at the same time.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Label image (0: no region), to sum the channels over its regions: a table beside the output.",
)
@click.option("--axes", help="What the axes of IMAGE mean, for example TYX.  [default: what the file says]")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "uint16"]),
    default="float32",
    show_default=True,
    help="Pixels to write; uint16 has a scale per image, which is noted in the file.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing output file.")
@click.option(
    "--strict", is_flag=True, help="Exit with code 3 unless the image looks like the training images."
)
@click.option(
    "--check-precision",
    is_flag=True,
    help="Write nothing; say what the precision of the network costs against float32.",
)
@click.option(
    "--clean",
    type=click.Path(path_type=Path),
    help="With --check-precision: file of the true channels, for PSNR and coverage.",
)
@device_option
@plugin_option
@click.pass_context
def predict(
    ctx: click.Context,
    run: Path,
    image: Path,
    out: Path | None,
    output: tuple[str, ...],
    samples: int | str | None,
    seed: int | None,
    tile: int | None,
    workers: int,
    labels: Path | None,
    axes: str | None,
    dtype: str,
    overwrite: bool,
    strict: bool,
    check_precision: bool,
    clean: Path | None,
    device: str,
) -> None:
    """Split and denoise IMAGE with the trained model, or the sequence of models, in the folder RUN.

    The output has, for every channel, the mean (the denoised channel), the std (how far the samples of the
    model spread) and the calibrated std (how large the real error is expected to be), all in the units of the
    input. --output chooses others: the total std (how far a measurement of the channel would lie from the
    mean: spread and noise together), quantiles and intervals of the samples, calibrated intervals, the
    samples themselves, and a map of where the channels do not add up to IMAGE (chi_square). A line says
    whether IMAGE looks like the training images; with --strict, the exit code says so, too, and the output is
    written all the same.

    IMAGE is read, predicted and written tile by tile, so neither it nor the output has to fit into memory.

    With --labels, a table beside the output (split.sums.csv for split.ome.tif) has the sum of every channel
    over every region, how far it may be off, and whether that was checked for regions of this size.

    With --check-precision, the middle of IMAGE is predicted in float32 as well, and a table says what the
    precision of the network changes.
    """
    if check_precision:
        from denoisplit.cli.precision import show_precision

        show_precision(
            run, image, device=device, clean=clean, samples=samples, seed=seed, tile=tile, axes=axes
        )
        return
    if out is None:
        raise click.UsageError("Missing option '--out', the file to write, for example split.ome.tif.", ctx)
    if clean is not None:
        raise click.UsageError("--clean needs --check-precision.", ctx)
    from denoisplit.core.assessment.label_sums import is_table
    from denoisplit.core.prediction.outputs import CALIBRATED_STD, CHI_SQUARE
    from denoisplit.core.runs.sequence import load_any
    from denoisplit.core.storage.image_files import file_of, require_writable
    from denoisplit.core.storage.outputs import require_apart, require_ours

    inputs = [run, image] if labels is None else [run, image, labels]
    require_writable(out, overwrite=overwrite, inputs=inputs)
    table = _table_beside(file_of(out))
    if labels is not None and table.exists():
        require_apart(table, *inputs)
        require_ours(table, "table of sums", is_table)
        if not overwrite:
            raise ImageError(f"{table}: exists already. Choose another --out, or add --overwrite.")
    loaded = load_any(run, device=device)
    with progress(f"Splitting {image.name}") as tell:
        prediction = loaded.predict_file(
            image,
            out,
            dtype=dtype,
            samples=samples,
            seed=seed,
            tile=tile,
            axes=axes,
            output=output or None,
            workers=workers,
            labels=labels,
            progress=tell,
        )
    written = prediction.layout
    click.echo(f"{out}: {written.axes.upper()} {'x'.join(map(str, written.shape))}")
    for name in written.channel_names:
        click.echo(f"  {name}")
    if prediction.sums is not None:
        prediction.save_sums(table)
        click.echo(f"{table}: {prediction.sums.summary}")
    if isinstance(samples, str):
        click.echo(f"Samples: {prediction.samples}")
    if prediction.seam_score is not None:
        click.echo(f"Seam score of the tiles: {prediction.seam_score:.2f} (1 where they do not show)")
    if prediction.samples == 1 and not output:
        click.echo("One sample has no spread, so there is no std. Use --samples 2 or more.", err=True)
    elif not prediction.calibrated and not output:
        click.echo("This run has no calibration, so there is no calibrated std.", err=True)
    elif CALIBRATED_STD not in prediction.images and not output:
        click.echo(
            "The calibrator of this run gives intervals only, so there is no calibrated std. "
            "Use --output mean,calibrated_interval=0.9 for intervals.",
            err=True,
        )
    if CHI_SQUARE in prediction.images:
        click.echo(f"Chi-square: {_chi_square(prediction)}")
    say(f"Verdict: {prediction.verdict}")
    if strict and prediction.verdict.status != "like":
        ctx.exit(UNLIKE)


def _table_beside(out: Path) -> Path:
    """``split.sums.csv`` for ``split.ome.tif``."""
    return out.with_name(f"{out.stem.removesuffix('.ome')}.sums.csv")
