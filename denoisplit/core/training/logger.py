"""The abstract base of loggers, which record the progress of a training."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Pixels [y x 3] of red, green and blue."""


class Logger(ABC):
    """Records the progress of a training, without changing it.

    If a logger fails, one warning is logged, it is left out, and the training continues. So the constructor
    should check what it can in advance, such as a missing package (``MissingPackageError``), but should not
    access a network before ``begin``.

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it, and ``folder``, the run
    folder, which does not exist yet.

    Attributes:
        takes_pictures: whether it uses pictures; if not, none are drawn for it.
    """

    takes_pictures: bool = False

    def __init__(self, options: Any, *, folder: Path) -> None:
        self.options = options
        self.folder = folder

    def begin(self, about: Mapping[str, Any], *, step: int) -> None:
        """Begin or continue the log of a training.

        Args:
            about: the spec, as plain numbers, texts, lists and mappings.
            step: step of the resume point, 0 for a new training. Records of later steps come again.
        """
        del about, step

    @abstractmethod
    def values(self, step: int, numbers: Mapping[str, float]) -> None:
        """Record the numbers of a validation and of the step before it.

        Args:
            step: optimiser steps done.
            numbers: values by name: ``learning_rate``, those of the step (``train_loss``, ``train_rate_0``,
                ...), and those of the validation (``val_loss``, ...).
        """

    def picture(self, step: int, title: str, pixels: Picture) -> None:
        """Record a picture of the network's prediction of a validation image."""
        del step, title, pixels

    def end(self, *, finished: bool) -> None:
        """End the log; ``finished`` unless the training was interrupted or failed."""
        del finished

    def state_dict(self) -> dict[str, Any]:
        """State for resume points, plain values and tensors; may also be called before ``begin``."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state; called before ``begin``."""
        del state_dict
