"""Facts about a ladder network from its tensors, and recognition of tensors stored twice.

Source: method sections 1.4, 1.5 and 1.7.
"""

import re
from collections.abc import Mapping

import attrs
import torch
from torch import Tensor

from denoisplit.core.errors import CheckpointError

OUTPUT = "output_layer."
_OLD_OUTPUT = "likelihood.parameter_net."
_NOISE = ("noiseModel.", "noise_model.")
_COUNTER = "num_batches_tracked"
_COPIES = (
    ("parameter_net.", OUTPUT),
    (_OLD_OUTPUT, OUTPUT),
    ("likelihood.noiseModel.", "noiseModel."),
    ("noise_model_likelihood.noise_model.", "noise_model."),
)
"""Prefixes of tensors stored twice: of the copy, of the original."""

_MARKS = ("first_bottom_up.", "bottom_up_layers.", "top_down_layers.")


@attrs.frozen(kw_only=True)
class Shapes:
    """Facts about a network from the shapes of its tensors.

    Attributes:
        latent_channels: latent channels per level, finest first.
        encoder_width: feature channels of the encoder.
        decoder_width: feature channels of the decoder.
        encoder_blocks: residual blocks per level of the encoder.
        decoder_blocks: residual blocks per level of the decoder.
        scales: number of scales of the input; 1 without lateral context.
        own_context_blocks: whether the surround has its own blocks.
        out_maps: number of output maps.
        rank: number of spatial axes of the input.
        top_prior: positions of the coarsest latent, per spatial axis.
        projects: whether the encoder makes one plane of a stack.
        old_output: whether the likelihood holds the output layer, as in muSplit and HDN.
    """

    latent_channels: tuple[int, ...]
    encoder_width: int
    decoder_width: int
    encoder_blocks: int
    decoder_blocks: int
    scales: int
    own_context_blocks: bool
    out_maps: int
    rank: int
    top_prior: tuple[int, ...]
    projects: bool
    old_output: bool

    @property
    def levels(self) -> int:
        """Number of levels."""
        return len(self.latent_channels)


@attrs.frozen
class Weights:
    """The tensors of a ladder network, without copies.

    Attributes:
        network: tensors of encoder and decoder.
        noise: tensors of the noise models.
        shapes: facts about the network.
    """

    network: Mapping[str, Tensor]
    noise: Mapping[str, Tensor]
    shapes: Shapes


def sort_tensors(tensors: Mapping[str, Tensor], where: str) -> Weights:
    """Drop copies and unused tensors, and describe the rest.

    Raises:
        CheckpointError: another type of network, copies that differ, or missing tensors that describe the
            network.
    """
    if not all(any(name.startswith(mark) for name in tensors) for mark in _MARKS):
        first = ", ".join(list(tensors)[:3])
        raise CheckpointError(
            f"{where}: is not a ladder network of denoiSplit, muSplit, HDN or CAREamics (got {len(tensors)} "
            f"tensors, {first}, ...; none of {', '.join(_MARKS)}). Give the checkpoint of such a network."
        )
    left = dict(tensors)
    old_output = any(name.startswith(_OLD_OUTPUT) for name in left)
    for copy, original in _COPIES:
        _fold(left, copy, original, where)
    scales = 1 + _count(left, r"lowres_first_bottom_ups\.(\d+)\.")
    levels = _count(left, r"bottom_up_layers\.(\d+)\.")
    own = _context_blocks(left, levels, scales - 1, where)
    _drop_unused_merges(left, levels, scales - 1, where)
    noise = {name: left.pop(name) for name in list(left) if name.startswith(_NOISE)}
    shapes = _shapes(left, where, scales=scales, own_context_blocks=own, old_output=old_output)
    return Weights(left, noise, shapes)


def _shapes(
    tensors: Mapping[str, Tensor], where: str, *, scales: int, own_context_blocks: bool, old_output: bool
) -> Shapes:
    def shape(name: str) -> tuple[int, ...]:
        if name not in tensors:
            raise CheckpointError(
                f"{where}: the tensor {name} is missing. Give the whole state dict of the network."
            )
        return tuple(tensors[name].shape)

    levels = _count(tensors, r"top_down_layers\.(\d+)\.")
    stem = shape("first_bottom_up.0.weight")
    expand = [shape(f"top_down_layers.{level}.stochastic.conv_out.weight") for level in range(levels)]
    prior = shape(f"top_down_layers.{levels - 1}.top_prior_params")
    output = shape(f"{OUTPUT}weight")
    projects = any(name.startswith("_3D_squisher.") for name in tensors)
    for name, found in (
        ("first_bottom_up.0.weight", stem),
        (f"top_down_layers.{levels - 1}.top_prior_params", prior),
        (f"{OUTPUT}weight", output),
        *((f"top_down_layers.{n}.stochastic.conv_out.weight", found) for n, found in enumerate(expand)),
    ):
        if len(found) not in (4, 5) or (found is not stem and len(found) != (4 if projects else len(stem))):
            raise CheckpointError(
                f"{where}: the tensor {name} has a wrong shape (got {list(found)}, expected 2 axes and those "
                f"of space). Give the state dict of one network."
            )
    return Shapes(
        latent_channels=tuple(found[1] for found in expand),
        encoder_width=stem[0],
        decoder_width=expand[0][0],
        encoder_blocks=1 + _count(tensors, r"bottom_up_layers\.0\.net\.(\d+)\."),
        decoder_blocks=_count(tensors, r"top_down_layers\.0\.deterministic_block\.(\d+)\."),
        scales=scales,
        own_context_blocks=own_context_blocks,
        out_maps=output[0],
        rank=len(stem) - 2,
        top_prior=prior[2:],
        projects=projects,
        old_output=old_output,
    )


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """Number of items whose names are numbered from 0."""
    found = (re.match(pattern, name) for name in tensors)
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _fold(tensors: dict[str, Tensor], copy: str, original: str, where: str) -> None:
    """Keep one of two names; a state dict without shared tensors may have either."""
    copies, originals = _part(tensors, copy), _part(tensors, original)
    if not copies:
        return
    if originals:
        _require_same_names(copies, originals, copy, original, where)
        differing = _differing(copies, originals)
        if differing:
            raise CheckpointError(
                f"{where}: tensors that should be equal differ "
                f"({', '.join(f'{copy}{name} and {original}{name}' for name in differing)}). "
                f"Give an unedited checkpoint."
            )
    for name, tensor in copies.items():
        del tensors[copy + name]
        tensors[original + name] = tensor


def _context_blocks(tensors: dict[str, Tensor], levels: int, contexts: int, where: str) -> bool:
    """Whether the surround has its own blocks; if not, the copies are dropped.

    The reference names such blocks at every level, even at levels that never see a surround.
    """
    pairs = [(f"bottom_up_layers.{n}.lowres_net.", f"bottom_up_layers.{n}.net.") for n in range(levels)]
    parts = [(_part(tensors, copy), _part(tensors, original)) for copy, original in pairs]
    for (copy, original), (copies, originals) in zip(pairs, parts, strict=True):
        if copies:
            _require_same_names(copies, originals, copy, original, where)
    own = any(_differing(copies, originals) for copies, originals in parts[:contexts] if copies)
    for level, ((copy, _), (copies, _)) in enumerate(zip(pairs, parts, strict=True)):
        if not own or level >= contexts:
            for name in copies:
                del tensors[copy + name]
    return own


def _drop_unused_merges(tensors: dict[str, Tensor], levels: int, contexts: int, where: str) -> None:
    """Drop merges of levels without a surround, which the reference never uses with lateral context."""
    first = "bottom_up_layers.0.lowres_merge."
    for level in range(max(contexts, 1), levels):
        prefix = f"bottom_up_layers.{level}.lowres_merge."
        unused = _part(tensors, prefix)
        if contexts and unused:
            _require_same_names(unused, _part(tensors, first), prefix, first, where)
            for name in unused:
                del tensors[prefix + name]


def _differing(copies: Mapping[str, Tensor], originals: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors that are not equal; batch counters are ignored."""
    names = [name for name in copies if name in originals and not name.endswith(_COUNTER)]
    return [name for name in names if not _same(copies[name], originals[name])]


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)


def _require_same_names(
    one: Mapping[str, Tensor], other: Mapping[str, Tensor], prefix: str, second: str, where: str
) -> None:
    missing = [
        *(prefix + name for name in other if name not in one),
        *(second + name for name in one if name not in other),
    ]
    if missing:
        raise CheckpointError(
            f"{where}: tensors are missing ({', '.join(missing)}), though they have a counterpart. "
            f"Give the whole state dict of the network."
        )
