"""Weights of a training that its run keeps, and a check that they learnt something."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, final

import attrs
import torch
from torch import Tensor

from denoisplit.core.errors import NonFiniteLossError, TrainingError
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.data.batches import Pair
from denoisplit.core.training.steps.monitor import MONITORS
from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.core.training.watchers.watching import Moment, RememberingWatcher

_LOG = logging.getLogger("denoisplit.training")

ABSURD: Final = 1e6
"""Loss beyond any usable network, nats per pixel: the prediction is off by a thousand stds of the noise."""


@attrs.frozen
class Kept:
    """Weights and their validation loss.

    Attributes:
        step: optimiser steps done.
        loss: validation loss.
        weights: weights of the network, on the processor.
    """

    step: int
    loss: float
    weights: Mapping[str, Tensor] = attrs.field(eq=False, repr=False)


@final
class KeptWeights(RememberingWatcher):
    """Holds the weights for the run; resume points carry them.

    ``training.keep`` says which: those of the best validation, or the last ones. A validation takes one
    posterior sample of a few noisy fields: after the first few hundred steps, noise changes it more than
    learning does, so that the best one of many is a matter of luck (decision 15).
    """

    key = "kept weights"

    def __init__(self, training: TrainingSpec, task: SplittingTask, validation: Iterable[Pair]) -> None:
        self._keeps_last, self._monitor = training.keeps_last, MONITORS[training.monitor]
        self._task, self._validation = task, validation
        self._best = self._monitor.worst
        self._kept: Kept | None = None
        self._untrained = float("inf")

    @property
    def kept(self) -> Kept:
        """The weights to keep, once a training has ended."""
        if self._kept is None:
            raise RuntimeError("no training has ended")
        return self._kept

    def begun(self, now: Moment) -> None:
        """Measure the loss of the untrained network."""
        if now.step == 0:
            self._untrained = self._task.loss_of(self._validation)

    def validated(self, now: Moment) -> None:
        """Hold the weights of a best validation, if these are to be kept."""
        value = now.values[self._monitor.name]
        if self._keeps_last or not self._monitor.improves(value, self._best):
            return
        self._best = value
        self._kept = Kept(now.step, now.values[MONITORS["loss"].name], self._weights(now.step))

    def ended(self, now: Moment) -> None:
        """Hold the last weights, unless better ones are held."""
        if self._kept is None:
            self._kept = Kept(now.step, self._task.loss_of(self._validation), self._weights(now.step))

    def require_success(self) -> None:
        """Check that the weights describe the validation images; warn if they are no better than untrained.

        Raises:
            TrainingError: they do not describe the images at all.
        """
        step, loss = self.kept.step, self.kept.loss
        if not loss < ABSURD:
            raise TrainingError(
                f"training: the network does not describe the validation images at all (got a loss of "
                f"{loss:.3g} at step {step}). Look for hot pixels or other units in the images, or lower "
                f"training.learning_rate."
            )
        if not loss < self._untrained:
            _LOG.warning(
                "training: it did not help: the validation loss is %.4g at step %d, and was %.4g before the "
                "first one. Lower training.learning_rate, train longer, or look for odd images",
                loss,
                step,
                self._untrained,
            )

    def state_dict(self) -> dict[str, Any]:
        """State, as plain values and tensors."""
        kept = self._kept
        return {
            "best": self._best,
            "untrained": self._untrained,
            "kept": None if kept is None else (kept.step, kept.loss, dict(kept.weights)),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._best, self._untrained = state_dict["best"], state_dict["untrained"]
        kept = state_dict["kept"]
        self._kept = None if kept is None else Kept(*kept)

    def _weights(self, step: int) -> dict[str, Tensor]:
        """Copy the weights to the processor.

        Raises:
            NonFiniteLossError: a weight is NaN or infinite.
        """
        found: dict[str, Tensor] = {}
        for name, tensor in self._task.vse.state_dict().items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise NonFiniteLossError(step, f"weight {name}")
            found[name] = tensor.detach().cpu().clone()
        return found
