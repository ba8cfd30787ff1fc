"""Weights of another run, as far as they have a meaning in a network."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import torch
from torch import Tensor

from denoisplit.core.errors import DenoisplitError, RunError
from denoisplit.core.network.per_channel import PerChannelNoiseModel
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry
from denoisplit.core.storage.json_records import read_mapping
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.states import load_weights
from denoisplit.core.training.starts.widening import widened

OUTPUT: Final = "decoder.output."
"""Beginning of the names of the last layer's weights."""
PARTS: Final = ("encoder.", "decoder.")
"""Parts that are taken; noise models are fitted to the images of the new training instead."""
_ADVICE: Final = "Name another run."


@attrs.frozen
class SourceWeights:
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


def source_weights(folder: RunFolder, vse: VSE, names: Sequence[str]) -> SourceWeights:
    """Load the weights of a run, with a last layer whose maps mean what those of a network mean.

    Of more or fewer channels, there is none. Of another noise model, the maps of the signal stay, and others
    are 0.

    Raises:
        RunError: the run cannot be read.
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
    unplaced = tuple(name for name in found if name.startswith(PARTS) and name not in state)
    for name, ours in state.items():
        if not name.startswith(OUTPUT) or name not in found or ours.shape[:1] != (channels + more,):
            continue
        theirs = found[name] = _reordered(found[name], order)
        if not same_channels:
            del found[name]
        elif len(theirs) >= channels and not (same_noise and len(theirs) == len(ours)):
            found[name] = torch.cat([theirs[:channels], theirs.new_zeros(more, *theirs.shape[1:])])
            zeros |= {name} if more else set()
    sources = {name: known[other] for name, other in zip(names, order, strict=False)}
    weights = widened(found, vse, fixed_rows=OUTPUT)
    wider = frozenset(name for name, one in found.items() if one.shape != weights[name].shape)
    return SourceWeights(weights, frozenset(zeros), wider, sources, unplaced)


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
