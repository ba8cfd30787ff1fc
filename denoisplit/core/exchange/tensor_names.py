"""Names of tensors: those of denoiSplit, muSplit, HDN and CAREamics, and ours.

Source: method section 1.7.
"""

import re
from functools import cache

_MARK = re.compile("([#+])")

_RULES = (
    ("_3D_squisher.#.", "encoder.squish.#."),
    ("first_bottom_up.0.", "encoder.stem.0."),
    ("first_bottom_up.2.res.block.", "encoder.stem.2.layers."),
    ("lowres_first_bottom_ups.#.0.", "encoder.context_stems.#.0."),
    ("lowres_first_bottom_ups.#.2.res.block.", "encoder.context_stems.#.2.layers."),
    ("bottom_up_layers.#.net_downsized.0.pre_conv.", "encoder.levels.#.0.resample."),
    ("bottom_up_layers.#.net_downsized.0.res.block.", "encoder.levels.#.0.block.layers."),
    # There, the blocks of the same size are numbered on their own.
    ("bottom_up_layers.#.net.#.res.block.", "encoder.levels.#.+.layers."),
    ("bottom_up_layers.#.lowres_net.#.res.block.", "encoder.context_blocks.#.+.layers."),
    ("bottom_up_layers.#.lowres_merge.layer.0.", "encoder.merges.#.project."),
    ("bottom_up_layers.#.lowres_merge.layer.1.block.", "encoder.merges.#.block.layers."),
    ("top_down_layers.#.top_prior_params", "decoder.levels.#.prior"),
    ("top_down_layers.#.stochastic.conv_in_p.", "decoder.levels.#.prior."),
    ("top_down_layers.#.stochastic.conv_in_q.", "decoder.levels.#.latent.posterior."),
    ("top_down_layers.#.stochastic.conv_out.", "decoder.levels.#.latent.expand."),
    ("top_down_layers.#.merge.layer.0.", "decoder.levels.#.merge.project."),
    ("top_down_layers.#.merge.layer.1.block.", "decoder.levels.#.merge.block.layers."),
    ("top_down_layers.#.skip_connection_merger.layer.0.", "decoder.levels.#.skip.project."),
    ("top_down_layers.#.skip_connection_merger.layer.1.block.", "decoder.levels.#.skip.block.layers."),
    ("top_down_layers.#.deterministic_block.0.pre_conv.", "decoder.levels.#.upsample.0.resample."),
    ("top_down_layers.#.deterministic_block.0.res.block.", "decoder.levels.#.upsample.0.block.layers."),
    ("top_down_layers.#.deterministic_block.#.res.block.", "decoder.levels.#.upsample.#.layers."),
    ("final_top_down.#.res.block.", "decoder.final.#.layers."),
    ("output_layer.", "decoder.output."),
    ("likelihood.parameter_net.", "decoder.output."),
)
"""How names begin, theirs and ours. ``#`` stands for a number, ``+`` for one more than theirs. The first rule
that fits counts, so special cases come before general ones."""

_PLAIN, _PROJECTING = "encoder.", "encoder.ladder."
_SQUISH = "encoder.squish."


def our_name(name: str, *, projects: bool = False) -> str | None:
    """What we call a tensor of theirs; None where we have none of that name.

    Args:
        name: theirs.
        projects: whether the encoder makes one plane of a stack.
    """
    for theirs, ours in _RULES:
        found = _translate(name, theirs, ours)
        if found is not None:
            wrapped = projects and found.startswith(_PLAIN) and not found.startswith(_SQUISH)
            return _PROJECTING + found.removeprefix(_PLAIN) if wrapped else found
    return None


def their_name(name: str) -> str:
    """What they call a tensor of ours; our name where they have none."""
    plain = _PLAIN + name.removeprefix(_PROJECTING) if name.startswith(_PROJECTING) else name
    translations = (_translate(plain, ours, theirs) for theirs, ours in _RULES)
    return next((found for found in translations if found is not None), name)


def _translate(name: str, source: str, target: str) -> str | None:
    found = _pattern(source).match(name)
    if found is None:
        return None
    numbers = [int(number) for number in found.groups()]
    result = ""
    shifts = zip(numbers, _MARK.findall(source), _MARK.findall(target), strict=True)
    values = iter(number + (after == "+") - (before == "+") for number, before, after in shifts)
    for part in _MARK.split(target):
        result += str(next(values)) if _MARK.fullmatch(part) else part
    return result + name[found.end() :]


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Expression for names that begin like the template, or are it where it does not end in a dot."""
    parts = (r"(\d+)" if _MARK.fullmatch(part) else re.escape(part) for part in _MARK.split(template))
    return re.compile("".join(parts) + ("" if template.endswith(".") else "$"))
