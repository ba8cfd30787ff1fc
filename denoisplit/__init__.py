"""denoisplit: split superimposed fluorescence images and denoise them in the same step, with uncertainty.

The names below are imported when first used, so that ``import denoisplit`` is fast and needs no torch.
"""

import importlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from denoisplit.core.version import VERSION
from denoisplit.core.waiting import bound_spinning

if TYPE_CHECKING:
    from denoisplit.api import build, train
    from denoisplit.core import errors
    from denoisplit.core.errors import DenoisplitError
    from denoisplit.core.prediction.outputs.result import Prediction
    from denoisplit.core.registry.hookspecs import hookimpl
    from denoisplit.core.registry.registry import installed_registry, register
    from denoisplit.core.runs.imported import import_checkpoint
    from denoisplit.core.runs.run import Run, load
    from denoisplit.core.runs.sequence import SequentialRun, load_sequence
    from denoisplit.core.runs.sequence_training import train_sequence
    from denoisplit.core.spec.resolution import load_spec
    from denoisplit.core.spec.tree import read_spec
    from denoisplit.core.storage.image_files import read_image
    from denoisplit.core.training.watchers.watching import Watcher

bound_spinning(os.environ)  # before torch is loaded, which reads it

__version__: Final = VERSION

__all__ = [
    "DenoisplitError",
    "Prediction",
    "Run",
    "SequentialRun",
    "Watcher",
    "__version__",
    "build",
    "errors",
    "hookimpl",
    "import_checkpoint",
    "installed_registry",
    "load",
    "load_sequence",
    "load_spec",
    "read_image",
    "read_spec",
    "register",
    "train",
    "train_sequence",
]

_HOMES: Final[Mapping[str, str]] = {
    "DenoisplitError": "denoisplit.core.errors",
    "Prediction": "denoisplit.core.prediction.outputs.result",
    "Run": "denoisplit.core.runs.run",
    "SequentialRun": "denoisplit.core.runs.sequence",
    "Watcher": "denoisplit.core.training.watchers.watching",
    "build": "denoisplit.api",
    "hookimpl": "denoisplit.core.registry.hookspecs",
    "import_checkpoint": "denoisplit.core.runs.imported",
    "installed_registry": "denoisplit.core.registry.registry",
    "load": "denoisplit.core.runs.run",
    "load_sequence": "denoisplit.core.runs.sequence",
    "load_spec": "denoisplit.core.spec.resolution",
    "read_image": "denoisplit.core.storage.image_files",
    "read_spec": "denoisplit.core.spec.tree",
    "register": "denoisplit.core.registry.registry",
    "train": "denoisplit.api",
    "train_sequence": "denoisplit.core.runs.sequence_training",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name == "errors":
        return importlib.import_module("denoisplit.core.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}. It has {', '.join(__all__)}.")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
