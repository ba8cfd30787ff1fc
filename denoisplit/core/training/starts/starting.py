"""Start of a training: weights of another run, as far as they fit, and parts that stay frozen."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from denoisplit.core.errors import SpecError
from denoisplit.core.network.freezing import freeze
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.storage.bundle import Start
from denoisplit.core.storage.digests import file_hash
from denoisplit.core.storage.start_folder import remarks_on_start, start_folder
from denoisplit.core.training.starts.source_weights import OUTPUT, PARTS, source_weights

_LOG: Final = logging.getLogger("denoisplit.training")

_LISTED: Final = 4


def start(vse: VSE, spec: TrainingSpec, channels: Sequence[str]) -> Start | None:
    """Load the weights from which a network starts, and freeze the parts that are to stay.

    A layer fits if all of its tensors have the names and shapes of a layer of the other run. So a run with
    more or fewer channels gives all but the last layer (``output``). Of as many, a channel takes the maps of
    the one of its name, or, in their order, of those that are left. A run with another noise model gives the
    maps of the signal; those of the noise model start at 0. A narrower network gives every feature several
    times, where widths and latent channels are multiples of its own.

    Args:
        vse: the network.
        spec: settings of the training.
        channels: names of the channels.

    Returns:
        The source of the weights; None if they are drawn at random.

    Raises:
        RunError: the run is damaged.
        SpecError: no such run, no model has this name, or none of its weights fits; no part has a name that
            is to stay, or nothing is left to train.
    """
    if spec.start_from is None:
        freeze(vse, spec.freeze)
        return None
    found, zeros = _taken(vse, spec.start_from, channels)
    freeze(vse, spec.freeze)
    _warn_of_fixed(vse, found.drawn, zeros)
    return found


def require_fitting_start(vse: VSE, spec: TrainingSpec, channels: Sequence[str]) -> None:
    """Refuse a start from a folder without a run, or from a run that is here and of which no weight fits.

    A run that is not here may be where the training is: ``remarks_on_start`` tells it.

    Raises:
        SpecError, RunError: see ``start``.
    """
    path = spec.start_from
    if path is not None and not remarks_on_start(spec):
        _fitting(vse, path, source_weights(start_folder(path), vse, channels).weights)


def _taken(vse: VSE, path: Path, channels: Sequence[str]) -> tuple[Start, Collection[str]]:
    """Load the weights that fit; return what is stored of it, and the names of those whose maps are zeros."""
    folder = start_folder(path)
    theirs = source_weights(folder, vse, channels)
    ours, (fitting, left) = vse.state_dict(), _fitting(vse, path, theirs.weights)
    with torch.no_grad():
        for name in fitting:
            ours[name].copy_(theirs.weights[name])
    _LOG.info("starting from %s: %d of %d weights fit", path, len(fitting), len(fitting) + len(left))
    if left:
        _LOG.info("drawn anew, as no weight of that run fits: %s", _listed(left))
    renamed = {ours: other for ours, other in theirs.sources.items() if ours != other}
    if renamed and any(name.startswith(OUTPUT) for name in fitting):
        pairs = ", ".join(f"{ours} from {other}" for ours, other in renamed.items())
        _LOG.info("channels that start from those of other names: %s", pairs)
    if theirs.wider.intersection(fitting):
        _LOG.info("that run has a narrower network, so each of its features is there several times")
    zeros = theirs.zeros.intersection(fitting)
    if zeros:
        _LOG.info("the maps of the noise model start at 0, as that run has another noise model")
    if theirs.unplaced:
        _LOG.info("weights of that run that have no place in this network: %s", _listed(theirs.unplaced))
    found = Start(run=str(path), weights=file_hash(folder.weights), taken=len(fitting), drawn=left)
    return found, zeros


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _warn_of_fixed(vse: VSE, drawn: Collection[str], zeros: Collection[str]) -> None:
    """Tell which layers stay as they are though the run had no weights for them."""
    fixed = {name for name, weight in vse.named_parameters() if not weight.requires_grad}
    layers = {_layer(name) for name in fixed.intersection(drawn)}
    if zeros and fixed.issuperset(zeros):
        layers |= {_layer(name) for name in zeros}
    if layers:
        _LOG.warning(
            "training.freeze: %s cannot learn what that run does not have. Freeze less",
            ", ".join(sorted(layers)),
        )


def _fitting(vse: VSE, path: Path, theirs: Mapping[str, Tensor]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the weights that fit, and of the others."""
    ours = vse.state_dict()
    names = [name for name in ours if name.startswith(PARTS)]
    other = {_layer(n) for n in names if n not in theirs or theirs[n].shape != ours[n].shape}
    fitting = tuple(name for name in names if _layer(name) not in other)
    if not fitting:
        raise SpecError(
            f"training.start_from: no weight of it fits this network (got {path}). Give a run of the same "
            f"encoder or decoder, or null to start from random weights."
        )
    return fitting, tuple(name for name in names if name not in fitting)


def _layer(name: str) -> str:
    return name.rpartition(".")[0]
