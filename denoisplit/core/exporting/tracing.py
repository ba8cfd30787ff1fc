"""The graph of a network for images of any size, traced by torch.export."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Final

import torch

from denoisplit.core.errors import ExportError, in_one_line
from denoisplit.core.exporting.exported_graph import ExportedGraph
from denoisplit.core.exporting.ports import MIXED, Ports

_POSITIONS: Final = 3
"""Positions of the coarsest level along the first axis of the traced image; others have one more each."""


@contextmanager
def quiet() -> Iterator[None]:
    """Context without what exporting libraries say about themselves, and the whole graphs that they print."""
    before = logging.root.manager.disable
    try:
        logging.disable(logging.CRITICAL)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def traced(graph: ExportedGraph, ports: Ports) -> torch.export.ExportedProgram:
    """Trace a network.

    Raises:
        ExportError: it does what torch.export cannot follow.
    """
    positions = range(_POSITIONS, _POSITIONS + len(ports.step))
    sides = tuple(n * step for n, step in zip(positions, ports.step, strict=True))
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(
                graph, ports.drawn(2, sides, seed=0), dynamic_shapes=_shapes(ports), strict=False
            )
    except Exception as error:
        raise ExportError(
            f"export: torch.export cannot follow this network "
            f"({type(error).__name__}: {in_one_line(error)}). "
            f"Let its components decide nothing by numbers in tensors or by the size of an image."
        ) from error


def _shapes(ports: Ports) -> dict[str, Any]:
    """The axes that may have any length, and how those of the noise follow from those of the image."""
    batch = torch.export.Dim("batch", min=1)
    least = [low // step for low, step in zip(ports.least, ports.step, strict=True)]
    positions = [torch.export.Dim(axis, min=low) for axis, low in zip(ports.axes, least, strict=True)]

    def axes(stride: tuple[int, ...]) -> dict[int, Any]:
        numbers = zip(ports.step, stride, positions, strict=True)
        spatial = [step // s * n if step != s else n for step, s, n in numbers]
        return {0: batch, **dict(enumerate(spatial, start=2))}

    shapes: dict[str, Any] = {MIXED: axes((1,) * len(ports.step))}
    if ports.noise:
        shapes["noise"] = tuple(axes(one.stride) for one in ports.noise)
    return shapes
