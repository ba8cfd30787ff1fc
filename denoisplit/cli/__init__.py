"""The command line. A command's module is imported only when that command runs."""

import importlib
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import click

from denoisplit.cli.streams import drop_unwritable, escape_unencodable, open_missing
from denoisplit.core.errors import DenoisplitError, SpecError
from denoisplit.core.version import VERSION

COMMANDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "new": ("denoisplit.cli.new", "new", "Look at a folder of images and write a spec for it."),
    "check": ("denoisplit.cli.check", "check", "Check a spec and print it with its defaults."),
    "data": ("denoisplit.cli.data", "data", "Look at the images that a spec names."),
    "train": ("denoisplit.cli.train", "train", "Train a model."),
    "train-sequence": (
        "denoisplit.cli.train_sequence",
        "train_sequence",
        "Train denoisers, then a splitter on what they denoised.",
    ),
    "calibrate": ("denoisplit.cli.calibrate", "calibrate", "Calibrate a run again."),
    "predict": ("denoisplit.cli.predict", "predict", "Split and denoise images."),
    "evaluate": ("denoisplit.cli.evaluate", "evaluate", "Measure a run against known truth."),
    "report": ("denoisplit.cli.report", "report", "Write a report on a run, one HTML page."),
    "demo": ("denoisplit.cli.demo", "demo", "Train and predict on simulated images."),
    "import-checkpoint": (
        "denoisplit.cli.import_checkpoint",
        "import_checkpoint",
        "Import a network of denoiSplit, muSplit, HDN or CAREamics.",
    ),
    "models": ("denoisplit.cli.models", "models", "Show or copy trained networks that come along."),
    "export": ("denoisplit.cli.export", "export", "Write a network for other programs."),
    "schema": ("denoisplit.cli.schema", "schema", "Write the JSON Schema of specs, for editors."),
    "cite": ("denoisplit.cli.cite", "cite", "Print what to cite for a spec, as BibTeX."),
    "plugins": ("denoisplit.cli.plugins", "plugins", "Show the installed components."),
    "info": ("denoisplit.cli.info", "info", "Say what is installed, and what it can compute on."),
}
"""Command name to module, name of the click command in it, and one line of help."""


class LazyGroup(click.Group):
    """A group that lists its commands by name and imports a command when it runs.

    Deliberate errors, and files and streams that cannot be read or written, become lines on stderr and exit
    code 2; an interrupt becomes a line and exit code 130, SIGTERM a line and exit code 143. Where nobody
    reads the output any more (a closed pipe), the command ends silently with exit code 1.
    """

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        open_missing()
        escape_unencodable()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            line = f"{error.filename or 'denoisplit'}: {reason}. Check the path, permissions and space."
            with suppress(OSError):
                click.echo(line, err=True)
            sys.exit(2)
        finally:
            drop_unwritable()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List all commands, in the order of use."""
        del ctx
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a line, or say which one a mistyped word may mean."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from denoisplit.core.errors import did_you_mean

            ctx.fail(f"No such command {args[0]!r}.{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, from a plugin if denoisplit has none of that name; None if there is none."""
        del ctx
        if cmd_name not in COMMANDS:
            from denoisplit.cli.foreign import plugin_command  # looks for plugins

            return plugin_command(cmd_name)
        module, name, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the requested command."""
        from denoisplit.cli.stopping import farewell, terminable  # not needed for help

        try:
            with terminable():
                return super().invoke(ctx)
        except DenoisplitError as error:
            lines = error.problems if isinstance(error, SpecError) else (str(error),)
            for line in lines:
                click.echo(line, err=True)
            ctx.exit(2)
        except MemoryError as error:
            reason = " ".join(str(error).split()) or "nothing more"
            advice = "Close other programs, use smaller images or another computer."
            click.echo(f"denoisplit: the memory is not enough (got: {reason}). {advice}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt as stop:
            line, code = farewell(stop)
            click.echo(line, err=True)
            ctx.exit(code)


_BEGIN: Final = """\b
On simulated images:
  denoisplit demo
With your own images:
  denoisplit new mine.yaml --data images
  denoisplit train mine.yaml --out runs/first
  denoisplit predict runs/first mixed.tif --out split.ome.tif

A spec (mine.yaml) says what to learn, and from which images; a run (runs/first) is the folder of a trained
network. With --help, each command says more.
"""

HELP_WIDTH: Final = 100
"""Largest number of columns of help; lines of prose that are longer are hard to read."""


@click.group(cls=LazyGroup, epilog=_BEGIN, context_settings={"max_content_width": HELP_WIDTH})
@click.version_option(VERSION, prog_name="denoisplit")
def main() -> None:
    """Split superimposed fluorescence images and denoise them in the same step, with uncertainty."""
