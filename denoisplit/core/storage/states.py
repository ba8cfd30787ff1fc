"""Numbers of a run on disk: weights as safetensors, and the state from which training resumes."""

import io
import logging
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from denoisplit.core.errors import RunError
from denoisplit.core.storage.atomic import write_bytes
from denoisplit.core.storage.digests import NAME, ZEROS, require_intact, sealed

_LOG = logging.getLogger("denoisplit.storage")

_MESSAGE_LENGTH: Final = 200


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write weights with their digest; the file appears whole or not at all.

    Raises:
        RunError: a weight is NaN or infinite.
        OSError: the file cannot be written.
    """
    _require_finite(path, weights, "Train again with a lower training.learning_rate.")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_bytes(path, sealed(safetensors.save(tensors, metadata={NAME: ZEROS})))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Load the weights in a file.

    Raises:
        RunError: no such file, damaged, truncated, or with NaN or infinite weights.
    """
    content = _read(path)
    try:
        weights = safetensors.load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise RunError(
            f"{path}: does not hold the weights of this run ({beginning(error)}). {_AGAIN}"
        ) from error
    _require_finite(path, weights, _AGAIN)
    return weights


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a training with its digest; the file appears whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    # In memory first: torch reports a full disk by an error that does not mention it.
    content = io.BytesIO()
    torch.save(dict(state), content)
    write_bytes(path, sealed(content.getvalue()))


def load_state(path: Path) -> dict[str, Any]:
    """Load the state of a training; nothing in the file is executed.

    Raises:
        RunError: no such file, damaged, truncated, or not such a state.
    """
    try:
        # Torch raises errors of many classes for files that it did not write.
        state = torch.load(io.BytesIO(_read(path)), map_location="cpu", weights_only=True)
    except RunError:
        raise
    except Exception as error:
        raise RunError(
            f"{path}: is not a state that training can resume from ({beginning(error)}). "
            f"Restore the file, or train into another folder."
        ) from error
    if not isinstance(state, dict):
        raise RunError(
            f"{path}: is not a state that training can resume from (got {type(state).__name__}). "
            f"Restore the file, or train into another folder."
        )
    return state


_AGAIN: Final = "Copy the run folder again, or train it again from its spec.yaml."


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}). Check the path and its mode.") from error
    if not require_intact(path, content):
        _LOG.warning("%s: holds no %s, as files of early versions do: damage would not show", path, NAME)
    return content


def beginning(error: Exception) -> str:
    """Beginning of an error of torch or safetensors, which list everything that does not fit."""
    return textwrap.shorten(str(error), _MESSAGE_LENGTH, placeholder=" ...")


def _require_finite(path: Path, weights: Mapping[str, Tensor], advice: str) -> None:
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise RunError(f"{path}: weights have to be finite (got NaN or infinity in {name}). {advice}")
