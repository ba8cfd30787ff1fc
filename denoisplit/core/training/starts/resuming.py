"""Resume points: their content, and the training to which they belong."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from denoisplit.core.devices import PRECISIONS
from denoisplit.core.errors import RunError
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.spec.yaml_text import differences, plain_of, to_yaml
from denoisplit.core.storage.bundle import Start
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.states import load_state, save_state
from denoisplit.core.training.data.prepare import PreparedData, splits_text
from denoisplit.core.training.starts.same_training import decisive, decisive_part, digest_of

_NAMED: Final = 4
"""Largest number of keys of a spec in a message."""

_LOG = logging.getLogger("denoisplit.training")


@attrs.frozen(kw_only=True)
class Identity:
    """Identity of a training; no other training may continue from its resume points.

    Attributes:
        spec: fingerprint of what decides on the result in the resolved spec.
        data: fingerprint of all its images.
        start: origin of its first weights; None if they were drawn, or if the point is of an early version.
    """

    spec: str
    data: str
    start: Start | None = None

    @classmethod
    def of(cls, spec: ResolvedSpec, data: str, start: Start | None) -> "Identity":
        """Return the identity of a training of a spec on images with this fingerprint."""
        return cls(spec=digest_of(decisive(spec)), data=data, start=start)


@attrs.frozen(kw_only=True)
class ResumePoint:
    """A point from which a training can continue.

    Attributes:
        step: optimiser steps done.
        done: whether all steps are done.
        identity: identity of the training.
        precision: precision of the steps.
        state: states by name: of the network, the optimiser, the schedule, and the remembering watchers.
    """

    step: int
    done: bool
    identity: Identity
    precision: str
    state: dict[str, Any] = attrs.field(eq=False, repr=False)

    def save(self, path: Path) -> None:
        """Write the point to a file, atomically."""
        own = attrs.asdict(self.identity)
        told = {"step": self.step, "done": self.done, "identity": own, "precision": self.precision}
        save_state(path, {**told, "state": self.state})


def require_same_spec(folder: RunFolder, spec: ResolvedSpec) -> None:
    """Check that a run can continue with this spec, or that its folder has none yet.

    Raises:
        RunError: the run has another spec, or the folder holds something else.
    """
    folder.require_begun()
    if not folder.spec.is_file():
        return
    text = folder.spec.read_text(encoding="utf-8", errors="replace")
    stored = plain_of(text)
    if stored is None:
        got = "got something else" if text.strip() else "got nothing"
        raise RunError(
            f"{folder.spec}: is no spec, the file is damaged ({got}). "
            f"Restore the file, or delete it to go on with the spec that is given."
        )
    found = differences(decisive_part(stored, spec), decisive(spec))
    if found:
        names = f"{', '.join(found[:_NAMED])}{', ...' if len(found) > _NAMED else ''}"
        raise RunError(
            f"{folder.spec}: differs from the spec given with --resume (in {names}). "
            f"Continue with the same spec and --set options, or train into another folder."
        )


def point_of(folder: RunFolder, spec: ResolvedSpec) -> ResumePoint | None:
    """Read the point from which the training of a spec continues; None if it begins anew.

    Raises:
        RunError: damaged, of another version, or of a training with another spec.
    """
    point = read_point(folder.resume_point) if folder.resume_point.exists() else None
    if point is None:
        _LOG.info("%s: no point to go on from yet: training begins anew", folder.path)
    elif point.identity.spec not in (digest_of(decisive(spec)), _early_fingerprint(spec)):
        raise RunError(
            f"{folder.resume_point}: belongs to a training with another spec. Continue with the spec and "
            f"--set options that it was begun with, or train into another folder."
        )
    return point


def _early_fingerprint(spec: ResolvedSpec) -> str:
    """Fingerprint in the resume points of early versions, which went by everything."""
    return hashlib.sha256(to_yaml(spec).encode()).hexdigest()


def require_same_data(folder: RunFolder, point: ResumePoint, data: PreparedData) -> None:
    """Check that the images are those of the interrupted training.

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
            f"{folder.resume_point}: the images are not those that the training was begun with (got other "
            f"pixels). Restore the images, or train into another folder."
        )


def _names_others(written: bytes, now: str) -> bool:
    """Whether the stored names of fields are legible and differ; a damaged file is ignored."""
    try:
        return bool(json.loads(written) != json.loads(now))
    except (ValueError, RecursionError):
        return False


def read_point(path: Path) -> ResumePoint:
    """Read a saved point.

    Raises:
        RunError: damaged, or of another version.
    """
    state = load_state(path)
    try:
        own = state["identity"]
        return ResumePoint(
            step=int(state["step"]),
            done=bool(state["done"]),
            identity=Identity(spec=str(own["spec"]), data=str(own["data"]), start=_start(own)),
            precision=next(name for name in PRECISIONS if name == state["precision"]),
            state=dict(state["state"]),
        )
    except (KeyError, StopIteration, TypeError, ValueError) as error:
        raise RunError(
            f"{path}: was written by another version of denoisplit, or by another program. "
            f"Continue with that version, or train into another folder."
        ) from error


def _start(identity: Mapping[str, Any]) -> Start | None:
    found = identity.get("start")
    return None if found is None else Start(**{**found, "drawn": tuple(found["drawn"])})
