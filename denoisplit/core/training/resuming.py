"""Points that a training goes on from: what is in them, and to which training they belong."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any, Final

import attrs
import lightning
from lightning.pytorch.callbacks import Callback

from denoisplit.core.errors import RunError
from denoisplit.core.spec import is_text_of, to_yaml
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.states import load_state
from denoisplit.core.training.prepare import PreparedData, splits_text

_LOG = logging.getLogger("denoisplit.training")

_KEY: Final = "denoisplit"


@attrs.frozen(kw_only=True)
class Identity:
    """By what a training is known: no other one may go on from its resume points.

    Attributes:
        spec: fingerprint of the resolved spec.
        data: fingerprint of all images that it sees.
    """

    spec: str
    data: str

    @classmethod
    def of(cls, spec: ResolvedSpec, data: str) -> "Identity":
        """That of the training of a spec on images of this fingerprint."""
        return cls(spec=_fingerprint(spec), data=data)


def _fingerprint(spec: ResolvedSpec) -> str:
    return hashlib.sha256(to_yaml(spec).encode()).hexdigest()


class ResumePoints(Callback):
    """Saves everything that training needs to go on, every ``every`` steps and when it is done.

    It saves at the beginning of a step: by then the validation, the schedule and all other callbacks of the
    step before are done, so nothing is lost or repeated after a resume.
    """

    def __init__(self, path: Path, identity: Identity, *, every: int) -> None:
        self._path, self._identity, self._every = path, identity, every
        self._done = False

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Save when a multiple of ``every`` steps is done."""
        del pl_module, batch, batch_idx
        if trainer.global_step and trainer.global_step % self._every == 0:
            trainer.save_checkpoint(self._path)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Go straight on with the next step.

        After a step with a validation, the trainer would else take a turn without batch and without
        validation, in which the schedule asks for the validation loss.
        """
        del pl_module
        trainer.fit_loop.epoch_loop.reset_restart_stage()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the end: what comes after it takes time, too."""
        del pl_module
        self._done = True
        trainer.save_checkpoint(self._path)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say whose it is, and take back that the trainer has already counted the batch that begins here."""
        del trainer, pl_module
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for count in (progress["total"], progress["current"]):
            count["ready"] = count["completed"]
        checkpoint[_KEY] = {**attrs.asdict(self._identity), "done": self._done}


@attrs.frozen(kw_only=True)
class ResumePoint:
    """A point that training goes on from.

    Attributes:
        path: of its file.
        step: optimiser steps done.
        done: whether no step is left to do.
        identity: whose it is.
        callbacks: what the callbacks of the training remember, by their key.
    """

    path: Path
    step: int
    done: bool
    identity: Identity
    callbacks: dict[str, Any] = attrs.field(eq=False, repr=False)


def require_same_spec(folder: RunFolder, spec: ResolvedSpec) -> None:
    """Check that a run can go on with this spec, or that nothing was begun there.

    Raises:
        RunError: it has another spec, or the folder holds something else.
    """
    folder.require_begun()
    if folder.spec.is_file() and not is_text_of(
        folder.spec.read_text(encoding="utf-8", errors="replace"), spec
    ):
        raise RunError(
            f"{folder.spec}: differs from the spec given with --resume. "
            f"Continue with the same spec and --set options, or train into another folder."
        )


def point_of(folder: RunFolder, spec: ResolvedSpec) -> ResumePoint | None:
    """The point that the training of a spec goes on from; None where it begins anew.

    Raises:
        RunError: damaged, of another version, or of a training with another spec.
    """
    point = _read(folder.resume_point)
    if point is None:
        _LOG.info("%s: no point to go on from yet: training begins anew", folder.path)
    elif point.identity.spec != _fingerprint(spec):
        raise RunError(
            f"{point.path}: belongs to a training with another spec. Continue with the spec and --set "
            f"options that it was begun with, or train into another folder."
        )
    return point


def require_same_data(folder: RunFolder, point: ResumePoint, data: PreparedData) -> None:
    """Check that the images are those that a training was begun with.

    Raises:
        RunError: they are not.
    """
    if _names_others(folder.splits.read_bytes() if folder.splits.is_file() else b"", splits_text(data)):
        raise RunError(
            f"{folder.splits}: names other fields than the data has now (got {len(data.train)} for training, "
            f"{len(data.validation)} for validation). Restore the images, or train into another folder."
        )
    if point.identity.data != data.known.of_training:
        raise RunError(
            f"{point.path}: the images are not those that the training was begun with (got other pixels). "
            f"Restore the images, or train into another folder."
        )


def _names_others(written: bytes, now: str) -> bool:
    """Whether the names of fields are legible, and are others: a damaged file tells nothing."""
    try:
        return bool(json.loads(written) != json.loads(now))
    except (ValueError, RecursionError):
        return False


def _read(path: Path) -> ResumePoint | None:
    if not path.exists():
        return None
    state = load_state(path)
    try:
        own = state[_KEY]
        return ResumePoint(
            path=path,
            step=int(state["global_step"]),
            done=bool(own["done"]),
            identity=Identity(spec=str(own["spec"]), data=str(own["data"])),
            callbacks=dict(state["callbacks"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path}: was written by another version of denoisplit, or by another program. "
            f"Continue with that version, or train into another folder."
        ) from error
