"""Weights that a training starts from: those of another run, as far as they fit; and parts that stay."""

import logging
from pathlib import Path
from typing import Final

import torch

from denoisplit.core.errors import RunError
from denoisplit.core.network.freezing import freeze
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.storage.bundle import Start
from denoisplit.core.storage.digests import file_hash
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.states import load_weights

_LOG: Final = logging.getLogger("denoisplit.training")

_PARTS: Final = ("encoder.", "decoder.")
"""What is taken: noise models are fitted to the images of the new training."""

_LISTED: Final = 4


def start(vse: VSE, spec: TrainingSpec) -> Start | None:
    """Give a network the weights that it is to start from, and keep the parts that are to stay.

    A layer fits where all of its tensors have the names and shapes of a layer of the other run. So a run of
    other channels gives all but the last layer.

    Returns:
        What was started from; None for weights that are drawn.

    Raises:
        RunError: the run cannot be opened, or no weight of it fits.
        SpecError: no part of a name that is to stay, or nothing is left to learn.
    """
    found = None if spec.start_from is None else _taken(vse, spec.start_from)
    freeze(vse, spec.freeze)
    return found


def _taken(vse: VSE, path: Path) -> Start:
    folder = RunFolder(path)
    folder.require_model()
    theirs, ours = load_weights(folder.weights), vse.state_dict()
    names = [name for name in ours if name.startswith(_PARTS)]
    other = {_layer(n) for n in names if n not in theirs or theirs[n].shape != ours[n].shape}
    fitting = [name for name in names if _layer(name) not in other]
    if not fitting:
        raise RunError(
            f"{path}: none of its weights fits this network. Give training.start_from a run of the same "
            f"encoder or decoder."
        )
    with torch.no_grad():
        for name in fitting:
            ours[name].copy_(theirs[name])
    left = tuple(name for name in names if name not in fitting)
    _LOG.info("starting from %s: %d of %d weights fit", path, len(fitting), len(names))
    if left:
        shown = ", ".join(left[:_LISTED]) + (
            f" and {len(left) - _LISTED} more" if len(left) > _LISTED else ""
        )
        _LOG.info("drawn anew, as no weight of that run fits: %s", shown)
    return Start(run=str(path), weights=file_hash(folder.weights), taken=len(fitting), drawn=left)


def _layer(name: str) -> str:
    return name.rpartition(".")[0]
