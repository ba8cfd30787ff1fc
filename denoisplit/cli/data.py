"""``denoisplit data check``: lists the images of a spec and looks for problems."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from denoisplit.cli.console import override_option, plugin_option, say
from denoisplit.cli.paths import PATH
from denoisplit.core.arrays import Float32Array
from denoisplit.core.spec.resolution import load_spec

if TYPE_CHECKING:
    from denoisplit.core.images.bases import Field, FieldFile
    from denoisplit.core.images.mixing import Mixing
    from denoisplit.core.training.data.data_check import ChannelSummary, DataReport, SplitSummary

_LISTED = 8


@click.group()
def data() -> None:
    """Look at the images that a spec names."""


@data.command("check", short_help="Read all images, and say what is wrong or odd.")
@click.argument("spec", type=PATH)
@override_option("Override a value of the spec; repeatable.")
@click.option("--sheet", type=PATH, help="PNG with thumbnails of the images, to write.")
@click.option("--rows", default=4, show_default=True, help="Fields of every split in the PNG.")
@click.option("--all", "everything", is_flag=True, help="List every field, not only the first of each split.")
@plugin_option
def check_data(
    spec: Path, overrides: tuple[str, ...], sheet: Path | None, rows: int, everything: bool
) -> None:
    """Read all images of SPEC, say what was matched, and what is wrong or odd about it.

    Exit code 2 when the spec cannot be trained with these images; warnings do not change it.
    """
    resolved = load_spec(spec, overrides)
    from denoisplit.core.storage.write_guards import require_apart, require_figure
    from denoisplit.core.training.data.data_check import check_data

    if sheet is not None:
        require_figure(sheet)
    report = check_data(resolved)
    for line in _lines(report, everything=everything):
        say(line)
    if sheet is not None and report.splits:
        require_apart(sheet, *_images(report))
        _draw(report, sheet, max(rows, 1), resolved.data.mixing)
        click.echo(f"\nThumbnails: {sheet}")
    if report.errors:
        click.get_current_context().exit(2)


def _lines(report: "DataReport", *, everything: bool) -> Iterator[str]:
    yield report.supervision
    for split in report.splits:
        yield ""
        count = len(split.fields)
        yield f"{split.name}: {count} field{'s' * (count > 1)}"
        listed = split.fields if everything else split.fields[:_LISTED]
        before: tuple[FieldFile, ...] = ()
        for field in listed:
            yield f"  {field.name}: {_described(field)}"
            # Frames of one stack come from the same files.
            if field.files != before and any(file.channel for file in field.files):
                yield from (
                    f"    {f'{file.role} {file.channel}'.strip()}: {file.path}" for file in field.files
                )
            before = field.files
        if len(listed) < count:
            yield f"  ... and {count - len(listed)} more (--all lists them)"
        yield from _table(split)
    for kind, sentences in (("Warnings", report.warnings), ("Errors", report.errors)):
        if sentences:
            yield ""
            yield f"{kind}:"
            yield from (f"  - {sentence}" for sentence in sentences)
    if not (report.warnings or report.errors):
        yield ""
        yield "Nothing wrong was found."


def _described(field: "Field") -> str:
    """Describe a field: size, pixel size, and what it has besides the noisy channels."""
    from denoisplit.core.images.large_fields import is_large

    parts = [" x ".join(str(side) for side in field.observed.shape[1:]) + " px"]
    if field.pixel_size is not None:
        parts.append(f"{field.pixel_size} per px")
    kinds = sorted({file.dtype for file in field.files if file.dtype})
    if kinds:
        parts.append("/".join(kinds))
    if field.clean is not None:
        parts.append("clean reference")
    if field.repeats is not None:
        parts.append(f"{len(field.repeats)} further exposures")
    if field.mixed is not None:
        parts.append("recorded mixed image")
    if is_large(field):
        parts.append("read piece by piece")
    return ", ".join(parts)


def _table(split: "SplitSummary") -> Iterator[str]:
    width = max([len(channel.name) for channel in split.channels] + [len("counts of")])
    heads = ("lowest", "median", "99 %", "highest", "at highest")
    yield f"  {'counts of':<{width}}  " + "  ".join(f"{head:>10}" for head in heads)
    for channel in split.channels:
        yield f"  {channel.name:<{width}}  " + "  ".join(f"{cell:>10}" for cell in _cells(channel))


def _cells(channel: "ChannelSummary") -> list[str]:
    counts = (channel.lowest, channel.median, channel.bright, channel.highest)
    return [*(f"{value:.6g}" for value in counts), f"{channel.at_highest:.3%}"]


def _draw(report: "DataReport", path: Path, rows: int, mixing: "Mixing") -> None:
    from denoisplit.core.assessment.contact_sheet import SheetRow, contact_sheet
    from denoisplit.core.images.block_walks import picture
    from denoisplit.core.images.derived_images import channel_of, first_of
    from denoisplit.core.images.mixing import mixed_image
    from denoisplit.core.staging import staged

    def pictures(field: "Field") -> "tuple[Float32Array, ...]":
        channels = (channel_of(field.observed, number) for number in range(field.observed.shape[0]))
        return tuple(picture(first_of(image)) for image in (mixed_image(field, mixing), *channels))

    drawn = [
        SheetRow(title=f"{split.name}: {field.name}", images=pictures(field))
        for split in report.splits
        for field in split.fields[:rows]
    ]
    columns = ("mixed", *(channel.name for channel in report.splits[0].channels))
    with staged(path) as temporary:
        contact_sheet(temporary, drawn, columns)


def _images(report: "DataReport") -> Iterator[Path]:
    """Yield the folders of the images, where a written picture would be taken for an image."""
    for split in report.splits:
        for field in split.fields:
            yield from (Path(file.path).parent for file in field.files)
