"""Checks that noise models share: of images and files."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from denoisplit.core.errors import ChannelCountError, NoiseModelError
from denoisplit.core.network.interfaces import NoiseModel
from denoisplit.core.network.units import of_same_channels

Parameters = TypeVar("Parameters")


def with_parameters(
    observation: Tensor, signal: Tensor, parameters: Callable[[Tensor], Parameters]
) -> tuple[Tensor, Tensor, Parameters]:
    """Return observation and signal in at least float32, and the parameters at the signal."""
    observation, signal = of_same_channels(observation, signal)
    return observation, signal, parameters(signal)


def unfitted(model: NoiseModel) -> bool:
    """Whether a noise model has to be fitted before it is used; a compiler is not asked for its numbers."""
    return not torch.compiler.is_compiling() and model.needs_fit


def require_channels(image: Tensor, channels: int, name: str) -> None:
    """Check that an image [b c (z) y x] has the channels of a noise model.

    Raises:
        ChannelCountError: it has a different number.
    """
    if image.shape[1] != channels:
        raise ChannelCountError(
            f"noise model {name}: the image has {image.shape[1]} channels, the noise model {channels}. "
            f"Use images with the channels that the model was built for."
        )


def required_maps(extra: Tensor | None, signal: Tensor, name: str, what: str, instead: str) -> Tensor:
    """Return the maps of the network, one per channel, in the dtype of the signal.

    Args:
        extra: the maps; None if the network gave none.
        signal: [b c (z) y x], counts.
        name: name of the noise model.
        what: what the maps are, in the plural.
        instead: what needs none of them.

    Raises:
        NoiseModelError: there are none.
        ChannelCountError: they have another shape than the signal.
    """
    if extra is None:
        raise NoiseModelError(
            f"noise model {name}: the network gave no {what}. Build the network with extra_maps of the noise "
            f"model, or use {instead}."
        )
    if extra.shape != signal.shape:
        raise ChannelCountError(
            f"noise model {name}: {what} of shape {tuple(extra.shape)} do not fit the signal "
            f"{tuple(signal.shape)}. Give one map per channel."
        )
    return extra.to(signal.dtype)


def require_paths(paths: Sequence[Path], channels: int, name: str) -> None:
    """Check that there is one file per channel.

    Raises:
        ChannelCountError: there is another number.
    """
    if len(paths) != channels:
        raise ChannelCountError(
            f"noise model {name}: {len(paths)} files for {channels} channels. "
            f"Name one file per channel in `path`, the same one twice if channels share it."
        )


def not_fitted(name: str, paths: Sequence[Path] | None, nothing: str) -> NoiseModelError:
    """The error for a noise model that has ``nothing`` yet, or whose files were not found."""
    found = f"files not found: {', '.join(map(str, paths))}" if paths else f"no {nothing} yet"
    return NoiseModelError(
        f"noise model {name}: not fitted ({found}). Call fit, load a state dict, or name existing files in "
        f"`path`."
    )


def as_paths(value: Sequence[str | Path] | None) -> tuple[Path, ...] | None:
    """Convert an option `path`."""
    return None if value is None else tuple(Path(p) for p in value)
