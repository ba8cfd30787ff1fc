"""``denoisplit demo``: trains and predicts on simulated images, in a few minutes."""

import json
import os
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from denoisplit.cli.console import messages, override_option, progress, say, show
from denoisplit.cli.paths import PATH
from denoisplit.core.waiting import take_one_thread

FILES: Final = ("mixed.ome.tif", "prediction.ome.tif", "demo.png", "scores.json")
MARK: Final = "demo.txt"


@click.command()
@click.option("--out", type=PATH, default=Path("demo"), show_default=True, help="Folder to write.")
@override_option(
    "Override a value of its spec; another size of the network needs training.start_from=null, too."
)
def demo(out: Path, overrides: tuple[str, ...]) -> None:
    """Simulate two structures, learn to split and denoise their mixture, and show how well it worked."""
    take_one_thread(os.environ)
    from denoisplit import api
    from denoisplit.core.assessment.score_tables import table
    from denoisplit.core.assessment.uncertainty_tables import uncertainty_table
    from denoisplit.core.assessment.worth import gains, measure, sentence
    from denoisplit.core.errors import RunError, quoted
    from denoisplit.core.spec import load_spec
    from denoisplit.core.storage.atomic import write_text
    from denoisplit.core.storage.image_files import save_mixed
    from denoisplit.core.training.data.prepare import evaluation_fields

    if out.exists() and not out.is_dir():
        raise RunError(f"{out}: is a file. Choose another --out.")
    source = files("denoisplit.cli") / "demo.yaml"
    spec = load_spec(Path(str(source)), overrides)
    run_path = out / "run"
    _begin(out)
    if run_path.exists():
        click.echo(f"{run_path}: replaced", err=True)
        shutil.rmtree(run_path)
    click.echo(f"Simulating and training {' + '.join(spec.channels)}; this takes a few minutes.", err=True)
    with messages() as stages:
        run = api.train(spec, run_path, stages=stages)
    _, fields = evaluation_fields(spec, ceiling=run.bundle.ceiling)
    with progress("Evaluating") as tell:
        scores, evaluated = run.evaluate(fields, progress=tell)
    first = evaluated[0]
    mixed, split, picture, numbers = (out / name for name in FILES)
    save_mixed(mixed, first.mixed[0], fields[0].pixel_size)
    with progress(f"Splitting {mixed.name}") as tell:
        run.predict(mixed, progress=tell).save(split)
    write_text(numbers, json.dumps(scores.to_json(), indent=2) + "\n")
    api.draw(picture, run, first, scores)
    show(table(scores))
    show(uncertainty_table(scores))
    say(sentence(gains(scores), measure(scores)))
    click.echo(f"Picture:    {picture}")
    if run.folder.report.is_file():
        click.echo(f"Report:     {run.folder.report}")
    click.echo(f"Images:     {mixed} (input), {split} (output)")
    click.echo(f"Numbers:    {numbers}")
    click.echo(f"Model:      {run.path}")
    command = ("denoisplit", "predict", run.path, mixed, "--out", "again.ome.tif")
    click.echo(f"Try next:   {quoted(command)}")


def _begin(out: Path) -> None:
    """Make the folder, or reuse that of an earlier demo: nothing else is ever replaced."""
    from denoisplit.core.errors import RunError
    from denoisplit.core.storage.atomic import write_text
    from denoisplit.core.storage.run_folder import RunFolder
    from denoisplit.core.storage.write_guards import require_outside_runs

    require_outside_runs(out / MARK)
    run, mark = RunFolder(out / "run"), out / MARK
    made = mark.is_file() and not run.path.is_symlink()
    foreign = run.foreign if made else [path for name in ("run", *FILES) if (path := out / name).exists()]
    if foreign:
        raise RunError(
            f"{out}: holds what 'denoisplit demo' did not make, and would be replaced (got {foreign[0]}). "
            f"Choose another --out."
        )
    write_text(mark, f"'denoisplit demo' made and replaces what is here: {', '.join(FILES)}, run.\n")
