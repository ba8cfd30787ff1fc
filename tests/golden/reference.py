"""Reads the reference networks and gives their weights our names."""

import json
import re
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from denoisplit.core.network.interfaces import IntensityStats, KLScheme, NoiseModel
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder

# reference name -> our name, applied in this order
_RENAME = (
    (r"^first_bottom_up\.0\.", "encoder.stem.0."),
    (r"^first_bottom_up\.2\.res\.block\.", "encoder.stem.2.layers."),
    (r"^bottom_up_layers\.(\d+)\.net_downsized\.0\.pre_conv\.", r"encoder.levels.\1.0.resample."),
    (r"^bottom_up_layers\.(\d+)\.net_downsized\.0\.res\.block\.", r"encoder.levels.\1.0.block.layers."),
    (r"^top_down_layers\.(\d+)\.top_prior_params$", r"decoder.levels.\1.prior"),
    (r"^top_down_layers\.(\d+)\.stochastic\.conv_in_p\.", r"decoder.levels.\1.prior."),
    (r"^top_down_layers\.(\d+)\.stochastic\.conv_in_q\.", r"decoder.levels.\1.latent.posterior."),
    (r"^top_down_layers\.(\d+)\.stochastic\.conv_out\.", r"decoder.levels.\1.latent.expand."),
    (r"^top_down_layers\.(\d+)\.merge\.layer\.0\.", r"decoder.levels.\1.merge.project."),
    (r"^top_down_layers\.(\d+)\.merge\.layer\.1\.block\.", r"decoder.levels.\1.merge.block.layers."),
    (r"^top_down_layers\.(\d+)\.skip_connection_merger\.layer\.0\.", r"decoder.levels.\1.skip.project."),
    (
        r"^top_down_layers\.(\d+)\.skip_connection_merger\.layer\.1\.block\.",
        r"decoder.levels.\1.skip.block.layers.",
    ),
    (
        r"^top_down_layers\.(\d+)\.deterministic_block\.0\.pre_conv\.",
        r"decoder.levels.\1.upsample.0.resample.",
    ),
    (
        r"^top_down_layers\.(\d+)\.deterministic_block\.0\.res\.block\.",
        r"decoder.levels.\1.upsample.0.block.layers.",
    ),
    (r"^final_top_down\.(\d+)\.res\.block\.", r"decoder.final.\1.layers."),
    (r"^output_layer\.", "decoder.output."),
)


def rename(name: str) -> str:
    """Our name of a reference tensor."""
    for pattern, replacement in _RENAME:
        changed = re.sub(pattern, replacement, name)
        if changed != name:
            return changed
    return name


@attrs.frozen
class ReferenceNetwork:
    """Arrays and configuration of one reference network."""

    arrays: dict[str, Any]
    meta: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> "ReferenceNetwork":
        """Read one file of ``networks/``."""
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        return cls(arrays, json.loads(str(arrays.pop("meta"))))

    @property
    def levels(self) -> int:
        """Number of levels."""
        return int(self.meta["config"]["levels_L"])

    def tensor(self, key: str) -> Tensor:
        """One array in float64."""
        return torch.from_numpy(self.arrays[key].astype(np.float64))

    def draws(self, prefix: str = "") -> list[Tensor]:
        """The standard normal draws, finest level first."""
        return [self.tensor(f"{prefix}eps_{level}") for level in range(self.levels)]

    def build(self, noise_model: NoiseModel, kl_scheme: KLScheme, statistics: IntensityStats) -> VSE:
        """The same network here, with the reference weights, in float64 and evaluation mode."""
        config = self.meta["config"]
        encoder = LadderEncoder(
            LadderEncoder.Options(levels=self.levels, width=config["filters_F"]),
            spatial_rank=2,
            in_channels=1,
        )
        decoder = LadderDecoder(
            LadderDecoder.Options(latent_channels=tuple(config["latent_channels_per_level_bottom_to_top"])),
            feature_shapes=encoder.feature_shapes,
            out_maps=config["target_channels_C"] * (1 + noise_model.extra_maps),
            patch=(config["patch_side_P"],) * 2,
        )
        vse = VSE(
            encoder=encoder,
            decoder=decoder,
            noise_model=noise_model,
            kl_scheme=kl_scheme,
            statistics=statistics,
            spatial_rank=2,
        ).double()
        state = {**self.state(), **{f"noise_model.{k}": v for k, v in noise_model.state_dict().items()}}
        vse.load_state_dict(state, strict=True)
        return vse.eval()

    def state(self) -> dict[str, Tensor]:
        """Reference weights under our names, without aliases and noise models."""
        flat = self.tensor("state_flat")
        state: dict[str, Tensor] = {}
        for entry in self.meta["state_dict"]:
            if entry.get("alias_of") or entry["name"].startswith("noiseModel"):
                continue
            size = int(np.prod(entry["shape"]))
            value = flat[entry["offset"] : entry["offset"] + size].reshape(entry["shape"])
            integer = entry["name"].endswith("num_batches_tracked")
            state[rename(entry["name"])] = value.long() if integer else value
        return state
