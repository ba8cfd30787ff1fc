"""The work of ``denoisplit predict`` for one image, and for many."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from denoisplit.cli.console import progress, say
from denoisplit.core.errors import DenoisplitError, ImageError, RunError
from denoisplit.core.prediction.files.many import TABLE, Outcome
from denoisplit.core.prediction.outputs.offers import CALIBRATED_STD, CHI_SQUARE
from denoisplit.core.prediction.outputs.result import Prediction
from denoisplit.core.prediction.request import How, Request
from denoisplit.core.runs.predictor import Predictor
from denoisplit.core.runs.reports import Reports
from denoisplit.core.storage.image_files import ImageInputs, file_of, open_given
from denoisplit.core.storage.label_files import open_labels
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.sequence_folder import SequenceFolder
from denoisplit.core.storage.write_guards import require_apart, require_ours
from denoisplit.core.sums.label_sums import is_table


def require_free(
    image: Path, out: Path, *, run: Path, labels: Path | None, overwrite: bool, how: How
) -> None:
    """Check, before anything is loaded, that the results can be written.

    Raises:
        DenoisplitError: an output file exists already, or would be, contain or lie in an input or a run. What
            else would be refused next is told with it, a line each.
    """
    try:
        _require_free(image, out, run=run, labels=labels, overwrite=overwrite)
    except DenoisplitError as refusal:
        flaws = _flaws(run, image, labels, how)
        if not flaws:
            raise
        raise DenoisplitError("\n".join(map(str, (refusal, *flaws)))) from refusal


def _flaws(run: Path, image: Path, labels: Path | None, how: How) -> list[DenoisplitError]:
    """What is wrong with the inputs, as far as it shows without their pixels and weights."""

    def run_is_there() -> None:
        if not SequenceFolder(run).record.is_file():
            RunFolder(run).require_model()

    checks: tuple[Callable[[], object], ...] = (
        run_is_there,
        lambda: open_given(image, how["axes"]),
        lambda: labels is None or open_labels(labels),
        lambda: Request(**how),
    )
    found = []
    for check in checks:
        try:
            check()
        except DenoisplitError as error:
            found.append(error)
    return found


def _require_free(image: Path, out: Path, *, run: Path, labels: Path | None, overwrite: bool) -> None:
    inputs = [run, image] if labels is None else [run, image, labels]
    ImageInputs(inputs).require_writable(out, overwrite=overwrite)
    table = _table_beside(out)
    if labels is not None and table.exists():
        require_apart(table, *inputs)
        require_ours(table, "table of sums", is_table)
        if not overwrite:
            raise ImageError(f"{table}: exists already. Choose another --out, or add --overwrite.")


def predict_one(
    run: Predictor, image: Path, out: Path, *, dtype: str, how: How, shard: str | None
) -> Prediction | None:
    """Predict an image and print a summary.

    Returns:
        The prediction; None for a shard while others are missing, which prints nothing about the image.
    """
    with progress(f"Splitting {image.name}") as tell:
        told = how | How(progress=tell)
        if shard is None:
            prediction = run.predict_file(image, out, dtype=dtype, **told)
        elif (found := _alone(run, "--shard").predict_shard(image, out, shard, dtype=dtype, **told)) is None:
            click.echo(f"{out}: shard {shard} is done; the last one writes the file.")
            return None
        else:
            prediction = found
    written = prediction.layout
    click.echo(f"{out}: {written.axes.upper()} {'x'.join(map(str, written.shape))}")
    for name in written.channel_names:
        click.echo(f"  {name}")
    if (whole := prediction.whole) is not None:
        say(f"uint16: {whole}")
        if whole.warning:
            click.echo(f"uint16: {whole.warning}", err=True)
    if prediction.sums is not None:
        table = _table_beside(out)
        prediction.save_sums(table)
        click.echo(f"{table}: {prediction.sums.summary}")
    if isinstance(how["samples"], str):
        click.echo(f"Samples: {prediction.samples}")
    if prediction.seam_score is not None:
        click.echo(f"Seam score of the tiles: {prediction.seam_score:.2f} (1 where they do not show)")
    if prediction.samples == 1 and not how["output"]:
        click.echo("One sample has no spread, so there is no std. Use --samples 2 or more.", err=True)
    elif not prediction.calibrated and not how["output"]:
        click.echo("This run has no calibration, so there is no calibrated std.", err=True)
    elif CALIBRATED_STD not in prediction.images and not how["output"]:
        click.echo(
            "The calibrator of this run gives intervals only, so there is no calibrated std. "
            "Use --output mean,calibrated_interval=0.9 for intervals.",
            err=True,
        )
    if CHI_SQUARE in prediction.images:
        click.echo(f"Chi-square: {_chi_square(prediction)}")
    say(f"Verdict: {prediction.verdict}")
    return prediction


def require_reportable(run: Predictor, image: Path, report: Path) -> None:
    """Check, before anything is predicted, that a report on the prediction can be written.

    Raises:
        RunError: another file has its name, it lies in an input or a run, or the run is a sequence.
    """
    from denoisplit.core.runs.reporting import require_report

    require_report(report, _alone(run, "--report").folder, image)


def report_one(run: Predictor, prediction: Prediction, image: Path, report: Path, how: How) -> None:
    """Write the report on a prediction, and say so."""
    one = _alone(run, "--report")
    with progress("Writing the report") as tell:
        one.report_prediction(prediction, image, report, axes=how["axes"], seed=how["seed"], progress=tell)
    click.echo(f"Report: {report}")


def _alone(run: Predictor, option: str) -> Reports:
    """Return a run of one network.

    Raises:
        RunError: it is a sequence of two networks.
    """
    if not isinstance(run, Reports):
        raise RunError(f"{run.path}: is a sequence of two networks (got {option}). Leave {option} out.")
    return run


def show_estimate(run: Predictor, images: Sequence[Path], how: How) -> None:
    """Print the work that there is to do, and an estimate of its time."""
    with progress("Predicting a tile"):
        found = _alone(run, "--dry-run").estimate(images, **how)
    shapes = {"x".join(map(str, plan.shape)) for plan in found.plans}
    rows = {
        "images": str(len(found.plans)),
        "planes": f"{found.planes} of {', '.join(sorted(shapes))} pixels",
        "tiles": f"{found.tiles}, {_seen(found.halo)}",
        "samples": ", ".join(sorted({str(plan.how.samples) for plan in found.plans})),
        "memory": f"about {max(1.0, found.memory / 2**20):.0f} MiB for each of {found.workers} worker"
        f"{'s' * (found.workers > 1)}, beside the program and its libraries",
        "time": f"about {_duration(found.seconds)} ({_duration(found.tile_seconds)} for a tile), if nothing "
        f"else is done meanwhile",
    }
    for name, text in rows.items():
        say(f"{name:8} {text}", hanging=9)


def _seen(halo: Sequence[int]) -> str:
    if not any(halo):
        return "each a whole plane or stack"
    return f"which see {'x'.join(map(str, halo))} pixels around them"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def predict_many(
    run: Predictor,
    images: Sequence[Path],
    out: Path,
    *,
    ending: str,
    dtype: str,
    overwrite: bool,
    how: How,
) -> tuple[bool, bool]:
    """Predict images into a folder, and print a line for each.

    Returns:
        Whether one failed, and whether all others look like the training images.
    """
    told_once: set[str] = set()

    def tell_outcome(outcome: Outcome) -> None:
        if outcome.state == "failed":
            click.echo(f"failed: {outcome.error}", err=True)
        elif outcome.prediction is not None:
            whole = outcome.prediction.whole
            say(f"{outcome.item.out}: {outcome.prediction.verdict}")
            if whole is not None and whole.scale(1) is not None:
                click.echo(f"{outcome.item.out}: uint16: {whole}")
            if whole is not None and whole.warning and whole.warning not in told_once:
                told_once.add(whole.warning)
                click.echo(f"{outcome.item.out}: uint16: {whole.warning}", err=True)

    with progress("Splitting") as tell:
        outcomes = run.predict_files(
            images,
            out,
            ending=ending,
            dtype=dtype,
            overwrite=overwrite,
            tell=tell_outcome,
            **(how | How(progress=tell)),
        )
    counted = {state: sum(one.state == state for one in outcomes) for state in ("done", "kept", "failed")}
    told = ", ".join(f"{count} {state}" for state, count in counted.items() if count)
    click.echo(f"{out}: {len(outcomes)} images, {told}; {out / TABLE} lists the outcome of each.")
    done = [one.prediction for one in outcomes if one.prediction is not None]
    return counted["failed"] > 0, all(prediction.verdict.status == "like" for prediction in done)


def _chi_square(prediction: Prediction) -> str:
    """Return the mean of the map, with the usual range if the run has it."""
    usual = "1 where the channels add up to the image"
    if prediction.verdict.chi_square_range is not None:
        low, high = prediction.verdict.chi_square_range
        usual = f"usual: {low:.3g} to {high:.3g}"
    return f"{prediction.verdict.chi_square or 0.0:.3g} on average ({usual})"


def _table_beside(out: Path) -> Path:
    """Return the path of the table, ``split.sums.csv`` for ``split.ome.tif``."""
    file = file_of(out)
    return file.with_name(f"{file.stem.removesuffix('.ome')}.sums.csv")
