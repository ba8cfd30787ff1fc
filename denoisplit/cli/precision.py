"""``denoisplit predict --check-precision``: effect of the precision of a network on an image."""

from pathlib import Path

import click
import rich.table

from denoisplit.cli.console import progress, show
from denoisplit.core.errors import RunError
from denoisplit.core.prediction.precision_cost import LEVELS, ChannelCost, PrecisionCost
from denoisplit.core.runs.run import load
from denoisplit.core.storage.sequence_folder import SequenceFolder


def show_precision(
    run: Path,
    image: Path,
    *,
    device: str,
    clean: Path | None,
    samples: int | str | None,
    seed: int | None,
    tile: int | None,
    axes: str | None,
) -> None:
    """Predict in both precisions and print a table.

    Raises:
        RunError: a sequence of two runs.
        DenoisplitError: see ``Run.check_precision``.
    """
    if isinstance(samples, str):
        raise click.UsageError(f"--check-precision needs a number of --samples (got {samples}).")
    folder = SequenceFolder(run)
    if folder.record.is_file():
        raise RunError(
            f"{run}: a sequence has two networks (got {folder.splitter.path.name} and a denoiser). "
            f"Check them one by one, for example {folder.splitter.path}."
        )
    loaded = load(run, device=device)
    with progress("Predicting twice") as tell:
        cost = loaded.check_precision(
            image, clean=clean, samples=samples, seed=seed, tile=tile, axes=axes, progress=tell
        )
    show(_table(cost))
    click.echo(f"{cost.samples} samples of {_pixels(cost)}, the same noise. Coverage: of {cost.truth}.")


def _pixels(cost: PrecisionCost) -> str:
    """Describe the part of the image that was compared."""
    compared, whole = (" x ".join(map(str, sides)) for sides in (cost.shape, cost.whole))
    at = f" at {cost.position}" if cost.position else ""
    return f"{compared} pixels{at}" if compared == whole else f"the central {compared} of {whole} pixels{at}"


def _table(cost: PrecisionCost) -> rich.table.Table:
    table = rich.table.Table(title=f"{cost.precision} against float32")
    table.add_column("")
    for channel in cost.channels:
        table.add_column(channel.name, justify="right")
    for row in zip(*(_rows(channel, cost.precision) for channel in cost.channels), strict=True):
        table.add_row(row[0][0], *(value for _, value in row))
    return table


def _rows(channel: ChannelCost, precision: str) -> list[tuple[str, str]]:
    """Return the rows about a channel: heading and text."""
    rows = []
    if channel.psnr is not None and channel.psnr_change is not None:
        exact, fast = channel.psnr
        rows.append((f"range-invariant PSNR, float32 / {precision} (dB)", f"{exact:.2f} / {fast:.2f}"))
        rows.append(("change of it (dB)", f"{channel.psnr_change:+.3f}"))
    rows.append((f"PSNR of the {precision} mean against the float32 mean (dB)", f"{channel.agreement:.1f}"))
    rows.append((f"std, {precision} / float32", f"{channel.std_ratio:.4f}"))
    for level, (exact, fast) in zip(LEVELS, channel.coverage, strict=True):
        change = f"{100 * fast:.1f} %, {100 * (fast - exact):+.2f}"
        rows.append((f"within {level:.0%}, change (points)", change))
    return rows
