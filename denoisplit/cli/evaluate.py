"""``denoisplit evaluate``: scores against known truth, next to trivial answers."""

import json
from pathlib import Path
from typing import Any

import click

from denoisplit.cli.changed_spec import changed_spec, names_images, set_option
from denoisplit.cli.console import plugin_option, progress, say, show
from denoisplit.cli.device import device_option
from denoisplit.cli.paths import PATH
from denoisplit.core.errors import ImageError


@click.command()
@click.argument("run", type=PATH)
@click.option(
    "--samples", type=click.IntRange(min=1), help="Posterior samples.  [default: the run's, usually 50]"
)
@set_option
@click.option(
    "--metrics",
    metavar="NAMES",
    help="These scores only, separated by commas: psnr, range_invariant_psnr, ssim, ms_ssim (the default), "
    "ssim_uniform, range_invariant_ms_ssim, ms_ssim_pooled, care_ms_ssim, pearson; micro_ssim and "
    "micro_ms3im need denoisplit[micro].",
)
@click.option(
    "--metric",
    "further",
    multiple=True,
    metavar="NAME",
    help="A metric beside the others, built-in or of a plugin (see denoisplit plugins list --kind metric); "
    "repeatable.",
)
@click.option(
    "--labels",
    multiple=True,
    type=PATH,
    help="Label image of a field (0: no region), to assess sums over its regions; repeat it for every field, "
    "in their order.",
)
@click.option("--json", "json_path", type=PATH, help="Also write all numbers to this file.")
@click.option("--figure", type=PATH, help="Also write a picture of the first field (PNG).")
@click.option(
    "--figures",
    type=PATH,
    help="Also write figures of the uncertainty into this folder (PNG).",
)
@device_option
@plugin_option
def evaluate(
    run: Path,
    samples: int | None,
    overrides: tuple[str, ...],
    metrics: str | None,
    further: tuple[str, ...],
    labels: tuple[Path, ...],
    json_path: Path | None,
    figure: Path | None,
    figures: Path | None,
    device: str,
) -> None:
    """Score the model in the folder RUN on the test data of its spec (or else its validation data).

    Tables: how close the prediction is to the truth, beside two answers that need no network; whether the
    predicted error is the real one; how good the predicted distribution is; and the same for sums over blocks
    of pixels and over your own regions, where neighbouring pixels err together.
    """
    from denoisplit import api
    from denoisplit.core.assessment.score_tables import table
    from denoisplit.core.assessment.uncertainty_tables import region_table, sharpness_table, uncertainty_table
    from denoisplit.core.assessment.worth import gains, measure, sentence
    from denoisplit.core.runs.evaluation import FIGURES, write_figures
    from denoisplit.core.storage.atomic import write_text
    from denoisplit.core.storage.label_files import open_labels
    from denoisplit.core.storage.write_guards import require_apart, require_figure, require_ours
    from denoisplit.core.training.data.independence import independence
    from denoisplit.core.training.data.prepare import OTHER_IMAGES, evaluation_data, require_clean

    if figures is not None and figures.is_file():
        raise ImageError(f"{figures}: is a file. Choose a folder for the figures.")
    for path in (*([figure] if figure else []), *(figures / f"{name}.png" for name in FIGURES if figures)):
        require_figure(path, run, *labels)
    if json_path is not None:
        require_apart(json_path, run, *labels)
        require_ours(json_path, "table of scores", lambda beginning: b'"seen_by_the_model"' in beginning)
    names = None if metrics is None else [name.strip() for name in metrics.split(",") if name.strip()]
    loaded = api.load(run, device=device)
    spec = changed_spec(loaded, overrides)
    try:
        data = evaluation_data(spec, ceiling=loaded.bundle.ceiling)
    except ImageError as error:
        if names_images(overrides):
            raise
        raise ImageError(f"{error} {OTHER_IMAGES}") from error
    fields = require_clean(data.fields, str(run))
    given = [raw for raw, field in zip(data.given, data.fields, strict=True) if field.clean is not None]
    known = independence(loaded.bundle, spec, given)
    calibrated_for, loaded = loaded.spec.prediction.orientations, loaded.on(spec)
    marked = [open_labels(path).in_order()[...] for path in labels] if labels else None
    with progress("Evaluating") as tell:
        scores, evaluated = loaded.evaluate(
            fields,
            samples=samples,
            metrics=names,
            further_metrics=further,
            labels=marked,
            progress=tell,
        )
    show(table(scores))
    if scores.uncertainty:
        show(uncertainty_table(scores))
        show(sharpness_table(scores))
    if scores.regions:
        show(region_table(scores))
    for note in (*scores.notes, *known.sentences(data.source)):
        say(note)
    if spec.prediction.orientations != calibrated_for:
        say(f"The calibration of the run is for samples with prediction.orientations: {calibrated_for}.")
    if json_path is not None:
        plain: dict[str, Any] = {"split": data.source, "seen_by_the_model": known.uses, **scores.to_json()}
        write_text(json_path, json.dumps(plain, indent=2, allow_nan=False) + "\n")
        click.echo(f"Numbers: {json_path}")
    if figure is not None:
        api.draw(figure, loaded, evaluated[0], scores)
        click.echo(f"Picture: {figure}")
    if figures is not None:
        for path in write_figures(
            figures, loaded.vse, loaded.spec, evaluated, scores, calibration=loaded.bundle.calibration
        ):
            click.echo(f"Figure: {path}")
    if worth := sentence(gains(scores), measure(scores)):
        say(worth)
