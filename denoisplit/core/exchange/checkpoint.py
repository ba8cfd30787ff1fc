"""Weight files of other programs. Nothing in them is ever executed."""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from safetensors.torch import load_file
from torch import Tensor

from denoisplit.core.errors import CheckpointError
from denoisplit.core.numpy_files import read_npz

WRAPPERS = ("model.", "module.", "_orig_mod.")
"""Prefixes that Lightning modules, parallel and compiled networks add to tensor names."""

_INSIDE = "state_dict"
_STEPS = "global_step"
_TORCH = (b"PK", b"\x80")
"""First bytes of torch files: zip archives, and older files, which are pickles."""

_SEEN = 1000
_CLASS = re.compile(r"GLOBAL ([\w.]+)")


@attrs.frozen
class Checkpoint:
    """The content of a weight file.

    Attributes:
        tensors: tensors by their original names, without wrapper prefixes.
        steps: number of optimiser steps, 0 if the file does not say.
    """

    tensors: Mapping[str, Tensor]
    steps: int


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a Lightning checkpoint, or a bare state dict (torch, ``.npz`` or ``.safetensors``).

    Raises:
        CheckpointError: no such file, truncated, in another format, with Python objects, or without tensors.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file. Give the file with the trained weights.")
    content = _content(path)
    state = content.get(_INSIDE, content)
    steps = content.get(_STEPS)
    if not isinstance(state, Mapping) or not state:
        raise CheckpointError(f"{path}: holds no tensors. Give the file with the trained weights.")
    tensors: dict[str, Tensor] = {}
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise CheckpointError(
                f"{path}: is not a state dict ({key!s:.60} is not a tensor, got {type(value).__name__}). "
                f"Save model.state_dict() with torch.save and give that file."
            )
        name = _unwrapped(str(key))
        if name in tensors:
            raise CheckpointError(
                f"{path}: two tensors are called {name} without the prefixes {', '.join(WRAPPERS)}. "
                f"Save the state dict of one network."
            )
        tensors[name] = value
    broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise CheckpointError(
            f"{path}: weights are NaN or infinite ({', '.join(broken)}). Give a checkpoint from before that."
        )
    return Checkpoint(tensors, steps if isinstance(steps, int) else 0)


def _content(path: Path) -> Mapping[str, Any]:
    try:
        if path.suffix == ".npz":
            return {key: torch.from_numpy(array) for key, array in read_npz(path).items()}
        if path.suffix == ".safetensors":
            return load_file(path)
        _require_torch_file(path)
        with warnings.catch_warnings():
            # Torch warns of pickles from other programs, which are refused below anyway.
            warnings.simplefilter("ignore", UserWarning)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        found = _CLASS.search(str(error))
        raise CheckpointError(
            f"{path}: holds Python objects beside tensors, which are not loaded because they could run any "
            f"code (got {found[1] if found else 'a pickle'}). If you trust the file, open it in the "
            f"program that wrote it and save the weights alone: torch.save(model.state_dict(), 'weights.pt')."
        ) from error
    except Exception as error:  # torch raises whatever its unpickler comes across
        reason = str(error).partition("\n")[0][:100]
        raise _unreadable(path, reason or type(error).__name__) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path}: is not a state dict (got {type(content).__name__}). "
            f"Save model.state_dict() with torch.save and give that file."
        )
    return content


def _require_torch_file(path: Path) -> None:
    """Refuse files that are neither archives nor pickles: torch takes any text for a pickle.

    Raises:
        CheckpointError: a file of another kind.
    """
    with path.open("rb") as file:
        beginning = file.read(_SEEN)
    if beginning.startswith(_TORCH):
        return
    if not beginning:
        raise _unreadable(path, "it is empty")
    what = "text" if beginning.isascii() and 0 not in beginning else "a file of another kind"
    raise CheckpointError(
        f"{path}: is not a checkpoint (got {what}). Give the file with the trained weights, a .ckpt, .pt, "
        f".pth, .npz or .safetensors file."
    )


def _unreadable(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: is truncated or not a checkpoint ({reason}). Copy it again, or give a .ckpt, .pt, .pth, "
        f".npz or .safetensors file."
    )


def _unwrapped(name: str) -> str:
    for prefix in WRAPPERS:
        if name.startswith(prefix):
            return _unwrapped(name.removeprefix(prefix))
    return name
