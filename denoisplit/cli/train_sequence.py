"""``denoisplit train-sequence``: trains denoisers, then a splitter, from two specs into one folder."""

from pathlib import Path

import click

from denoisplit.cli.console import messages, override_option, plugin_option, plugin_words, show, tell_next
from denoisplit.cli.device import device_option, device_words
from denoisplit.cli.paths import PATH
from denoisplit.cli.stopping import continued_by


@click.command(name="train-sequence")
@click.argument("denoise", type=PATH)
@click.argument("split", type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder to write.")
@override_option("Override a value of both specs; repeatable.")
@override_option("Override a value of DENOISE; repeatable.", "--set-denoise", "denoise_overrides")
@override_option("Override a value of SPLIT; repeatable.", "--set-split", "split_overrides")
@device_option
@plugin_option
@click.option("--resume", is_flag=True, help="Continue an interrupted sequence; finished runs are kept.")
def train_sequence(
    denoise: Path,
    split: Path,
    out: Path,
    overrides: tuple[str, ...],
    denoise_overrides: tuple[str, ...],
    split_overrides: tuple[str, ...],
    resume: bool,
    device: str,
) -> None:
    """Train denoisers, then a splitter on the images that they denoised.

    Both are spec files. SPLIT describes the splitter and its noisy images, DENOISE the denoisers: one for
    every channel and one for the mixed image. OUT gets a run folder for each, the denoised images, and
    summary.json. It can be given to 'denoisplit predict'.
    """
    from denoisplit.core.assessment.score_tables import table
    from denoisplit.core.assessment.uncertainty_tables import uncertainty_table
    from denoisplit.core.runs.sequence_training import train_sequence as train
    from denoisplit.core.storage.sequence_folder import SequenceFolder
    from denoisplit.core.storage.write_guards import require_outside_runs

    require_outside_runs(out)

    changes = {"--set": overrides, "--set-denoise": denoise_overrides, "--set-split": split_overrides}
    options = [word for name, values in changes.items() for value in values for word in (name, value)]
    options += [*plugin_words(), *device_words(device)]
    command = ("denoisplit", "train-sequence", str(denoise), str(split), "--out", str(out), *options)
    with messages() as stages, continued_by(*command, "--resume", of=SequenceFolder(out).record):
        run = train(
            denoise,
            split,
            out,
            denoise_overrides=(*overrides, *denoise_overrides),
            split_overrides=(*overrides, *split_overrides),
            resume=resume,
            stages=stages,
            device=device,
        )
    if run.scores is not None:
        show(table(run.scores))
        if run.scores.uncertainty:
            show(uncertainty_table(run.scores))
    click.echo(f"Trained: {out}")
    click.echo(f"Summary: {run.folder.summary}")
    tell_next(out)
