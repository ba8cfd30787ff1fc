"""The abstract base of loggers: where the course of a training is taken down, for somebody to look at."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Pixels [y x 3] of red, green and blue."""


class Logger(ABC):
    """Takes down what a training tells, and changes nothing of it.

    One that fails is told once and left out, and the training goes on. So a constructor refuses what can be
    known before, such as a package that is not installed (``MissingPackageError``), and asks no network; that
    waits for ``begin``.

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it, and ``folder``: that of
    the run, which is not there yet.

    Attributes:
        takes_pictures: whether it does something with them; otherwise none is drawn for it.
    """

    takes_pictures: bool = False

    def __init__(self, options: Any, *, folder: Path) -> None:
        self.options = options
        self.folder = folder

    def begin(self, about: Mapping[str, Any], *, step: int) -> None:
        """A training begins, or goes on.

        Args:
            about: the spec, as plain numbers, texts, lists and mappings.
            step: of the point that it goes on from, 0 for a new one. What was taken down of later steps comes
                again.
        """
        del about, step

    @abstractmethod
    def values(self, step: int, numbers: Mapping[str, float]) -> None:
        """A validation, and the step before it.

        Args:
            step: optimiser steps done.
            numbers: by name: ``learning_rate``, those of the step (``train_loss``, ``train_rate_0``, ...),
                and those of the validation (``val_loss``, ...).
        """

    def picture(self, step: int, title: str, pixels: Picture) -> None:
        """What the network makes of an image of the validation."""
        del step, title, pixels

    def end(self, *, finished: bool) -> None:
        """Nothing more comes; ``finished`` unless the training was interrupted or failed."""
        del finished

    def state_dict(self) -> dict[str, Any]:
        """What resume points carry, plain values and tensors; may be asked for before ``begin``, too."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state; asked for before ``begin``."""
        del state_dict
