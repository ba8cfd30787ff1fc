"""Coverage of intervals that were calibrated on few fields, for many choices of them.

    python -m benchmarks.few_fields RUN... [--calibrate K] [--choices N] [--samples S]

All test and validation fields of a run are predicted once, and the training fields. Then K of the former
calibrate and all others report. Prints Markdown: the mean over the choices, how much they vary, and how many
are near the level. The runs are only read. A run that trains on few fields, with many for the test, tells
most: `--set data.train.path=... --set data.test.path=...` when it is trained.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import click
import numpy as np

import denoisplit
from benchmarks.calibration import choices
from denoisplit.core.arrays import Float64Array
from denoisplit.core.assessment.coverage import gaussian_crps
from denoisplit.core.network.calibrating import calibrated_std, fit_fields
from denoisplit.core.network.interfaces import (
    AnyCalibrator,
    Calibrator,
    FieldCalibrator,
    FieldSums,
    SumCalibrator,
)
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.samples.sums_over import SumsOver
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.sums.divisions import block_division
from denoisplit.core.sums.tile_sums import gathered_sums
from denoisplit.core.training.calibration.calibrate_sums import HeldOut
from denoisplit.core.training.calibration.fit_calibrators import predicted
from denoisplit.core.training.data.prepare import evaluation_fields, served_fields
from denoisplit.plugins.calibrators.by_field import ByField
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.region import Region
from denoisplit.plugins.calibrators.scale import Scale

LEVEL: Final = 0.9
SIDES: Final = (4, 16, 64)
MOST: Final = 4096
"""Most pixels and blocks of a field that count, drawn at random: fields differ by far more than by chance."""
NEAR: Final = {1: 0.03, **dict.fromkeys(SIDES, 0.05)}
"""By side of the region: how far a coverage may be from the level."""

FOR_PIXELS: Final[Mapping[str, Calibrator]] = {
    "scale": Scale(Scale.Options()),
    "conformal": Conformal(Conformal.Options()),
    "by_field, seen: 0": ByField(ByField.Options(seen=0)),
    "by_field": ByField(ByField.Options()),
}
FOR_SUMS: Final[Mapping[str, SumCalibrator]] = {
    "region": Region(Region.Options(sides=SIDES)),
    "by_field, seen: 0": ByField(ByField.Options(sides=SIDES, seen=0)),
    "by_field": ByField(ByField.Options(sides=SIDES)),
}


@attrs.frozen(eq=False)
class Known:
    """A predicted field: its pixels, and its sums over blocks of every size."""

    pixels: FieldSums
    sums: tuple[FieldSums, ...]


@attrs.frozen
class Outcome:
    """One choice of fields, one channel.

    Attributes:
        covered: share of the regions of the other fields within their interval, every field counting alike.
        width: mean width of the interval, counts.
        crps: of a Gaussian with the calibrated std, counts; NaN for sums.
        ratio: calibrated over real error, roots of means of squares; NaN for sums.
    """

    covered: float
    width: float
    crps: float
    ratio: float


def known_fields(vse: VSE, spec: ResolvedSpec) -> Iterator[Known]:
    """Predict all fields of a run: test, validation, and training fields, which are marked as seen."""
    train, validation, _ = served_fields(spec)
    rng = np.random.default_rng(0)
    named = [(field, False) for field in (*validation, *evaluation_fields(spec)[1])]
    for field, seen in (*named, *((field, True) for field in train)):
        divisions = [
            one for side in SIDES if (one := block_division(field.observed.shape[1:], side)) is not None
        ]
        found = predicted(vse, spec, field, [SumsOver([divisions])])
        sums = tuple(zip(divisions, gathered_sums(divisions, found.facts), strict=True))
        held = HeldOut(
            field=field, mean=found.mean, std=np.asarray(found.std), sums=sums, errors=None, seen=seen
        )
        yield Known(thinned(held.field_pixels(), rng), tuple(thinned(one, rng) for one in held.field_sums()))


def thinned(field: FieldSums, rng: np.random.Generator) -> FieldSums:
    """Draw at most ``MOST`` of the regions of a field with a truth."""
    count = field.std.shape[1]
    chosen = rng.choice(count, min(MOST, count), replace=False)
    truth = None if field.truth is None else field.truth[:, chosen]
    return attrs.evolve(field, mean=field.mean[:, chosen], std=field.std[:, chosen], truth=truth)


def of_pixels(
    calibrator: Calibrator, held: Sequence[Known], seen: Sequence[Known], rest: Sequence[Known]
) -> list[Outcome]:
    """Calibrate on the pixels of fields, and report on others; one outcome per channel."""
    fields = [one.pixels for one in (*held, *seen[: most(calibrator)])]
    calibration = fit_fields(calibrator, fields)
    found = []
    for one in rest:
        mean, std, truth = (array[None] for array in (one.pixels.mean, one.pixels.std, truth_of(one.pixels)))
        low, high = calibrator.interval(calibration, mean, std, LEVEL)
        after = calibrated_std(calibrator, calibration, mean, std)
        inside = (low <= truth) & (truth <= high)
        found.append(
            [
                (
                    inside[0, c].mean(),
                    (high - low)[0, c].mean(),
                    gaussian_crps(mean[0, c], after[0, c], truth[0, c]),
                    (after[0, c].astype(np.float64) ** 2).mean(),
                    ((truth - mean)[0, c].astype(np.float64) ** 2).mean(),
                )
                for c in range(mean.shape[1])
            ]
        )
    covered, width, crps, variance, square = np.moveaxis(np.mean(found, axis=0), -1, 0)
    rows = zip(covered, width, crps, np.sqrt(variance / square), strict=True)
    return [Outcome(*(float(number) for number in row)) for row in rows]


def of_sums(
    calibrator: SumCalibrator, held: Sequence[Known], seen: Sequence[Known], rest: Sequence[Known]
) -> dict[int, list[Outcome]]:
    """Calibrate on sums, and report on other fields: by side, one outcome per channel."""
    calibration = calibrator.fit_regions([one.sums for one in (*held, *seen[: most(calibrator)])])
    found: dict[int, list[Outcome]] = {}
    for number, side in enumerate(SIDES):
        for channel in range(len(rest[0].pixels.std)):
            interval = calibrator.sum_interval(calibration, channel=channel, pixels=side**2, level=LEVEL)
            half = interval.half_width or 0.0
            fields = [one.sums[number] for one in rest]
            inside = [(np.abs(truth_of(one) - one.mean) <= half * one.std)[channel].mean() for one in fields]
            width = float(np.mean([2 * half * one.std[channel].mean() for one in fields]))
            found.setdefault(side, []).append(Outcome(float(np.mean(inside)), width, np.nan, np.nan))
    return found


def most(calibrator: AnyCalibrator) -> int:
    """Number of training fields that it takes."""
    return calibrator.most_seen if isinstance(calibrator, FieldCalibrator) else 0


def truth_of(field: FieldSums) -> Float64Array:
    """The truth of a field that has one."""
    if field.truth is None:
        raise ValueError("a field without a clean reference cannot report")
    return np.asarray(field.truth, dtype=np.float64)


def table(fields: Sequence[Known], channels: Sequence[str], calibrate: int, most_choices: int) -> list[str]:
    """Tabulate all calibrators."""
    held = [one for one in fields if not one.pixels.seen]
    seen = [one for one in fields if one.pixels.seen]
    ways = choices(len(held), calibrate, most_choices)
    splits = [([held[i] for i in way], [one for i, one in enumerate(held) if i not in way]) for way in ways]
    lines = [
        f"{len(ways)} choices of {calibrate} of {len(held)} fields; {len(seen)} training fields",
        "",
        "| region | calibrator | channel | coverage | near | width | CRPS | std ratio |",
        "|---" * 8 + "|",
    ]
    for name, calibrator in FOR_PIXELS.items():
        found = [of_pixels(calibrator, some, seen, rest) for some, rest in splits]
        lines += rows("pixel", 1, name, channels, found)
    for name, of_regions in FOR_SUMS.items():
        every = [of_sums(of_regions, some, seen, rest) for some, rest in splits]
        for side in SIDES:
            lines += rows(f"{side} px", side, name, channels, [one[side] for one in every])
    return lines


def rows(
    region: str, side: int, name: str, channels: Sequence[str], found: Sequence[Sequence[Outcome]]
) -> list[str]:
    """Lines of one calibrator, one per channel, of the outcomes of all choices."""
    lines = []
    for c, channel in enumerate(channels):
        own = [one[c] for one in found]
        covered = np.array([one.covered for one in own])
        near = (np.abs(covered - LEVEL) <= NEAR[side]).mean()
        rest = [float(np.mean([getattr(one, name) for one in own])) for name in ("width", "crps", "ratio")]
        cells = " | ".join("" if np.isnan(number) else f"{number:.3g}" for number in rest)
        spread = f"{covered.mean():.3f} ± {covered.std():.3f}"
        lines.append(f"| {region} | `{name}` | {channel} | {spread} | {near:.2f} | {cells} |")
    return lines


@click.command()
@click.argument(
    "runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--calibrate", default=3, show_default=True, help="Number of fields to calibrate on.")
@click.option("--choices", "most_choices", default=100, show_default=True, help="Most choices of fields.")
@click.option("--samples", default=16, show_default=True, help="Posterior samples.")
def main(runs: tuple[Path, ...], calibrate: int, most_choices: int, samples: int) -> None:
    """Compare calibrators of RUNS on few fields."""
    for run in runs:
        loaded = denoisplit.load(run)
        asked = attrs.evolve(loaded.spec.prediction, seed=0, samples=samples)
        spec = attrs.evolve(loaded.spec, prediction=asked)
        fields = list(known_fields(loaded.vse, spec))
        click.echo("\n".join([*table(fields, spec.channels, calibrate, most_choices), ""]))


if __name__ == "__main__":
    main()
