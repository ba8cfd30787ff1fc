"""Reads the reference networks and builds them with our components."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np
import torch
from torch import Tensor

from denoisplit.core.exchange.tensor_names import our_name
from denoisplit.core.network.interfaces import Encoder, Features, IntensityStats, KLScheme, NoiseModel
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.encoders.ladder_3d_to_2d import LadderEncoder3dTo2d
from denoisplit.plugins.encoders.lateral_context import LateralContextEncoder

_MERGE = re.compile(r"^bottom_up_layers\.(\d+)\.lowres_merge\.")


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
    def config(self) -> dict[str, Any]:
        """Hyper-parameters."""
        return dict(self.meta["config"])

    @property
    def levels(self) -> int:
        """Number of levels."""
        return int(self.config["levels_L"])

    @property
    def channels(self) -> int:
        """Number of target channels."""
        return int(self.config["target_channels_C"])

    @property
    def scales(self) -> int:
        """Scales of the input."""
        return int(self.config.get("input_scales_M", 1))

    @property
    def projects(self) -> bool:
        """Whether it makes one plane of a stack."""
        return bool(self.arrays["x"].ndim > self.arrays["out"].ndim)

    def tensor(self, key: str) -> Tensor:
        """One array in float64."""
        return torch.from_numpy(self.arrays[key].astype(np.float64))

    def draws(self, prefix: str = "") -> list[Tensor]:
        """The standard normal draws, finest level first."""
        return [self.tensor(f"{prefix}eps_{level}") for level in range(self.levels)]

    def build(self, noise_model: NoiseModel, kl_scheme: KLScheme, statistics: IntensityStats) -> VSE:
        """The same network here, with the reference weights, in float64 and evaluation mode."""
        encoder = self._encoder()
        divisors = self.config["latent_divisor_f_per_level"]
        decoder = LadderDecoder(
            LadderDecoder.Options(
                latent_channels=tuple(self.config["latent_channels_per_level_bottom_to_top"]),
                blocks=self.config.get("blocks_per_layer_decoder", 1),
                clip=self.config["var_clip_max"],
                naive_variance=self.config["variance"].startswith("naive"),
                normalise_latents=self.levels <= 4 or divisors != [1.0] * self.levels,
            ),
            feature_shapes=encoder.feature_shapes,
            out_maps=self.channels * (1 + noise_model.extra_maps),
            patch=tuple(self.arrays["out"].shape[2:]),
        )
        vse = VSE(
            encoder=encoder,
            decoder=decoder,
            noise_model=noise_model,
            kl_scheme=kl_scheme,
            statistics=statistics,
            spatial_rank=self.arrays["x"].ndim - 2,
        ).double()
        state = {**self.state(), **{f"noise_model.{k}": v for k, v in noise_model.state_dict().items()}}
        vse.load_state_dict(state, strict=True)
        return vse.eval()

    def _encoder(self) -> Encoder:
        levels, width = self.levels, self.config["filters_F"]
        blocks = self.config.get("blocks_per_layer_encoder", 1)
        rank = self.arrays["x"].ndim - 2
        if self.projects:
            projecting = LadderEncoder3dTo2d.Options(levels=levels, width=width, blocks=blocks)
            return LadderEncoder3dTo2d(projecting, spatial_rank=rank, in_channels=1)
        if self.scales > 1:
            retain: dict[tuple[bool, bool], Literal["latents", "features", "neither"]] = {
                (True, True): "latents",
                (True, False): "features",
                (False, False): "neither",
            }
            flags = bool(self.config["encoder_retain_E"]), bool(self.config["decoder_retain_D"])
            lateral = LateralContextEncoder.Options(
                levels=levels,
                width=width,
                blocks=blocks,
                input_scales=self.scales,
                retain=retain[flags],
            )
            return LateralContextEncoder(lateral, spatial_rank=rank, in_channels=1)
        sizes = [
            list(self.arrays["x"].shape[2:]),
            *(shape[1:] for shape in self.meta["latent_shape_per_level"]),
        ]
        strides = tuple(
            tuple(fine // coarse for fine, coarse in zip(below, above, strict=True))
            for below, above in pairwise(sizes)
        )
        ladder = LadderEncoder.Options(levels=levels, width=width, blocks=blocks, strides=strides)
        return LadderEncoder(ladder, spatial_rank=rank, in_channels=1)

    def bottom_up(self, vse: VSE, mixed: Tensor) -> Features:
        """The features that the file holds: those of a projecting network before the projection."""
        if isinstance(vse.encoder, LadderEncoder3dTo2d):
            features: Features = vse.encoder.ladder(mixed)
            return features
        return vse.encode(mixed)

    def state(self) -> dict[str, Tensor]:
        """Reference weights under our names, without aliases, noise models and merges that nothing enters."""
        flat = self.tensor("state_flat")
        state: dict[str, Tensor] = {}
        for entry in self.meta["state_dict"]:
            if entry.get("alias_of") or entry["name"].startswith("noiseModel") or self._is_dead(entry):
                continue
            size = int(np.prod(entry["shape"]))
            value = flat[entry["offset"] : entry["offset"] + size].reshape(entry["shape"])
            integer = entry["name"].endswith("num_batches_tracked")
            # The surround has the blocks of the patch, under a name of its own.
            theirs = entry["name"].replace(".lowres_net.", ".net.")
            state[our_name(theirs, projects=self.projects) or theirs] = value.long() if integer else value
        return state

    @property
    def parameters(self) -> int:
        """Numbers that training can change, without those of merges that nothing enters."""
        entries = [e for e in self.meta["state_dict"] if not e.get("alias_of") and _is_parameter(e["name"])]
        count = self.meta.get("trainable_parameters", sum(int(np.prod(e["shape"])) for e in entries))
        return int(count) - sum(int(np.prod(e["shape"])) for e in entries if self._is_dead(e))

    def _is_dead(self, entry: dict[str, Any]) -> bool:
        """The reference gives every level a merge; those without a scale of their own never use it."""
        merge = _MERGE.match(entry["name"])
        return merge is not None and int(merge[1]) >= self.scales - 1


def _is_parameter(name: str) -> bool:
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return not name.endswith(buffers) and not name.startswith("noiseModel")
