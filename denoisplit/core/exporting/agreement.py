"""Whether an exported file computes what the network computes."""

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor

from denoisplit.core.errors import ExportError
from denoisplit.core.exporting.exported import Agreement
from denoisplit.core.exporting.exported_graph import ExportedGraph
from denoisplit.core.exporting.ports import Ports

Runnable = Callable[[tuple[Tensor, ...]], Sequence[Tensor]]
"""An exported file, opened by the library that runs it: inputs to outputs."""

BOUND: Final = 1e-3
"""Largest difference that passes for rounding, in stds of a channel and in logarithms."""


def agreement(graph: ExportedGraph, ports: Ports, run: Runnable) -> Agreement:
    """Compare a file with the network that it was made of.

    Raises:
        ExportError: they differ by more than rounding, or the file does not take images of every size.
    """
    scale = torch.tensor(ports.statistics.target_std).view(1, -1, *(1,) * len(ports.step))
    differences = list[Tensor]()
    for inputs in ports.examples():
        try:
            found = run(inputs)
        except Exception as error:
            sides = list(inputs[0].shape[2:])
            raise ExportError(
                f"export: the exported network takes no images of {sides} pixels ({type(error).__name__}). "
                f"Let its components decide nothing by the size of an image."
            ) from error
        with torch.inference_mode():
            expected = graph(*inputs)
            off = ((found[0] - expected[0]) / scale, found[1] - expected[1])
            differences.append(torch.stack([one.abs().max() for one in off]))
    # The maximum of tensors is NaN where one of them is.
    signal, log_variance = torch.stack(differences).amax(dim=0).tolist()
    if not (signal <= BOUND and log_variance <= BOUND):
        raise ExportError(
            f"export: the exported network computes something else than the run (differences of {signal:.2g} "
            f"stds of a channel and of {log_variance:.2g} in the log-variance). Let its components decide "
            f"nothing by numbers in tensors or by the size of an image."
        )
    return Agreement(signal=signal, log_variance=log_variance)
