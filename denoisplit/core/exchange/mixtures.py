"""Noise models of other programs, from their files and checkpoints.

Source: method sections 2.2, 4.1 and 12.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor

from denoisplit.core.errors import CheckpointError
from denoisplit.core.exchange.config import ForeignConfig
from denoisplit.core.numpy_files import read_npz

MIXTURE = "gmm"
_RANGE = ("min_signal", "max_signal", "min_sigma")
_EXTRAS = ("tolerance", "tol", "data_mean", "data_std")
"""Constants that some versions of CAREamics store with a noise model."""


@attrs.frozen
class Mixture:
    """The noise model of one channel.

    Attributes:
        file: file in the exchange format; None if the checkpoint is complete.
        name: name of its weights in the checkpoint.
        tensors: tensors of the checkpoint, by the last part of their names.
        learnable: whether it was trained with the network, so that the checkpoint overrides the file.
    """

    file: Path | None
    name: str
    tensors: Mapping[str, Tensor]
    learnable: bool

    @property
    def options(self) -> dict[str, Any]:
        """Options of the component ``gaussian_mixture``."""
        known: dict[str, Any] = {}
        if "weight" in self.tensors:
            rows, coefficients = self.tensors["weight"].shape
            known = {"components": rows // 3, "coefficients": coefficients}
        if self.file is not None:
            known["path"] = [str(self.file.absolute())]
        return {**known, "learnable": self.learnable}

    def numbers(self, prefix: str) -> dict[str, Tensor]:
        """Tensors that only the checkpoint holds, by this project's names, with ``prefix``."""
        found: dict[str, Tensor] = {}
        if self.file is None or self.learnable:
            weight = self.tensors["weight"].float()
            found["weights"] = weight.reshape(1, 3, -1, weight.shape[1])
        if self.file is None:
            low, high, floor = (self.tensors[key].double().reshape(()) for key in _RANGE)
            found["signal_range"] = torch.stack([low, high]).float()[None]
            found["variance_floor"] = torch.stack([floor.float(), (floor - floor.float()).float()])[None]
        return {prefix + name: tensor for name, tensor in found.items()}


def read_mixtures(
    config: ForeignConfig, noise: Mapping[str, Tensor], files: Sequence[Path], channels: int, where: str
) -> tuple[Mixture, ...]:
    """Read the noise model of every channel.

    Raises:
        CheckpointError: another type of noise model, or files and tensors that do not fit the channels.
    """
    if config.get("noise_model_type", MIXTURE) != MIXTURE:
        raise CheckpointError(
            f"{config.name}: {config.key('noise_model_type')} is {config.get('noise_model_type')}, and such "
            f"noise models cannot be imported (only {MIXTURE} can)."
        )
    learnable = config.flag("noise_model_learnable", False)
    found = files or _named_files(config, channels)
    if len(found) not in (0, 1, channels):
        raise CheckpointError(
            f"--noise-model: {len(found)} files for {channels} channels. Give one file per channel, in their "
            f"order, or one for all."
        )
    left = {n: t for n, t in noise.items() if n.rpartition(".")[2] not in _EXTRAS}
    mixtures: list[Mixture] = []
    used: set[str] = set()
    for channel in range(channels):
        name, tensors = _of_channel(left, channel)
        used |= {name + key for key in tensors}
        file = found[min(channel, len(found) - 1)] if found else None
        complete = all(key in tensors for key in ("weight", *_RANGE))
        if file is None and not complete:
            raise _incomplete(config, channel, where)
        if file is not None and not file.is_file():
            raise CheckpointError(f"{file}: there is no such file. Give the .npz file of the noise model.")
        if "weight" in tensors and (tensors["weight"].ndim != 2 or len(tensors["weight"]) % 3):
            raise CheckpointError(
                f"{where}: the tensor {name}weight has a wrong shape (got "
                f"{list(tensors['weight'].shape)}, expected 3 rows per component). "
                f"Give a checkpoint with Gaussian-mixture noise models."
            )
        mixtures.append(Mixture(file, name + "weight", tensors, learnable and "weight" in tensors))
    unexpected = [name for name in left if name not in used]
    if unexpected:
        raise CheckpointError(
            f"{where}: tensors of noise models are left over (got {', '.join(unexpected)} for {channels} "
            f"channels). Give one mean and standard deviation per target channel."
        )
    return tuple(mixtures)


def _of_channel(noise: Mapping[str, Tensor], channel: int) -> tuple[str, dict[str, Tensor]]:
    """Prefix of the names of a channel's noise model, and its tensors.

    denoiSplit has two noise models, the second for all channels but the first; CAREamics has one per channel.
    """
    prefixes = (f"noiseModel.n{min(channel, 1) + 1}model.", f"noise_model.nmodel_{channel}.", "noise_model.")
    for prefix in prefixes:
        found = {
            name.removeprefix(prefix): tensor
            for name, tensor in noise.items()
            if name.startswith(prefix) and "." not in name.removeprefix(prefix)
        }
        if found:
            return prefix, found
    return "", {}


def _named_files(config: ForeignConfig, channels: int) -> list[Path]:
    """The files named in a config of denoiSplit, if they exist on this computer."""
    named = [config.get("noise_model_1"), *[config.get("noise_model_2")] * (channels - 1)]
    paths = [Path(path) for path in named if isinstance(path, str)]
    return paths if len(paths) == channels and all(path.is_file() for path in paths) else []


def _incomplete(config: ForeignConfig, channel: int, where: str) -> CheckpointError:
    path = config.get("noise_model_2" if channel and "noise_model_2" in config else "noise_model_1")
    named = f"; {path} of the config is not on this computer" if path else ""
    return CheckpointError(
        f"{where}: does not hold the whole noise model of channel {channel + 1}{named}. "
        f"Give its .npz file with --noise-model, once per channel."
    )


def require_same(mixtures: Sequence[Mixture], where: str) -> None:
    """Check that the files hold the noise models with which the network was trained.

    Raises:
        CheckpointError: the noise models in a file and in the checkpoint differ.
    """
    for mixture in mixtures:
        file, weight = mixture.file, mixture.tensors.get("weight")
        if file is None or weight is None or mixture.learnable:
            continue
        try:
            stored = torch.from_numpy(np.asarray(read_npz(file)["trained_weight"], dtype=np.float32))
        except (OSError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"{file}: is not a readable noise model ({error}). Copy it again."
            ) from error
        if stored.shape != weight.shape or not torch.allclose(stored, weight.float(), rtol=1e-5, atol=1e-6):
            raise CheckpointError(
                f"{file}: is another noise model than {mixture.name} in {where} (got weights of shape "
                f"{list(stored.shape)} and {list(weight.shape)} that differ). Give the files that the "
                f"network was trained with, in the order of its channels."
            )
