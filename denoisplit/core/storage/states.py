"""Numbers of a run on disk: weights as safetensors, and the state from which training resumes."""

import io
import logging
import textwrap
from collections import OrderedDict
from collections.abc import Mapping
from operator import is_
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from denoisplit.core.errors import RunError, in_one_line, uncoloured
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
    if not require_intact(path, content):
        _warn_of_unknown(path)
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
    write_bytes(path, sealed(_packed(state)))


def load_state(path: Path) -> dict[str, Any]:
    """Load the state of a training; nothing in the file is executed.

    Raises:
        RunError: no such file, damaged, truncated, or not such a state.
    """
    content = _read(path)
    is_known = require_intact(path, content, _ANEW)
    try:
        # Torch raises errors of many classes for files that it did not write.
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        cut = "" if is_known else ", or not all of it"  # the digest is at its end
        raise RunError(
            f"{path}: is not a state that training can resume from{cut} ({beginning(error)}). {_ANEW}"
        ) from error
    if not isinstance(state, dict):
        raise RunError(
            f"{path}: is not a state that training can resume from (got {type(state).__name__}). {_ANEW}"
        )
    if not is_known:
        _warn_of_unknown(path)
    return state


def through_a_file(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state as it is after it was saved and loaded.

    Raises:
        ValueError: it holds more than tensors and plain values; says what.
    """
    try:
        content = io.BytesIO(_packed(state))
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(content)
        if not foreign:
            content.seek(0)
            return dict(torch.load(content, weights_only=True))
    except Exception as error:  # pickle and torch raise errors of many classes
        raise ValueError(in_one_line(error)) from error
    raise ValueError(", ".join(foreign))


_ANEW: Final = "Restore the file, or delete it: then the training begins anew."
_AGAIN: Final = "Copy the run folder again, or train it again from its spec.yaml."


_AS_PYTHON: Final = (np.float64, np.integer, np.bool_)
"""NumPy's numbers that compute as Python's do, so that a resumed training gives the same: not float32."""


def _packed(state: Mapping[str, Any]) -> bytes:
    content = io.BytesIO()
    torch.save(_plain(dict(state)), content)
    return content.getvalue()


def _plain(value: Any) -> Any:
    """Return a value with Python's numbers in place of NumPy's, which are not loaded again.

    What has none of them stays the same object: states of networks have attributes beside their items.
    """
    if isinstance(value, _AS_PYTHON):
        return value.item()
    if type(value) in (dict, OrderedDict, list, tuple):
        items = [*(value.items() if isinstance(value, dict) else value)]
        found = [*map(_plain, items)]
        return value if all(map(is_, found, items)) else type(value)(found)
    return value


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}). Check the path and its mode.") from error


def _warn_of_unknown(path: Path) -> None:
    _LOG.warning("%s: holds no %s, as files of early versions do: damage would not show", path, NAME)


def beginning(error: Exception) -> str:
    """Beginning of an error of torch or safetensors, which list everything that does not fit."""
    return textwrap.shorten(uncoloured(error), _MESSAGE_LENGTH, placeholder=" ...")


def _require_finite(path: Path, weights: Mapping[str, Tensor], advice: str) -> None:
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise RunError(f"{path}: weights have to be finite (got NaN or infinity in {name}). {advice}")
