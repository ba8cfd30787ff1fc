"""Commands of plugins, see ``denoisplit_commands`` of ``denoisplit/core/registry/hookspecs.py``."""

from collections.abc import Mapping

import click

from denoisplit.core.errors import BrokenPluginError, DuplicateNameError
from denoisplit.core.registry.contract import imported
from denoisplit.core.registry.registry import installed_registry


def plugin_command(name: str) -> click.Command | None:
    """Import the command of a plugin; None when no plugin has one of this name.

    Raises:
        DuplicateNameError: several packages have one.
        BrokenPluginError: it cannot be imported, or is not a click command.
    """
    answers = installed_registry().plugins.call("denoisplit_commands")
    found = {
        package: commands[name]
        for package, commands in answers
        if isinstance(commands, Mapping) and name in commands
    }
    if len(found) > 1:
        raise DuplicateNameError(
            f"command {name}: offered by the packages {' and '.join(found)}. Remove or disable one of them."
        )
    for package, target in found.items():
        try:
            command = imported(str(target))
        except (Exception, SystemExit) as error:
            raise BrokenPluginError(
                f"command {name} of {package}: {target} cannot be imported "
                f"({type(error).__name__}: {error}). "
                f"Update or remove the package."
            ) from error
        if not isinstance(command, click.Command):
            raise BrokenPluginError(
                f"command {name} of {package}: {target} is not a click command (got {command!r}). "
                f"Decorate it."
            )
        return command
    return None
