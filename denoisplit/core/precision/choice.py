"""The precision of a network on a device, for its training or for predictions."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any, Final

import attrs
import torch

from denoisplit.core.devices import AUTO, PRECISIONS, TF32, has_bf16_units, processor
from denoisplit.core.errors import BrokenPluginError, RunError
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.kept import keep, recall
from denoisplit.core.precision.probe import MEASURED, Purpose, deviation, images_of, probe
from denoisplit.core.registry.blame import blaming
from denoisplit.core.spec.records import ResolvedSpec, components

VARIABLE: Final = "DENOISPLIT_PRECISION"
"""Environment variable that replaces the measurement for ``auto``."""

WORTH: Final = 0.98
"""Share of the time of float32 that bf16 may take at most; a smaller gain does not justify its rounding."""

DEVIATION: Final = "deviation of bf16"
"""Name, beside those of the precisions, of the relative error of the numbers."""

WRONG: Final = 0.7
"""Relative error from which numbers are wrong, not rounded: a hundredth is usual, a third was seen."""

FULL, SHORT = MEASURED


@attrs.frozen
class Choice:
    """A precision and the reason for it."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


def choose(spec: ResolvedSpec, vse: VSE, device: torch.device, purpose: Purpose) -> Choice:
    """Choose the precision of a network: that of its spec, or the fastest for ``auto``.

    On a processor with units for bf16, both are measured once per type of processor, version of torch, number
    of threads, and architecture; results are kept (``kept``). So is whether bf16 computes wrong numbers, as
    some kernels do. On other devices, the fastest is known: bf16 if
    a GPU supports it.

    Raises:
        RunError: the environment asks for an unknown precision.
    """
    if spec.training.precision != AUTO:
        return _asked(spec.training.precision, "as the spec says", device)
    if said := os.environ.get(VARIABLE, ""):
        if said not in PRECISIONS:
            raise RunError(f"{VARIABLE}: no such precision (got {said!r}). Use {' or '.join(PRECISIONS)}.")
        return _asked(said, f"as {VARIABLE} says", device)
    if not has_bf16_units(device):
        return Choice(FULL, f"{device.type} has no units for {SHORT}")
    if device.type != "cpu":
        return Choice(SHORT, f"{device.type} has units for it")
    try:
        return fastest(_measured(spec, vse, purpose))
    except BrokenPluginError as error:
        # An error in all precisions is reported when the network is used.
        return Choice(FULL, f"nothing could be measured: {error}")


def _asked(name: str, why: str, device: torch.device) -> Choice:
    """The requested precision, or the closest one that the device supports."""
    if name == TF32 and device.type != "cuda":
        return Choice(FULL, f"{device.type} has no {TF32}")
    if name == SHORT and not has_bf16_units(device):
        return Choice(name, f"{why}, but {device.type} has no units for it: {FULL} can be many times faster")
    return Choice(name, why)


def fastest(seconds: Mapping[str, float]) -> Choice:
    """The precision that measured times favour, if it is not one that computes wrong numbers."""
    if seconds.get(DEVIATION, 0.0) > WRONG:
        return Choice(FULL, f"in {SHORT}, PyTorch computes wrong numbers of this network on this machine")
    ratio = seconds[SHORT] / seconds[FULL]
    name = SHORT if ratio < WORTH else FULL
    return Choice(name, f"{SHORT} takes {ratio:.2f} of the time of {FULL}, measured on this machine")


def _measured(spec: ResolvedSpec, vse: VSE, purpose: Purpose) -> dict[str, float]:
    images = images_of(vse, spec.training)
    facts: dict[str, Any] = {
        "processor": processor(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "purpose": purpose.value,
        "images": list(images.shape),
        "network": hashlib.sha256(f"{vse.encoder}{vse.decoder}".encode()).hexdigest(),
    }
    seconds = recall(facts)
    if seconds is None or set(seconds) != {*MEASURED, DEVIATION}:
        rows = [row for row in components(spec) if row.kind in ("encoder", "decoder", "kl_scheme")]
        with blaming(rows, f"fails in a pass of the {purpose}, of which the time was to be measured"):
            off = min(max(deviation(vse, images, purpose), 1e-9), 1e9)  # kept are positive numbers only
            seconds = {**probe(vse, images, purpose), DEVIATION: off}
        keep(facts, seconds)
    return seconds
