"""Configs of denoiSplit, muSplit, HDN and CAREamics: the keys that matter here, under all their names.

Source: method sections 1 to 5 and 12.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from denoisplit.core.documents import node_of, plain, read_document, read_text, show
from denoisplit.core.errors import CheckpointError

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "analytic": ("model.analytical_kl", "analytical_kl"),
    "clip": ("model.var_clip_max", "var_clip_max"),
    "decoder_blocks": (
        "model.decoder.blocks_per_layer",
        "decoder.blocks_per_layer",
        "decoder_blocks_per_layer",
        "blocks_per_layer",
    ),
    "decoder_dropout": ("model.decoder.dropout", "decoder.dropout", "decoder_dropout"),
    "decoder_width": ("model.decoder.n_filters", "decoder.n_filters", "decoder_n_filters", "n_filters"),
    "encoder_blocks": (
        "model.encoder.blocks_per_layer",
        "encoder.blocks_per_layer",
        "encoder_blocks_per_layer",
        "blocks_per_layer",
    ),
    "encoder_dropout": ("model.encoder.dropout", "encoder.dropout", "encoder_dropout"),
    "encoder_width": ("model.encoder.n_filters", "encoder.n_filters", "encoder_n_filters", "n_filters"),
    "free_bits": ("loss.free_bits", "free_bits"),
    "input_is_sum": ("data.input_is_sum", "input_is_sum"),
    "input_mean": ("statistics.input_mean", "data_mean.input", "input_mean", "input_means", "image_means"),
    "input_std": ("statistics.input_std", "data_std.input", "input_std", "input_stds", "image_stds"),
    "kl_formulation": ("loss.kl_loss_formulation", "kl_loss_formulation"),
    "kl_restriction": ("loss.kl_params.loss_type", "kl_params.loss_type"),
    "kl_weight": ("loss.kl_weight", "kl_weight"),
    "latent_channels": ("model.z_dims", "z_dims"),
    "log_variance": ("model.predict_logvar", "predict_logvar"),
    "log_variance_floor": ("model.logvar_lowerbound", "logvar_lowerbound"),
    "loss": ("loss.loss_type", "loss_type"),
    "maps": ("model.output_channels", "output_channels"),
    "naive_variance": ("model.decoder.stochastic_use_naive_exponential", "stochastic_use_naive_exponential"),
    "noise_model": ("model.enable_noise_model", "enable_noise_model"),
    "noise_model_1": ("model.noise_model_ch1_fpath", "noise_model_ch1_fpath"),
    "noise_model_2": ("model.noise_model_ch2_fpath", "noise_model_ch2_fpath"),
    "noise_model_learnable": ("model.noise_model_learnable", "noise_model_learnable"),
    "noise_model_type": ("model.noise_model_type", "noise_model_type"),
    "noise_share": ("loss.denoisplit_weight", "denoisplit_weight"),
    "normalise_latents": ("model.enable_topdown_normalize_factor", "enable_topdown_normalize_factor"),
    "own_context_blocks": ("model.multiscale_lowres_separate_branch", "multiscale_lowres_separate_branch"),
    "patch": ("data.image_size", "image_size", "input_shape"),
    "retain_decoder": (
        "model.decoder.multiscale_retain_spatial_dims",
        "decoder.multiscale_retain_spatial_dims",
    ),
    "retain_encoder": ("model.multiscale_retain_spatial_dims", "multiscale_retain_spatial_dims"),
    "scales": ("data.multiscale_lowres_count", "multiscale_lowres_count", "multiscale_count"),
    "strides": ("model.encoder_conv_strides", "encoder_conv_strides"),
    "target_mean": ("statistics.target_mean", "data_mean.target", "target_mean", "target_means"),
    "target_std": ("statistics.target_std", "data_std.target", "target_std", "target_stds"),
}
"""The project's name of each setting, and endings of the paths of its keys, the usual ending first."""

FIXED: Mapping[str, tuple[object, ...]] = {
    "architecture": ("LVAE",),
    "batchnorm": (True,),
    "color_ch": (1,),
    "conv2d_bias": (True,),
    "gated": (True,),
    "learn_top_prior": (True,),
    "merge_type": ("residual",),
    "no_initial_downscaling": (True,),
    "non_stochastic_version": (False, None),
    "nonlin": ("elu",),
    "nonlinearity": ("ELU",),
    "reconstruction_mode": (False, None),
    "res_block_kernel": (3, [3, 3], None),
    "res_block_skip_padding": (False, None),
    "res_block_type": ("bacdbacd",),
    "skip_bottomk_buvalues": (0, None),
    "stochastic_skip": (True,),
    "tethered_to_input": (False, None),
}
"""Keys that describe other types of networks, and the values that supported networks have."""

_CAREAMICS = ("algorithm_config", "architecture", "input_shape", "multiscale_count", "output_channels")
_ENDINGS = {ending: name for name, endings in SETTINGS.items() for ending in endings}
_SHARED = {
    ending: tuple(name for name, endings in SETTINGS.items() if ending in endings) for ending in _ENDINGS
}


@attrs.frozen
class ForeignConfig:
    """The settings of a config that matter here.

    Attributes:
        name: name of the config in messages.
        values: path of the key and value of every setting.
        unused: paths of the other keys.
        careamics: whether CAREamics wrote the config; its networks have fewer settings.
    """

    name: str
    values: Mapping[str, tuple[str, Any]]
    unused: tuple[str, ...]
    careamics: bool

    def __contains__(self, setting: str) -> bool:
        return setting in self.values

    def key(self, setting: str) -> str:
        """Path of the key of a setting; the usual path if the config lacks it."""
        return self.values[setting][0] if setting in self.values else SETTINGS[setting][0]

    def get(self, setting: str, default: Any = None) -> Any:
        """Value of a setting as in the config."""
        return self.values[setting][1] if setting in self.values else default

    def need(self, setting: str, careamics: Any, why: str) -> Any:
        """Value of a setting that the weights do not tell.

        Args:
            setting: the project's name of the setting.
            careamics: its fixed value in CAREamics.
            why: its purpose, for the message.

        Raises:
            CheckpointError: the config lacks it.
        """
        if setting not in self.values and not self.careamics:
            raise CheckpointError(
                f"{self.name}: {self.key(setting)} is missing; the weights do not tell {why}. "
                f"Add it as it was in training."
            )
        return self.get(setting, careamics)

    def flag(self, setting: str, default: bool) -> bool:
        """Value of a boolean setting."""
        value = self.get(setting, default)
        return value if isinstance(value, bool) else self._refuse(setting, "true or false")

    def number(self, setting: str, default: float | None = None) -> float | None:
        """Value of a numeric setting; None if it is null."""
        value = self.get(setting, default)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        return float(self._refuse(setting, "a number"))

    def numbers(self, setting: str) -> tuple[float, ...] | None:
        """Value of a setting with one or more numbers, in lists of any depth; None if missing."""
        value = self.get(setting)
        if value is None:
            return None
        flat = _flat(value)
        if not flat or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in flat):
            self._refuse(setting, "a number or a list of them")
        return tuple(flat)

    def integers(self, setting: str) -> tuple[int, ...] | None:
        """Value of a setting with one or more whole numbers, in lists of any depth; None if missing."""
        values = self.numbers(setting)
        if values is None:
            return None
        if any(isinstance(value, float) and not value.is_integer() for value in values):
            self._refuse(setting, "a whole number or a list of them")
        return tuple(int(value) for value in values)

    def choice(self, setting: str, options: Mapping[Any, str], default: str) -> str:
        """The project's word for the value of a setting."""
        if setting not in self.values:
            return default
        value = self.get(setting)
        if not isinstance(value, str | bool | None) or value not in options:
            self._refuse(setting, f"one of {', '.join(show(option) for option in options)}")
        return options[value]

    def _refuse(self, setting: str, expected: str) -> Any:
        raise CheckpointError(
            f"{self.name}: {self.key(setting)} must be {expected} (got {json.dumps(self.get(setting))}). "
            f"Write it as it was in training."
        )


def read_config(source: Path | Mapping[str, Any]) -> ForeignConfig:
    """Read a config from a JSON or YAML file, or from plain values.

    Keys may be nested or dotted paths, and may be anywhere: only the end of a path counts.

    Raises:
        SpecError: not a readable file, or values that are not plain.
        CheckpointError: not a mapping, a key twice with different values, or another type of network.
    """
    if isinstance(source, Path):
        name, values = str(source), plain(read_document(read_text(source), str(source)))
    else:
        name, values = "config", plain(node_of(source, "config"))
    if not isinstance(values, dict) or not values:
        raise CheckpointError(
            f"{name}: is not a config (got {show(values)}). Write the keys and values of the training config "
            f"as JSON or YAML."
        )
    found: dict[str, tuple[str, Any]] = {}
    unused: list[str] = []
    leaves = _leaves(values, "")
    for path, value in leaves:
        _require_known_sort(name, path, value)
        settings = _settings(path)
        if not settings and path.rpartition(".")[2] not in FIXED:
            unused.append(path)
        for setting in settings:
            _note(found, setting, path, value, name)
    careamics = any(part in _CAREAMICS for path, _ in leaves for part in path.split("."))
    return ForeignConfig(name, found, tuple(unused), careamics)


def _settings(path: str) -> tuple[str, ...]:
    """The settings that a key holds: those of its longest known ending."""
    endings = [ending for ending in _ENDINGS if f".{path}".endswith(f".{ending}")]
    return _SHARED[max(endings, key=len)] if endings else ()


def _note(found: dict[str, tuple[str, Any]], setting: str, path: str, value: Any, name: str) -> None:
    first = found.get(setting)
    if first is not None and first[1] != value:
        raise CheckpointError(
            f"{name}: {first[0]} and {path} say different things (got {json.dumps(first[1])} and "
            f"{json.dumps(value)}). Keep the one that was used in training."
        )
    found.setdefault(setting, (path, value))


def _require_known_sort(name: str, path: str, value: Any) -> None:
    accepted = FIXED.get(path.rpartition(".")[2])
    if accepted and not any(type(value) is type(option) and value == option for option in accepted):
        raise CheckpointError(
            f"{name}: {path} is {json.dumps(value)}, and networks of this sort cannot be imported "
            f"(only {json.dumps(accepted[0])} can)."
        )


def _leaves(values: Mapping[str, Any], above: str) -> list[tuple[str, Any]]:
    """Paths of all keys whose value is not a mapping."""
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        path = f"{above}.{key}" if above else key
        found += _leaves(value, path) if isinstance(value, Mapping) else [(path, value)]
    return found


def _flat(value: Any) -> list[Any]:
    return [leaf for item in value for leaf in _flat(item)] if isinstance(value, list) else [value]
