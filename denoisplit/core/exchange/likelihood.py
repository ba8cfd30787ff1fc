"""Noise model and KL scheme of a spec, from another program's config, and the numbers of noise models.

Source: method sections 2, 3, 4 and 12.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from torch import Tensor

from denoisplit.core.documents import show
from denoisplit.core.errors import CheckpointError
from denoisplit.core.exchange.config import ForeignConfig
from denoisplit.core.exchange.mixtures import Mixture, read_mixtures
from denoisplit.core.exchange.weights import Shapes

LOWEST_LOG_VARIANCE = -5.0
SHARE = 0.9
"""Weight of the noise model in the composite likelihood of MicroSplit."""

_MODES = {
    None: "fixed",
    False: "fixed",
    True: "pixel",
    "pixelwise": "pixel",
    "channelwise": "channel",
    "global": "global",
}
_FORMULATIONS = {None: "denoisplit", "": "denoisplit", "usplit": "musplit"}
_LOSSES = {
    "hdn": "denoisplit",
    "denoisplit": "denoisplit",
    "musplit": "musplit",
    "microsplit": "microsplit",
    "denoisplit_musplit": "microsplit",
}
_RESTRICTIONS = {"kl": "", "kl_restricted": "restricted"}
_FREE_BITS = {"denoisplit": 1.0, "musplit": 0.0, "microsplit": 1.0}


@attrs.frozen(kw_only=True)
class Likelihood:
    """Noise model and KL scheme as in a spec.

    Attributes:
        noise_model: component and options, one for all channels or one per channel.
        kl_scheme: component and options.
        tensors: tensors of the noise models that no file holds, by their names in this project.
        mixtures: the noise models behind the components, one per channel or none.
    """

    noise_model: dict[str, Any] | list[dict[str, Any]]
    kl_scheme: dict[str, Any]
    tensors: Mapping[str, Tensor]
    mixtures: tuple[Mixture, ...]


def describe_likelihood(
    shapes: Shapes,
    config: ForeignConfig,
    noise: Mapping[str, Tensor],
    files: Sequence[Path],
    *,
    channels: int,
    where: str,
) -> Likelihood:
    """Derive noise model and KL scheme.

    Raises:
        CheckpointError: the config contradicts the weights, lacks facts that they do not tell, or noise
            models do not fit the channels or the checkpoint.
    """
    mode = _log_variance(shapes, config, channels)
    gaussian: dict[str, Any] = {"log_variance": mode}
    if mode != "fixed":
        config.need("log_variance_floor", LOWEST_LOG_VARIANCE, "the lower bound of predicted log-variances")
        gaussian["log_variance_floor"] = config.number("log_variance_floor", LOWEST_LOG_VARIANCE)
    kl_scheme = _kl_scheme(config)
    if not config.flag("noise_model", bool(noise) or bool(files)):
        if noise or files:
            given = next(iter(noise), None) or str(files[0])
            raise CheckpointError(
                f"{config.name}: {config.key('noise_model')} says there is no noise model (got {given}). "
                f"Correct it, or leave out the noise model."
            )
        return Likelihood(
            noise_model={"use": "gaussian", **gaussian}, kl_scheme=kl_scheme, tensors={}, mixtures=()
        )
    mixtures = read_mixtures(config, noise, files, channels, where)
    inner, composite = "", mode != "fixed"
    if composite:
        inner = "mixture."
        share = config.number("noise_share", SHARE)
        models = [
            {"use": "weighted", "weight": share, "mixture": mixture.options, "gaussian": gaussian}
            for mixture in mixtures
        ]
    else:
        models = [{"use": "gaussian_mixture", **mixture.options} for mixture in mixtures]
    outer = ["noise_model."] if channels == 1 else [f"noise_model.models.{c}." for c in range(channels)]
    tensors: dict[str, Tensor] = {}
    for prefix, mixture in zip(outer, mixtures, strict=True):
        tensors |= mixture.numbers(prefix + inner)
    return Likelihood(
        noise_model=models[0] if channels == 1 else models,
        kl_scheme=kl_scheme,
        tensors=tensors,
        mixtures=mixtures,
    )


def _log_variance(shapes: Shapes, config: ForeignConfig, channels: int) -> str:
    """How the variance is predicted; must agree with the number of output maps."""
    if "log_variance" not in config and shapes.out_maps == channels:
        return "fixed"
    config.need("log_variance", "pixelwise", "how log-variances are averaged")
    mode = config.choice("log_variance", _MODES, "pixel")
    maps = channels * (1 if mode == "fixed" else 2)
    if maps != shapes.out_maps:
        raise CheckpointError(
            f"{config.name}: {config.key('log_variance')} contradicts the weights (got "
            f"{show(config.get('log_variance'))} for {channels} channels, which is {maps} output maps; the "
            f"output layer has {shapes.out_maps}). "
            f"Give the config of this network, and one mean and standard deviation per target channel."
        )
    return mode


def _kl_scheme(config: ForeignConfig) -> dict[str, Any]:
    """The scheme, with usual values for missing ones: it affects further training only."""
    loss = config.get("loss")
    if isinstance(loss, str):
        name = config.choice("loss", _LOSSES, "denoisplit")
    else:
        name = config.choice("kl_formulation", _FORMULATIONS, "denoisplit")
    scheme: dict[str, Any] = {
        "use": name,
        "free_bits": config.number("free_bits", _FREE_BITS[name]),
        "weight": config.number("kl_weight", 1.0),
        "analytic": config.flag("analytic", False),
    }
    if name == "microsplit":
        scheme["share"] = config.number("noise_share", SHARE)
        scheme["restricted"] = config.choice("kl_restriction", _RESTRICTIONS, "") == "restricted"
    return scheme
