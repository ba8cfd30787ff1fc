"""Coverage of calibrated intervals on fields that served neither training nor calibration.

    python -m benchmarks.calibration RUN... [--calibrate K] [--splits N] [--samples S] [--seed SEED]

Every test field of a run is predicted once. Then K of them calibrate and the others report, for all choices
of K fields or N random ones: one choice says more about its K fields than about the calibrator. Prints
Markdown. The runs are only read.
"""

from collections.abc import Sequence
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Final

import attrs
import click
import numpy as np

import denoisplit
from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.bases import Field
from denoisplit.core.network.interfaces import Calibration, Calibrator
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.calibration.fit_calibrators import noisy_errors
from denoisplit.core.training.calibration.fit_calibrators import predicted as posterior_of
from denoisplit.core.training.data.prepare import evaluation_fields

CALIBRATORS: Final = ("scale", "affine", "isotonic", "conformal")
LEVELS: Final = (0.5, 0.68, 0.9, 0.95)


@attrs.frozen
class Pixels:
    """Pixels of one field or several [1 c n], counts.

    Attributes:
        mean: posterior mean.
        std: posterior std.
        truth: clean counts.
        squares: squared errors, estimated from noisy images alone.
    """

    mean: AnyArray
    std: AnyArray
    truth: AnyArray
    squares: AnyArray


def predicted(vse: VSE, spec: ResolvedSpec, fields: Sequence[Field]) -> list[Pixels]:
    """Predict fields, and estimate their squared errors from their noisy images."""
    found = []
    for number, field in enumerate(fields):
        posterior = posterior_of(vse, spec, field)
        mean, std = posterior.mean, np.asarray(posterior.std)
        rng = np.random.default_rng((spec.prediction.seed, number))
        squares = noisy_errors(vse, spec, attrs.evolve(field, clean=None), mean, rng).squares()
        arrays = (mean, std, np.asarray(field.clean), squares)
        found.append(Pixels(*(array.reshape(1, len(array), -1) for array in arrays)))
    return found


def together(parts: Sequence[Pixels]) -> Pixels:
    """Join several fields in a row."""
    names = [attribute.name for attribute in attrs.fields(Pixels)]
    return Pixels(*(np.concatenate([getattr(part, name) for part in parts], axis=2) for name in names))


def choices(fields: int, chosen: int, most: int) -> list[tuple[int, ...]]:
    """Return all ways to choose fields, or ``most`` random ones if there are more."""
    if comb(fields, chosen) <= most:
        return list(combinations(range(fields), chosen))
    rng = np.random.default_rng(0)
    return [tuple(sorted(rng.choice(fields, chosen, replace=False).tolist())) for _ in range(most)]


def fitted(calibrator: Calibrator, held: Pixels, origin: str) -> Calibration:
    """Fit to clean references or to noisy images."""
    if origin == "clean":
        return calibrator.fit(held.mean, held.std, held.truth)
    return calibrator.fit_squares(held.std, held.squares)


def coverage(calibrator: Calibrator, calibration: Calibration, rest: Pixels) -> AnyArray:
    """Return the fraction of the pixels within their interval [c levels]."""
    shares = []
    for level in LEVELS:
        low, high = calibrator.interval(calibration, rest.mean, rest.std, level)
        shares.append(((low <= rest.truth) & (rest.truth <= high)).mean((0, 2)))
    return np.stack(shares, axis=1)


def table(fields: Sequence[Pixels], channels: tuple[str, ...], held: int, most: int) -> list[str]:
    """Tabulate the mean coverage over the choices, and its standard deviation between choices."""
    splits = choices(len(fields), held, most)
    lines = [
        f"{len(splits)} choices of {held} fields to calibrate on and {len(fields) - held} to report on",
        "",
        "| calibrator | from | channel | " + " | ".join(f"{level:.0%}" for level in LEVELS) + " |",
        "|---" * (3 + len(LEVELS)) + "|",
    ]
    for name in CALIBRATORS:
        target = installed_registry().find("calibrator", name).load()
        calibrator: Calibrator = target(target.Options())
        for origin in ("clean", "noisy"):
            shares = []
            try:
                for split in splits:
                    calibration = fitted(calibrator, together([fields[i] for i in split]), origin)
                    rest = together([field for i, field in enumerate(fields) if i not in split])
                    shares.append(coverage(calibrator, calibration, rest))
            except CalibrationError as refused:
                lines.append(f"| {name} | {origin} | refused: {str(refused).partition(' (')[0]} |")
                continue
            for c, channel in enumerate(channels):
                cells = (
                    f"{mean:.3f} ± {spread:.3f}"
                    for mean, spread in zip(np.mean(shares, 0)[c], np.std(shares, 0)[c], strict=True)
                )
                lines.append(f"| {name} | {origin} | {channel} | {' | '.join(cells)} |")
    return lines


def factors(fields: Sequence[Pixels], channels: tuple[str, ...]) -> list[str]:
    """Tabulate the factor of `scale` from all fields, from clean and from noisy images."""
    target = installed_registry().find("calibrator", "scale").load()
    everything = together(fields)
    found = [
        fitted(target(target.Options()), everything, origin).parameters["factor"]
        for origin in ("clean", "noisy")
    ]
    lines = ["| channel | factor, clean | factor, noisy | ratio |", "|---|---|---|---|"]
    for channel, clean, noisy in zip(channels, *found, strict=True):
        lines.append(f"| {channel} | {clean:.4f} | {noisy:.4f} | {noisy / clean:.3f} |")
    return lines


@click.command()
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--calibrate", default=3, show_default=True, help="Number of test fields to calibrate on.")
@click.option("--splits", default=40, show_default=True, help="Largest number of choices of fields.")
@click.option("--samples", default=0, help="Posterior samples; 0: those of the run.")
@click.option("--seed", default=0, show_default=True, help="Seed of the latent noise.")
def main(runs: tuple[Path, ...], calibrate: int, splits: int, samples: int, seed: int) -> None:
    """Compare calibrations of RUNS from clean and from noisy images."""
    for run in runs:
        loaded = denoisplit.load(run)
        asked = attrs.evolve(
            loaded.spec.prediction, seed=seed, samples=samples or loaded.spec.prediction.samples
        )
        spec = attrs.evolve(loaded.spec, prediction=asked)
        fields = predicted(loaded.vse, spec, evaluation_fields(spec)[1])
        click.echo(f"training seed {spec.training.seed}, {asked.samples} samples, latent seed {seed}\n")
        click.echo("\n".join([*factors(fields, spec.channels), ""]))
        click.echo("\n".join([*table(fields, spec.channels, calibrate, splits), ""]))


if __name__ == "__main__":
    main()
