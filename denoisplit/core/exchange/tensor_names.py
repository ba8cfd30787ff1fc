"""Tensor names of denoiSplit, muSplit, HDN and CAREamics, and their translation.

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
    # There, blocks that keep the size are numbered separately.
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
"""Beginnings of names, foreign and own. ``#`` stands for a number, ``+`` for one more than the foreign
number. The first rule that fits counts, so special cases come before general ones."""

_PLAIN, _PROJECTING = "encoder.", "encoder.ladder."
_SQUISH = "encoder.squish."


def our_name(name: str, *, projects: bool = False) -> str | None:
    """Translate a foreign tensor name; None if this project has no such tensor.

    Args:
        name: the foreign name.
        projects: whether the encoder makes one plane of a stack.
    """
    for theirs, ours in _RULES:
        found = _translate(name, theirs, ours)
        if found is not None:
            wrapped = projects and found.startswith(_PLAIN) and not found.startswith(_SQUISH)
            return _PROJECTING + found.removeprefix(_PLAIN) if wrapped else found
    return None


def their_name(name: str) -> str:
    """The foreign name of a tensor; its own name if there is none."""
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
    """Pattern of names that begin with the template, or equal it if it does not end in a dot."""
    parts = (r"(\d+)" if _MARK.fullmatch(part) else re.escape(part) for part in _MARK.split(template))
    return re.compile("".join(parts) + ("" if template.endswith(".") else "$"))
