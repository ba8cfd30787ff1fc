"""What the class of every component has to be; it is checked when it loads."""

import difflib
import importlib
import inspect
from collections.abc import Mapping
from typing import Final

import attrs

from denoisplit.core.errors import BrokenPluginError

BASES: Final[Mapping[str, str]] = {
    "encoder": "denoisplit.core.network.interfaces:Encoder",
    "decoder": "denoisplit.core.network.interfaces:Decoder",
    "noise_model": "denoisplit.core.network.interfaces:NoiseModel",
    "kl_scheme": "denoisplit.core.network.interfaces:KLScheme",
    "calibrator": "denoisplit.core.network.interfaces:Calibrator",
    "image_format": "denoisplit.core.images.interfaces:ImageFormat",
    "dataset": "denoisplit.core.images.interfaces:Dataset",
    "metric": "denoisplit.core.assessment.metric:Metric",
    "augmentation": "denoisplit.core.images.augmentation:Augmentation",
}
"""The abstract base of every kind, by name: some of them import torch, which a listing must not."""


def imported(target: str) -> object:
    """The object that ``package.module:Name`` stands for."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def checked_class(loaded: object, *, kind: str, where: str) -> type:
    """The loaded component, if it keeps to the contract of its kind.

    Args:
        loaded: what the target named.
        kind: the kind it is registered as.
        where: kind, name and target, for messages.

    Raises:
        BrokenPluginError: not a final subclass of the base of the kind, or no attrs class ``Options``.
    """
    base = imported(BASES[kind])
    if not (isinstance(loaded, type) and isinstance(base, type) and issubclass(loaded, base)):
        raise BrokenPluginError(
            f"{where}: not a subclass of {BASES[kind]} (got {loaded!r}). Derive it from that class."
        )
    if inspect.isabstract(loaded):
        missing = ", ".join(sorted(getattr(loaded, "__abstractmethods__", ())))
        raise BrokenPluginError(f"{where}: the class is abstract. Implement {missing}.")
    options = getattr(loaded, "Options", None)
    if not (isinstance(options, type) and attrs.has(options)):
        raise BrokenPluginError(
            f"{where}: has no attrs class Options (got {options!r}). Nest one, even if empty."
        )
    return loaded


def did_you_mean(word: str, known: Mapping[str, object] | tuple[str, ...] | list[str]) -> str:
    """`` Did you mean X?`` with the closest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]}?" if close else ""
