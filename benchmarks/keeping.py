"""Comparison of rules for keeping weights of a training with the best weights.

    python -m benchmarks.keeping train FOLDER [--seed SEED] [--full]
    python -m benchmarks.keeping score FOLDER ...

`train` trains `examples/w2s/split.yaml` (DENOISPLIT_DATA names the folder of the images) in a reduced form,
or as it is with `--full`, and stores the weights of every validation. `score` measures them all on the test
fields, which have clean references, and prints what every rule would have kept, and how much better the best
weights were.
"""

import csv
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import click
import numpy as np
import torch
from safetensors.torch import load_file, save_file

import denoisplit
from benchmarks.quality import SPEC
from denoisplit.core.assessment.image_scores import range_invariant_psnr
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.spec import load_spec
from denoisplit.core.spec.records import PredictionSpec, ResolvedSpec
from denoisplit.core.training.data.batches import validation_loader
from denoisplit.core.training.data.prepare import evaluation_fields, prepare
from denoisplit.core.training.watchers.watching import Moment, Watcher

REDUCED: Final = (
    "model.encoder.width=16",
    "model.decoder.latent_channels=16",
    "training.steps=2000",
    "training.batch=4",
    "training.patch=128",
    "training.validate_every=100",
    "training.checkpoint_every=500",
)
SAMPLES: Final = 16
"""Samples of a prediction; 50 give about 0.1 dB more, for good and bad weights alike."""

DRAWS: Final = 8
"""Posterior samples of a validation that takes several."""


class AllWeights(Watcher):
    """Stores the weights of every validation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def validated(self, now: Moment) -> None:
        """Write one file, named by the step."""
        self._folder.mkdir(parents=True, exist_ok=True)
        weights = now.vse.state_dict()
        save_file(
            {name: tensor.contiguous() for name, tensor in weights.items()},
            self._folder / f"{now.step:06}.safetensors",
        )


@attrs.frozen
class Point:
    """The weights of one validation.

    Attributes:
        step: optimiser steps done.
        psnr: range-invariant PSNR per channel, mean over the test fields, dB.
        loss: distortion of one posterior sample of the validation fields, as the training saw it.
        distortion: the same for several samples.
        objective: the same plus the weighted rate.
    """

    step: int
    psnr: tuple[float, ...]
    loss: float
    distortion: float
    objective: float

    @property
    def mean(self) -> float:
        """Mean PSNR over channels, dB."""
        return float(np.mean(self.psnr))


def train(folder: Path, overrides: Sequence[str]) -> None:
    """Train into ``run`` of a folder, with all weights in ``weights``."""
    spec = load_spec(SPEC, overrides)
    denoisplit.train(spec, folder / "run", watchers=[AllWeights(folder / "weights")])


def points(folder: Path, *, samples: int = SAMPLES) -> tuple[Point, ...]:
    """Measure all validations of a training, and write them to ``points.json`` beside it."""
    kept = folder / "points.json"
    if kept.is_file():
        return tuple(
            Point(**{**one, "psnr": tuple(one["psnr"])}) for one in json.loads(kept.read_text("utf-8"))
        )
    run = denoisplit.load(folder / "run")
    with (folder / "run" / "metrics.csv").open(newline="", encoding="utf-8") as file:
        losses = {int(row["step"]): float(row["val_loss"]) for row in csv.DictReader(file)}
    found = tuple(_measured(run.vse, run.spec, folder, losses, samples))
    kept.write_text(json.dumps([attrs.asdict(one) for one in found], indent=1), encoding="utf-8")
    return found


def _measured(
    vse: VSE, spec: ResolvedSpec, folder: Path, losses: Mapping[int, float], samples: int
) -> Iterator[Point]:
    fields = evaluation_fields(spec)[1]
    crops = list(validation_loader(prepare(spec).validation, spec.data.mixing))
    for file in sorted((folder / "weights").glob("*.safetensors")):
        vse.load_state_dict(load_file(file))
        scores = []
        for field in fields:
            mean = predict(
                vse, mixed_image(field, spec.data.mixing)[0], PredictionSpec(samples=samples, seed=0)
            ).mean
            scores.append(
                [range_invariant_psnr(t, m) for m, t in zip(mean, np.asarray(field.clean), strict=True)]
            )
        terms = []
        with torch.no_grad():
            for draw in range(DRAWS):
                for number, (mixed, targets) in enumerate(crops):
                    noise = GeneratorNoise(torch.Generator().manual_seed(1000 * draw + number))
                    weight = vse.kl_scheme.weight
                    loss = vse.loss(mixed, targets, noise, kl_weight=weight, channel_weights=())
                    terms.append([float(loss.distortion), float(loss.total)])
        distortion, objective = np.mean(terms, axis=0)
        step = int(file.stem)
        yield Point(step, tuple(np.mean(scores, axis=0)), losses[step], float(distortion), float(objective))
        logging.getLogger("denoisplit").info("scored step %d", step)


def lowest(values: Sequence[float]) -> int:
    """Return the index of the lowest value, the first of equals."""
    return int(np.argmin(values))


def lowest_average(values: Sequence[float], width: int = 3) -> int:
    """Return the last index of the ``width`` consecutive validations with the lowest average."""
    return width - 1 + int(np.argmin(np.convolve(values, np.ones(width) / width, mode="valid")))


RULES: Final[Mapping[str, Callable[[Sequence[Point]], int]]] = {
    "lowest loss of one sample": lambda c: lowest([p.loss for p in c]),
    f"lowest loss of {DRAWS} samples": lambda c: lowest([p.distortion for p in c]),
    "lowest average of 3 losses of one sample": lambda c: lowest_average([p.loss for p in c]),
    f"lowest average of 3 losses of {DRAWS} samples": lambda c: lowest_average([p.distortion for p in c]),
    f"lowest objective of {DRAWS} samples": lambda c: lowest([p.objective for p in c]),
    f"lowest average of 3 objectives of {DRAWS} samples": lambda c: lowest_average([p.objective for p in c]),
    "last": lambda c: len(c) - 1,
}
"""Rules by name: functions from the validations of a training to the number of the one to keep."""


def table(trainings: Sequence[Sequence[Point]]) -> str:
    """Tabulate in Markdown, for every rule, the kept steps, their PSNR, and the regret to the best."""
    lines = ["| kept | step | PSNR (dB) | regret (dB) | worst regret |", "|---|---|---|---|---|"]
    best = [lowest([-p.mean for p in curve]) for curve in trainings]
    for name, chosen in {
        "best of all (needs clean images)": best,
        **{name: [rule(curve) for curve in trainings] for name, rule in RULES.items()},
    }.items():
        kept = [curve[i] for curve, i in zip(trainings, chosen, strict=True)]
        regrets = [curve[b].mean - p.mean for curve, b, p in zip(trainings, best, kept, strict=True)]
        steps = ", ".join(str(p.step) for p in kept)
        psnr = ", ".join(f"{p.mean:.2f}" for p in kept)
        lines.append(f"| {name} | {steps} | {psnr} | {np.mean(regrets):.2f} | {max(regrets):.2f} |")
    return "\n".join(lines)


@click.group(help="Which weights of a training are the best ones, and which ones a rule would keep.")
def main() -> None:
    """Train, or score a finished training."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)


@main.command("train")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", default=0, show_default=True)
@click.option("--full", is_flag=True, help="The example as it is: about an hour of one core.")
@click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Override a value of the spec.")
def train_command(folder: Path, seed: int, full: bool, overrides: tuple[str, ...]) -> None:
    """Train into FOLDER and keep the weights of every validation."""
    reduced = () if full else REDUCED
    train(folder, [*reduced, *overrides, f"training.seed={seed}"])


@main.command("score")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--samples", default=SAMPLES, show_default=True, help="Posterior samples of a prediction.")
def score_command(folders: tuple[Path, ...], samples: int) -> None:
    """Measure all weights in FOLDERS, and print the curves and what every rule keeps."""
    trainings = [points(folder, samples=samples) for folder in folders]
    for folder, curve in zip(folders, trainings, strict=True):
        click.echo(f"{folder.name}: step, PSNR (dB) per channel, loss, distortion, objective")
        for p in curve:
            psnr = " ".join(f"{value:.2f}" for value in p.psnr)
            click.echo(f"{p.step:6} {psnr} {p.loss:.4f} {p.distortion:.4f} {p.objective:.4f}")
    click.echo(table(trainings))


if __name__ == "__main__":
    main()
