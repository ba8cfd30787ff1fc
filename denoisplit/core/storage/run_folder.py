"""The files of a run."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from denoisplit.core.errors import RunError, quoted
from denoisplit.core.spec.training import MODEL
from denoisplit.core.spec.yaml_text import SCHEMA_FILE
from denoisplit.core.staging import is_staged, sweep
from denoisplit.core.storage.lock import LOCK, exclusive

_EARLIER: Final = re.compile(
    r"\.(resume\.ckpt|(best|model)\.safetensors|model\.json|spec\.yaml|spec\.schema\.json|splits\.json|metrics\.csv)"
    r"\.[a-z0-9_]{8}\.[a-z]+"
)
"""Names that earlier versions gave to the files of a run."""

DUE: Final = "calibration_due"
"""Key in ``model.json`` of a run that is trained but not calibrated yet."""

SEQUENCE: Final = "sequence.json"
"""Name of the file that marks the folder of a sequence of runs."""


@attrs.frozen
class RunFolder:
    """Paths inside one run folder."""

    path: Path = attrs.field(converter=Path)

    @property
    def spec(self) -> Path:
        """Resolved spec, with all defaults."""
        return self.path / "spec.yaml"

    @property
    def schema(self) -> Path:
        """JSON Schema of the spec, for editors."""
        return self.path / SCHEMA_FILE

    @property
    def splits(self) -> Path:
        """Names of the fields for training, validation and test, as JSON."""
        return self.path / "splits.json"

    @property
    def weights(self) -> Path:
        """Weights of the network, noise models included."""
        return self.path / "model.safetensors"

    @property
    def bundle(self) -> Path:
        """Everything else that a prediction needs, as JSON."""
        return self.path / "model.json"

    @property
    def metrics(self) -> Path:
        """Training curve."""
        return self.path / "metrics.csv"

    @property
    def log(self) -> Path:
        """Messages of the training."""
        return self.path / "train.log"

    @property
    def report(self) -> Path:
        """Report on the run, one HTML page."""
        return self.path / "report.html"

    @property
    def resume_point(self) -> Path:
        """State from which training resumes."""
        return self.path / "checkpoints" / "resume.ckpt"

    @property
    def is_finished(self) -> bool:
        """Whether all files of a trained model exist and nothing is left to do."""
        return self.bundle.is_file() and self.weights.is_file() and not self._calibration_due

    @property
    def _calibration_due(self) -> bool:
        try:
            found = json.loads(self.bundle.read_bytes())
        except (OSError, ValueError, RecursionError):
            return False  # reported when it is opened
        return isinstance(found, dict) and bool(found.get(DUE))

    def require_begun(self) -> None:
        """Refuse to resume in a folder that holds something other than a run; an empty one counts as new.

        Raises:
            RunError: the folder holds no part of a run, or is a file.
        """
        traces = (self.spec, self.splits, self.resume_point, self.bundle)
        if _holds_something(self.path) and not any(trace.exists() for trace in traces):
            raise RunError(
                f"{self.path}: holds no run to continue (there is no {self.spec.name}). "
                f"Give the --out of the run that was interrupted, or an empty folder for a new one."
            )

    @property
    def is_run(self) -> bool:
        """Whether a run or a sequence of runs was started here."""
        marks = (self.bundle, self.weights, self.resume_point, self.path / SEQUENCE)
        return any(mark.is_file() for mark in marks)

    @property
    def foreign(self) -> tuple[Path, ...]:
        """Content of the folder that is not part of a run; hidden files come from killed runs."""
        files = (
            self.spec,
            self.schema,
            self.splits,
            self.weights,
            self.bundle,
            self.metrics,
            self.log,
            self.report,
        )
        known = {*(file.name for file in files), self.resume_point.parent.name}
        found = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path][: self.path.exists()]
        return tuple(path for path in found if path.name not in known and not path.name.startswith("."))

    def sweep(self) -> None:
        """Remove half-written files of killed processes, and their lock."""
        for folder in (self.path, self.resume_point.parent):
            sweep(folder)
            with suppress(OSError):  # a courtesy: it must not stop the work
                for entry in list(folder.iterdir()):
                    if _EARLIER.fullmatch(entry.name):
                        entry.unlink()
        if (self.path / LOCK).is_file():
            with suppress(OSError, RunError), exclusive(self.path):
                pass  # nobody holds it any more: it is removed with this block

    def require_free(self) -> None:
        """Refuse to train into a folder that is not empty.

        Raises:
            RunError: the folder is not empty, or is a file.
        """
        if not _holds_something(self.path):
            return
        taken = f"{self.path}: is not an empty folder"
        if self.is_run:
            raise RunError(f"{taken}. Choose another --out, or continue the run with --resume.")
        if self.splits.is_file():
            raise RunError(
                f"{taken} (got a training that ended before its first point to go on from). "
                f"Choose another --out, or delete this folder."
            )
        raise RunError(f"{taken}. Choose another --out.")

    def require_model(self) -> None:
        """Check that the folder holds a trained model.

        Raises:
            RunError: no folder, or a file of the model is missing.
        """
        if not self.path.is_dir() and self.path.name.startswith(MODEL):
            raise RunError(
                f"{self.path}: is the name of a model, not of a run folder. Copy it with "
                f"'denoisplit models get {self.path.name.removeprefix(MODEL)} --out RUN'."
            )
        if not self.path.is_dir():
            raise RunError(
                f"{self.path}: no such run folder. Give the folder that 'denoisplit train --out' wrote."
            )
        if (self.path / SEQUENCE).is_file():
            raise RunError(
                f"{self.path}: holds a sequence of runs (got {SEQUENCE}). "
                f"Give one of them, for example {self.path / 'split'}."
            )
        if not self.is_run and not self.splits.is_file():
            raise RunError(
                f"{self.path}: is not a run folder (there is no {self.bundle.name}). "
                f"Give the folder that 'denoisplit train --out' wrote."
            )
        for file in (self.bundle, self.weights):
            if not file.is_file():
                raise RunError(
                    f"{self.path}: {file.name} is missing. Finish the training with "
                    f"'{quoted(('denoisplit', 'train', 'SPEC', '--out', self.path, '--resume'))}', or copy "
                    f"the whole run folder."
                )


def _holds_something(path: Path) -> bool:
    """Whether there is more than an empty folder and remains of a killed process."""
    if not path.is_dir():
        return path.exists()
    return any(entry.name != LOCK and not is_staged(entry.name) for entry in path.iterdir())
