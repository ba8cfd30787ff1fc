"""Calibration of a trained run from clean and from noisy images, and coverage on fields that served neither.

    python -m benchmarks.calibration_w2s RUN [--held-out N] [--samples S] [--seed K]

Prints two tables in Markdown. The run is only read.
"""

from pathlib import Path
from typing import Any, Final

import attrs
import click
import numpy as np
import numpy.typing as npt

import denoisplit
from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.interfaces import Field
from denoisplit.core.network.interfaces import Calibration, Calibrator
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.calibrate import estimated_squares, predicted_moments
from denoisplit.core.training.prepare import evaluation_fields, prepare

CALIBRATORS: Final = ("scale", "affine", "isotonic", "conformal")
LEVELS: Final = (0.5, 0.68, 0.9, 0.95)

AnyArray = npt.NDArray[Any]


@attrs.frozen
class Row:
    """Pixels of several fields [1 c n], counts."""

    mean: AnyArray
    std: AnyArray
    truth: AnyArray
    squares: AnyArray


def rows(vse: VSE, spec: ResolvedSpec, fields: tuple[Field, ...], *, noisy: bool) -> Row:
    """Predict fields, and estimate their squared errors from their noisy images if asked to."""
    parts = []
    for number, field in enumerate(fields):
        mean, std = predicted_moments(vse, spec, field)
        squares, truth = np.full_like(mean, np.nan), np.asarray(field.clean)
        if noisy:
            rng = np.random.default_rng((spec.prediction.seed, number))
            squares = estimated_squares(vse, spec, attrs.evolve(field, clean=None), mean, rng)
        parts.append([array.reshape(1, len(mean), -1) for array in (mean, std, truth, squares)])
    return Row(*(np.concatenate(arrays, axis=2) for arrays in zip(*parts, strict=True)))


def fitted(calibrator: Calibrator, held: Row, origin: str) -> Calibration:
    """Fit to clean references or to noisy images."""
    if origin == "clean":
        return calibrator.fit(held.mean, held.std, held.truth)
    return calibrator.fit_squares(held.std, held.squares)


def coverage(calibrator: Calibrator, calibration: Calibration, row: Row, level: float) -> AnyArray:
    """Share of the pixels of every channel within their interval."""
    low, high = calibrator.interval(calibration, row.mean, row.std, level)
    share: AnyArray = ((low <= row.truth) & (row.truth <= high)).mean((0, 2))
    return share


def table(held: Row, rest: Row, channels: tuple[str, ...]) -> list[str]:
    """Coverage on the rest of every calibrator, from clean and from noisy images."""
    lines = [
        "| calibrator | from | channel | "
        + " | ".join(f"{level:.0%}" for level in LEVELS)
        + " | RMV / RMSE |"
    ]
    lines.append("|---" * (4 + len(LEVELS)) + "|")
    error = np.sqrt(((rest.truth - rest.mean) ** 2).mean((0, 2)))
    for name in CALIBRATORS:
        target = installed_registry().find("calibrator", name).load()
        calibrator: Calibrator = target(target.Options())
        for origin in ("clean", "noisy"):
            try:
                calibration = fitted(calibrator, held, origin)
            except CalibrationError as refused:
                lines.append(f"| {name} | {origin} | refused: {str(refused).partition(' (')[0]} |")
                continue
            shares = np.stack([coverage(calibrator, calibration, rest, level) for level in LEVELS], axis=1)
            ratio = np.sqrt((calibrator.apply(calibration, rest.std) ** 2).mean((0, 2))) / error
            for channel, share, size in zip(channels, shares, ratio, strict=True):
                cells = " | ".join(f"{s:.3f}" for s in share)
                lines.append(f"| {name} | {origin} | {channel} | {cells} | {size:.3f} |")
    return lines


def factors(held: Row, channels: tuple[str, ...]) -> list[str]:
    """The factor of `scale` from clean and from noisy images."""
    target = installed_registry().find("calibrator", "scale").load()
    found = [
        fitted(target(target.Options()), held, origin).parameters["factor"] for origin in ("clean", "noisy")
    ]
    lines = ["| channel | factor, clean | factor, noisy | ratio |", "|---|---|---|---|"]
    for channel, clean, noisy in zip(channels, *found, strict=True):
        lines.append(f"| {channel} | {clean:.4f} | {noisy:.4f} | {noisy / clean:.3f} |")
    return lines


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--held-out", default=0, help="Calibrate on so many test fields; 0: on the validation fields of the run."
)
@click.option("--samples", default=0, help="Posterior samples; 0: those of the run.")
@click.option("--seed", default=0, help="Of the latent noise.")
def main(run: Path, held_out: int, samples: int, seed: int) -> None:
    """Compare calibrations of RUN from clean and from noisy images."""
    loaded = denoisplit.load(run)
    asked = attrs.evolve(loaded.spec.prediction, seed=seed, samples=samples or loaded.spec.prediction.samples)
    spec = attrs.evolve(loaded.spec, prediction=asked)
    test = evaluation_fields(spec)[1]
    held, rest = (test[:held_out], test[held_out:]) if held_out else (prepare(spec).validation, test)
    pixels = rows(loaded.vse, spec, held, noisy=True)
    click.echo(
        f"{len(held)} fields to calibrate on, {len(rest)} to report, {asked.samples} samples, seed {seed}\n"
    )
    click.echo("\n".join([*factors(pixels, spec.channels), ""]))
    click.echo("\n".join(table(pixels, rows(loaded.vse, spec, rest, noisy=False), spec.channels)))


if __name__ == "__main__":
    main()
