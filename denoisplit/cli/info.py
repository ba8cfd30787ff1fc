"""``denoisplit info``: what is installed, and what it can compute on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import attrs
import click

from denoisplit.cli.console import plugin_option, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from denoisplit.core.surroundings import Device, Library, Surroundings

PAGE: Final = "docs/install.md"
WIDTH: Final = 12
"""Columns of the names of rows."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@plugin_option
def info(as_json: bool) -> None:
    """Say what is installed here and what it can compute on.

    Versions, the devices that --device may name and which of them auto takes, threads and the settings that
    change them, libraries, plugins, and folders. Nothing is computed. For reports of problems: the output has
    no file names but those of the environment and the home folder.
    """
    from denoisplit.core.registry.registry import installed_registry
    from denoisplit.core.surroundings import surroundings

    found = surroundings(installed_registry())
    if as_json:
        click.echo(json.dumps(attrs.asdict(found), indent=2, ensure_ascii=False))
        return
    for name, text in _rows(found):
        say(f"{name:{WIDTH}}{text}", hanging=WIDTH)
    for line in _advice(found):
        say(line)


def _rows(found: Surroundings) -> Iterator[tuple[str, str]]:
    yield "denoisplit", found.denoisplit
    yield "Python", f"{found.python} in {found.environment}"
    yield "system", found.system
    yield "PyTorch", f"{found.torch}, built for {found.gpu_build or 'processors alone'}"
    for device in found.devices:
        taken = " <- auto" if device.name in (found.auto, f"{found.auto}:0") else ""
        yield "device", f"{device.name}{_described(device)}{taken}"
    yield "threads", f"{found.threads} on {found.cores or 'an unknown number of'} cores"
    yield "settings", ", ".join(f"{name}={value}" for name, value in found.settings.items()) or "none"
    needed = [library for library in found.libraries if not library.extras]
    yield "libraries", ", ".join(map(_library, needed)) or "unknown: not installed as a package"
    if optional := [library for library in found.libraries if library.extras]:
        yield "optional", ", ".join(map(_library, optional))
    for plugin in found.plugins:
        yield "components", f"{plugin.components} of {plugin.package} {plugin.version}"
    for broken in found.broken:
        yield "broken", f"{broken.package} {broken.version}: {broken.error.splitlines()[0]}"
    yield "cache", f"{found.cache or 'none, as there is no home folder'} (may be deleted)"
    yield "temporary", found.temporary


def _described(device: Device) -> str:
    parts = [device.model] if device.model else []
    if device.memory is not None:
        parts.append(f"{device.memory / 1e9:.0f} GB")
    if device.capability:
        parts.append(f"compute capability {device.capability}")
    parts.append("units for bf16" if device.bf16 else "no units for bf16")
    return f" ({', '.join(parts)})"


def _library(library: Library) -> str:
    if library.version is None:
        return f"{library.name} is not installed"
    return f"{library.name} {library.version}" + ("" if library.serves else f" (needs {library.needed})")


def _advice(found: Surroundings) -> Iterator[str]:
    """Yield what does not serve, and why auto takes the processor."""
    for library in found.libraries:
        if not library.extras and not library.serves:
            here = library.version or "nothing"
            wanted = f"{library.name}{library.needed}"
            yield f"{library.name}: does not serve (got {here}). Run: python -m pip install '{wanted}'"
    for warning in found.warnings:
        yield f"PyTorch: {' '.join(warning.split())}"
    if found.auto != "cpu":
        return
    if any(device.name == "mps" for device in found.devices):
        yield "auto takes the processor; the GPU of this Mac is used with --device mps."
    elif not found.gpu_build:
        yield f"No GPU is used: this PyTorch is for processors alone. {PAGE} says how to get another one."
    else:
        yield (
            f"No GPU is used: this PyTorch is for {found.gpu_build} and finds no GPU. See whether nvidia-smi "
            f"lists one, and whether the driver is new enough ({PAGE})."
        )
