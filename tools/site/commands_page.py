"""The page of the command line, from the help of the commands."""

import re
from collections.abc import Iterator
from typing import Final

import click

from denoisplit.cli import main

_HEAD: Final = """\
# Command line

What `denoisplit COMMAND --help` says, on one page. Exit codes: 0 for success; 1 where some of many images
failed; 2 for something to correct, with a line that says what; 3 for an unusual image with
`predict --strict`; 130 and 143 after Ctrl-C and SIGTERM.
"""


def page() -> str:
    """Return the whole page, Markdown."""
    return "\n".join([_HEAD, *_sections(main, click.Context(main, info_name="denoisplit"), 2)])


def _sections(group: click.Group, context: click.Context, depth: int) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield f"{'#' * depth} {inner.command_path.removeprefix('denoisplit ')}\n"
        yield _section(command, inner)
        if isinstance(command, click.Group):
            yield from _sections(command, inner, depth + 1)


def _section(command: click.Command, context: click.Context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    paragraphs = [_escaped(" ".join(part.split())) for part in (command.help or "").split("\n\n")]
    records = [record for one in command.params if (record := one.get_help_record(context))]
    options = [
        f"`{names}`\n:   {_escaped(meaning)}\n"
        for names, meaning in records
        if meaning and names != "--help"  # arguments are explained by the text
    ]
    examples = [f"```text\n{one.strip()}\n```" for one in (command.epilog or "").split("\b\n") if one]
    return "\n\n".join([f"```text\n{usage}\n```", *paragraphs, *examples, *options]) + "\n"


def _escaped(text: str) -> str:
    """Text of a terminal, where no sign means anything."""
    return re.sub(r"([\\`*_<>\[\]$|#])", r"\\\1", text.replace("\b", ""))
