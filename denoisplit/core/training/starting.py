"""Start of a training: weights of another run, as far as they fit, and parts that stay frozen."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import torch
from torch import Tensor

from denoisplit.core.errors import DenoisplitError, RunError, SpecError
from denoisplit.core.network.freezing import freeze
from denoisplit.core.network.per_channel import PerChannelNoiseModel
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.spec.training import MODEL
from denoisplit.core.storage.bundle import Start
from denoisplit.core.storage.digests import file_hash
from denoisplit.core.storage.json_records import read_mapping
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.shipped_models import find_model, folder_of
from denoisplit.core.storage.states import load_weights
from denoisplit.core.training.widening import widened

_LOG: Final = logging.getLogger("denoisplit.training")

_OUTPUT: Final = "decoder.output."
_ADVICE: Final = "Name another run."
_PARTS: Final = ("encoder.", "decoder.")
"""Parts that are taken; noise models are fitted to the images of the new training instead."""

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
        RunError: the run cannot be opened.
        SpecError: no model has this name, or none of its weights fits; no part has a name that is to stay, or
            nothing is left to train.
    """
    if spec.start_from is None:
        freeze(vse, spec.freeze)
        return None
    found, zeros = _taken(vse, spec.start_from, channels)
    freeze(vse, spec.freeze)
    _warn_of_fixed(vse, found.drawn, zeros)
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


def require_fitting_start(vse: VSE, spec: TrainingSpec, channels: Sequence[str]) -> None:
    """Refuse a start from a run that is here and of which no weight fits a network.

    A run that is not here may be where the training is.

    Raises:
        SpecError, RunError: see ``start``.
    """
    path = spec.start_from
    if path is not None and (path.name.startswith(MODEL) or RunFolder(path).weights.is_file()):
        _fitting(vse, path, _weights_of(start_folder(path), vse, channels).weights)


def _taken(vse: VSE, path: Path, channels: Sequence[str]) -> tuple[Start, Collection[str]]:
    """Load the weights that fit; return what is stored of it, and the names of those whose maps are zeros."""
    folder = start_folder(path)
    theirs = _weights_of(folder, vse, channels)
    ours, (fitting, left) = vse.state_dict(), _fitting(vse, path, theirs.weights)
    with torch.no_grad():
        for name in fitting:
            ours[name].copy_(theirs.weights[name])
    _LOG.info("starting from %s: %d of %d weights fit", path, len(fitting), len(fitting) + len(left))
    if left:
        _LOG.info("drawn anew, as no weight of that run fits: %s", _listed(left))
    renamed = {ours: other for ours, other in theirs.sources.items() if ours != other}
    if renamed and any(name.startswith(_OUTPUT) for name in fitting):
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


@attrs.frozen
class _Weights:
    """Weights of another run for a network.

    Attributes:
        weights: by name.
        zeros: names of those of the last layer whose maps of the noise model are 0.
        wider: names of those that were widened.
        sources: the channel of that run of which each channel takes the maps, by name.
        unplaced: names of those of encoder and decoder that the network does not have.
    """

    weights: Mapping[str, Tensor]
    zeros: frozenset[str]
    wider: frozenset[str]
    sources: Mapping[str, str]
    unplaced: tuple[str, ...]


def _weights_of(folder: RunFolder, vse: VSE, names: Sequence[str]) -> _Weights:
    """Load the weights of a run, with a last layer whose maps mean what those of a network mean.

    Of more or fewer channels, there is none. Of another noise model, the maps of the signal stay, and others
    are 0.
    """
    found, channels = load_weights(folder.weights), vse.channels
    spec = read_mapping(folder.bundle, "the description of a run", _ADVICE).get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("channels"), list):
        raise RunError(f"{folder.bundle}: does not name the channels of the run. {_ADVICE}")
    known = [str(name) for name in spec["channels"]]
    same_channels, zeros = len(known) == channels, set[str]()
    order = _sources(names, known) if same_channels else []
    same_noise = same_channels and _has_noise_models(vse, spec.get("model"), order)
    more = channels * vse.noise_model.extra_maps
    state = vse.state_dict()
    unplaced = tuple(name for name in found if name.startswith(_PARTS) and name not in state)
    for name, ours in state.items():
        if not name.startswith(_OUTPUT) or name not in found or ours.shape[:1] != (channels + more,):
            continue
        theirs = found[name] = _reordered(found[name], order)
        if not same_channels:
            del found[name]
        elif len(theirs) >= channels and not (same_noise and len(theirs) == len(ours)):
            found[name] = torch.cat([theirs[:channels], theirs.new_zeros(more, *theirs.shape[1:])])
            zeros |= {name} if more else set()
    sources = {name: known[other] for name, other in zip(names, order, strict=False)}
    weights = widened(found, vse, fixed_rows=_OUTPUT)
    wider = frozenset(name for name, one in found.items() if one.shape != weights[name].shape)
    return _Weights(weights, frozenset(zeros), wider, sources, unplaced)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _sources(ours: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """Return the channel of the other run for every channel: that of its name, or the next that is left."""
    named = {name: theirs.index(name) for name in ours if name in theirs}
    left = iter(sorted(set(range(len(theirs))).difference(named.values())))
    return [named[name] if name in named else next(left) for name in ours]


def _reordered(rows: Tensor, order: Sequence[int]) -> Tensor:
    """Put the maps of the signals, and those of the noise model behind them, into an order of channels."""
    channels = len(order)
    if not channels or len(rows) % channels:
        return rows
    more = len(rows) // channels - 1
    maps = [channels + more * one + number for one in order for number in range(more)]
    return rows[[*order, *maps]]


def _has_noise_models(vse: VSE, model: Any, order: Sequence[int]) -> bool:
    """Whether the noise model of every channel is of the sort that a stored spec names for its source."""
    own = vse.noise_model
    ours = list(own.models) if isinstance(own, PerChannelNoiseModel) else [own] * vse.channels
    try:
        named = model["noise_model"]
        each = [named[one] for one in order] if isinstance(named, list) else [named] * vse.channels
        theirs = [installed_registry().find("noise_model", one["use"]).load() for one in each]
    except (DenoisplitError, IndexError, KeyError, TypeError):
        return False  # whatever it was, it is not here
    return theirs == [type(one) for one in ours]


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
