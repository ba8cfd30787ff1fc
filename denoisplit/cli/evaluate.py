"""``denoisplit evaluate``: scores against known truth, beside trivial answers."""

import json
from pathlib import Path

import click

from denoisplit.cli.console import progress, show
from denoisplit.core.errors import ImageError


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--samples", type=click.IntRange(min=1), help="Posterior samples.  [default: the run's, usually 50]"
)
@click.option(
    "--set", "overrides", multiple=True, metavar="A.B=C", help="Override a value of the run's spec."
)
@click.option(
    "--metrics",
    metavar="NAMES",
    help="Scores, separated by commas: psnr, range_invariant_psnr, ssim, ms_ssim (the default), "
    "ssim_uniform, range_invariant_ms_ssim, ms_ssim_pooled, care_ms_ssim, pearson; micro_ssim and "
    "micro_ms3im need denoisplit[micro].",
)
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Also write all numbers to this file."
)
@click.option(
    "--figure", type=click.Path(path_type=Path), help="Also write a picture of the first field (PNG)."
)
def evaluate(
    run: Path,
    samples: int | None,
    overrides: tuple[str, ...],
    metrics: str | None,
    json_path: Path | None,
    figure: Path | None,
) -> None:
    """Score the model in the folder RUN on the test data of its spec (or else its validation data)."""
    from denoisplit import api
    from denoisplit.core.assessment.score_tables import table, uncertainty_table
    from denoisplit.core.spec import load_spec
    from denoisplit.core.storage.atomic import write_text
    from denoisplit.core.training.prepare import evaluation_fields, require_clean, require_same_range

    if figure is not None and figure.suffix.lower() != ".png":
        raise ImageError(f"{figure}: a picture is a PNG. Choose a name that ends in .png.")
    names = None if metrics is None else [name.strip() for name in metrics.split(",") if name.strip()]
    loaded = api.load(run)
    spec = load_spec(loaded.folder.spec, overrides) if overrides else loaded.spec
    require_same_range(spec, loaded.spec)
    split, fields = evaluation_fields(spec, ceiling=loaded.bundle.ceiling)
    with progress("Predicting") as tell:
        scores, evaluated = loaded.evaluate(
            require_clean(fields, str(run)), samples=samples, metrics=names, progress=tell
        )
    show(table(scores))
    if scores.uncertainty:
        show(uncertainty_table(scores))
    if split != "test":
        click.echo(
            "These fields also served for early stopping and calibration. "
            "Name a data.test for independent numbers."
        )
    if json_path is not None:
        write_text(json_path, json.dumps({"split": split, **scores.to_json()}, indent=2) + "\n")
        click.echo(f"Numbers: {json_path}")
    if figure is not None:
        api.draw(figure, loaded, evaluated[0], scores)
        click.echo(f"Picture: {figure}")
