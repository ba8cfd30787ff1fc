"""The run from whose weights a training starts."""

from pathlib import Path

from denoisplit.core.errors import RunError, SpecError
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.spec.training import MODEL
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.shipped_models import find_model, folder_of


def start_folder(path: Path) -> RunFolder:
    """Return the run that ``training.start_from`` names, which may be a model that comes with denoisplit.

    Raises:
        SpecError: no such run, or no model has this name.
        RunError: a file of the model is damaged.
    """
    if not path.name.startswith(MODEL):
        folder = RunFolder(path)
        try:
            folder.require_model()
        except RunError as error:
            raise SpecError(f"training.start_from: {error}") from error
        return folder
    try:
        model = find_model(path.name, "training.start_from")
    except RunError as error:
        raise SpecError(str(error)) from error
    return folder_of(model)


def require_start_here(spec: TrainingSpec) -> None:
    """Refuse a training whose start is not here.

    Raises:
        SpecError, RunError: see ``start_folder``.
    """
    if spec.start_from is not None:
        start_folder(spec.start_from)


def remarks_on_start(spec: TrainingSpec) -> tuple[str, ...]:
    """Return what to say of a start whose weights are not here: they may be where the training is, or come.

    Raises:
        SpecError: what is here is no run.
    """
    path = spec.start_from
    if path is None or path.name.startswith(MODEL) or RunFolder(path).weights.is_file():
        return ()
    begun = RunFolder(path).splits.is_file()
    if path.exists() and not begun:
        start_folder(path)
    what = "the run has no weights yet" if begun else "there is no such run here"
    return (f"training.start_from: {what} (got {path}). 'train' needs it, or correct the path.",)


def require_known_start(spec: TrainingSpec) -> None:
    """Refuse a spec that starts from a model that does not come with denoisplit.

    Raises:
        SpecError, RunError: see ``start_folder``.
    """
    if spec.start_from is not None and spec.start_from.name.startswith(MODEL):
        start_folder(spec.start_from)
