"""The reference networks as the programs store them that trained them."""

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
import yaml
from torch import Tensor

from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture
from tests.golden.reference import ReferenceNetwork

INPUT_MEAN, INPUT_STD = 131.0, 37.5


def state(network: ReferenceNetwork) -> dict[str, Tensor]:
    """All tensors by the names of the reference, the second names of shared ones included."""
    flat = network.tensor("state_flat")
    found: dict[str, Tensor] = {}
    for entry in network.meta["state_dict"]:
        if "alias_of" in entry:
            found[entry["name"]] = found[entry["alias_of"]]
            continue
        size = int(np.prod(entry["shape"]))
        value = flat[entry["offset"] : entry["offset"] + size].reshape(entry["shape"])
        found[entry["name"]] = value.to(getattr(torch, entry["dtype"]))
    return found


def target_mean(network: ReferenceNetwork) -> list[float]:
    return [110.0 + 20 * channel for channel in range(network.channels)]


def target_std(network: ReferenceNetwork) -> list[float]:
    return [30.0 + 7 * channel for channel in range(network.channels)]


def config(network: ReferenceNetwork) -> dict[str, Any]:
    """The config of the training, as far as the network depends on it."""
    statistics = {
        "input_mean": INPUT_MEAN,
        "input_std": INPUT_STD,
        "target_mean": target_mean(network),
        "target_std": target_std(network),
    }
    chosen = _careamics(network) if "input_depth_Z" in network.config else _denoisplit(network)
    return {**chosen, "statistics": statistics}


def _careamics(network: ReferenceNetwork) -> dict[str, Any]:
    given = network.config
    model = {
        "architecture": "LVAE",
        "input_shape": [given["input_depth_Z"], given["patch_side_P"], given["patch_side_P"]],
        "encoder_conv_strides": [1, 2, 2],
        "multiscale_count": 1,
        "z_dims": given["latent_channels_per_level_bottom_to_top"],
        "output_channels": given["target_channels_C"],
        "n_filters": given["filters_F"],
        "encoder_dropout": given["dropout"],
        "decoder_dropout": given["dropout"],
        "nonlinearity": "ELU",
        "predict_logvar": given["predict_logvar"],
        "analytical_kl": given["analytical_kl"],
    }
    loss = {"loss_type": "musplit", "kl_params": {"loss_type": "kl"}}
    return {"algorithm_config": {"algorithm": "microsplit", "model": model, "loss": loss}}


def _denoisplit(network: ReferenceNetwork) -> dict[str, Any]:
    given = network.config
    divisors = given["latent_divisor_f_per_level"]
    scales = given["input_scales_M"]
    encoder = {
        "n_filters": given["filters_F"],
        "blocks_per_layer": given["blocks_per_layer_encoder"],
        "dropout": given["dropout"],
        "batchnorm": True,
        "res_block_kernel": 3,
        "res_block_skip_padding": False,
    }
    decoder = {
        **encoder,
        "blocks_per_layer": given["blocks_per_layer_decoder"],
        "conv2d_bias": True,
        "stochastic_use_naive_exponential": given["variance"].startswith("naive"),
        "multiscale_retain_spatial_dims": given["decoder_retain_D"],
    }
    if given["decoder_retain_D"] is None:
        del decoder["multiscale_retain_spatial_dims"]
    return {
        "data": {
            "image_size": given["patch_side_P"],
            "multiscale_lowres_count": None if scales == 1 else scales,
            "input_is_sum": False,
        },
        "loss": {"loss_type": 0, "kl_loss_formulation": "", "free_bits": 1.0, "kl_weight": 1.0},
        "model": {
            "z_dims": given["latent_channels_per_level_bottom_to_top"],
            "encoder": encoder,
            "decoder": decoder,
            "nonlin": "elu",
            "merge_type": "residual",
            "stochastic_skip": True,
            "learn_top_prior": True,
            "res_block_type": "bacdbacd",
            "gated": True,
            "no_initial_downscaling": True,
            "analytical_kl": given["analytical_kl"],
            "var_clip_max": given["var_clip_max"],
            "predict_logvar": given["predict_logvar"],
            "logvar_lowerbound": given["logvar_lowerbound"],
            "multiscale_retain_spatial_dims": bool(given["encoder_retain_E"]),
            "multiscale_lowres_separate_branch": False,
            "enable_topdown_normalize_factor": len(divisors) <= 4 or divisors != [1.0] * len(divisors),
            "enable_noise_model": given["likelihood"] == "noise_model",
            "noise_model_type": "gmm",
        },
        "training": {"lr": 1e-3},
    }


@attrs.frozen
class Files:
    """A network in the files of another program."""

    network: ReferenceNetwork
    checkpoint: Path
    config: Path
    noise_models: tuple[Path, ...]

    @property
    def arguments(self) -> list[object]:
        """Those of the command, without ``--out``."""
        noise = [part for path in self.noise_models for part in ("--noise-model", path)]
        return ["import-checkpoint", self.checkpoint, "--config", self.config, *noise]


def write_checkpoint(path: Path, tensors: dict[str, Tensor]) -> None:
    """A checkpoint of Lightning."""
    torch.save(
        {"epoch": 3, "global_step": 70, "pytorch-lightning_version": "2.1.0", "state_dict": tensors}, path
    )


def write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, allow_pickle=False, **arrays)


def write_config(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def write(network: ReferenceNetwork, folder: Path) -> Files:
    """All files of a network."""
    checkpoint, settings = folder / "BaselineVAECL_best.ckpt", folder / "config.yaml"
    # Modules of CAREamics hold their network under a name.
    prefix = "model." if "input_depth_Z" in network.config else ""
    write_checkpoint(checkpoint, {prefix + name: tensor for name, tensor in state(network).items()})
    write_config(settings, config(network))
    noise_models = []
    for channel, about in enumerate(network.meta.get("noise_models", [])):
        noise_models.append(folder / f"GMMNoiseModel_{channel}.npz")
        weight = network.arrays[f"noise_model_{channel}_weight"].astype(np.float64)
        content = ChannelMixture(weight, about["min_signal"], about["max_signal"], about["min_sigma"])
        write_mixture(noise_models[-1], content)
    return Files(network, checkpoint, settings, tuple(noise_models))
