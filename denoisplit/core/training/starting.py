"""Start of a training: weights of another run, as far as they fit, and parts that stay frozen."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from denoisplit.core.errors import RunError, SpecError
from denoisplit.core.network.freezing import freeze
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.spec.training import MODEL
from denoisplit.core.storage.bundle import Start
from denoisplit.core.storage.digests import file_hash
from denoisplit.core.storage.json_records import read_mapping
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.shipped_models import find_model, folder_of
from denoisplit.core.storage.states import load_weights

_LOG: Final = logging.getLogger("denoisplit.training")

_OUTPUT: Final = "decoder.output."
_NOISE: Final = "noise_model."
_PARTS: Final = ("encoder.", "decoder.")
"""Parts that are taken; noise models are fitted to the images of the new training instead."""

_LISTED: Final = 4


def start(vse: VSE, spec: TrainingSpec) -> Start | None:
    """Load the weights from which a network starts, and freeze the parts that are to stay.

    A layer fits if all of its tensors have the names and shapes of a layer of the other run. So a run with
    other channels gives all but the last layer (``output``), and one of another noise model gives of it the
    maps of the signal; those of the noise model start at 0.

    Returns:
        The source of the weights; None if they are drawn at random.

    Raises:
        RunError: the run cannot be opened.
        SpecError: no model has this name, or none of its weights fits; no part has a name that is to stay, or
            nothing is left to train.
    """
    found = None if spec.start_from is None else _taken(vse, spec.start_from)
    freeze(vse, spec.freeze)
    if found is not None:
        _warn_of_fixed(vse, found.drawn)
    return found


def start_folder(path: Path) -> RunFolder:
    """Return the run that ``training.start_from`` names, which may be a model that comes with denoisplit.

    Raises:
        SpecError: no model has this name.
        RunError: no such run, or a file of the model is damaged.
    """
    if not path.name.startswith(MODEL):
        folder = RunFolder(path)
        folder.require_model()
        return folder
    try:
        model = find_model(path.name, "training.start_from")
    except RunError as error:
        raise SpecError(str(error)) from error
    return folder_of(model)


def require_known_start(spec: TrainingSpec) -> None:
    """Refuse a spec that starts from a model that does not come with denoisplit.

    Raises:
        SpecError, RunError: see ``start_folder``.
    """
    if spec.start_from is not None and spec.start_from.name.startswith(MODEL):
        start_folder(spec.start_from)


def require_fitting_start(vse: VSE, spec: TrainingSpec) -> None:
    """Refuse a start from a run that is here and of which no weight fits a network.

    A run that is not here may be where the training is.

    Raises:
        SpecError, RunError: see ``start``.
    """
    path = spec.start_from
    if path is not None and (path.name.startswith(MODEL) or RunFolder(path).weights.is_file()):
        _fitting(vse, path, _weights_of(start_folder(path), vse))


def _taken(vse: VSE, path: Path) -> Start:
    folder = start_folder(path)
    theirs, ours = _weights_of(folder, vse), vse.state_dict()
    fitting, left = _fitting(vse, path, theirs)
    with torch.no_grad():
        for name in fitting:
            ours[name].copy_(theirs[name])
    _LOG.info("starting from %s: %d of %d weights fit", path, len(fitting), len(fitting) + len(left))
    if left:
        shown = ", ".join(left[:_LISTED]) + (
            f" and {len(left) - _LISTED} more" if len(left) > _LISTED else ""
        )
        _LOG.info("drawn anew, as no weight of that run fits: %s", shown)
    return Start(run=str(path), weights=file_hash(folder.weights), taken=len(fitting), drawn=left)


def _weights_of(folder: RunFolder, vse: VSE) -> dict[str, Tensor]:
    """Load the weights of a run, with an output layer whose maps mean what those of a network mean.

    Of other channels, there is none. Of another noise model, the maps of the signal stay, and others are 0.
    """
    found, more = load_weights(folder.weights), vse.channels * vse.noise_model.extra_maps
    spec = read_mapping(folder.bundle, "the description of a run", "Name another run.").get("spec")
    alike = isinstance(spec, dict) and len(spec.get("channels", ())) == vse.channels
    same_noise = _names(found, _NOISE) == _names(vse.state_dict(), _NOISE)
    for name in _names(found, _OUTPUT):
        theirs = found[name]
        if not alike:
            del found[name]
        elif not same_noise or len(theirs) != vse.channels + more:
            none = theirs.new_zeros(more, *theirs.shape[1:])
            found[name] = torch.cat([theirs[: vse.channels], none])
    return found


def _warn_of_fixed(vse: VSE, drawn: Collection[str]) -> None:
    """Tell which weights stay as they are though the run had none for them."""
    fixed = {name for name, weight in vse.named_parameters() if not weight.requires_grad}
    for name in sorted(fixed.intersection((*drawn, *_without_maps(vse)))):
        _LOG.warning(
            "training.freeze: %s cannot learn what the run does not have (%s). Freeze less, so that it can",
            name,
            "drawn at random" if name in drawn else "maps of the noise model, which are 0",
        )


def _without_maps(vse: VSE) -> list[str]:
    """Weights of the output layer that give nothing but 0 to the noise model."""
    if not vse.noise_model.extra_maps:
        return []
    state = vse.state_dict()
    return [name for name in _names(state, _OUTPUT) if not bool(state[name][vse.channels :].any())]


def _names(weights: Mapping[str, Tensor], part: str) -> set[str]:
    return {name for name in weights if name.startswith(part)}


def _fitting(vse: VSE, path: Path, theirs: Mapping[str, Tensor]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the weights that fit, and of the others."""
    ours = vse.state_dict()
    names = [name for name in ours if name.startswith(_PARTS)]
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
