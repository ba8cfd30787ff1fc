"""Mode of computation of training steps."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from denoisplit.core.devices import deterministic, rounding
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.steps.compiling import compiled_blocks


@contextmanager
def computing(vse: VSE, spec: TrainingSpec, device: torch.device) -> Iterator[None]:
    """Context for training steps: compiled, deterministic and rounded as the spec and the network say."""
    with (
        compiled_blocks(vse) if spec.compile else nullcontext(),
        deterministic(device) if spec.deterministic else nullcontext(),
        rounding(device, tf32=vse.tf32),
    ):
        yield
