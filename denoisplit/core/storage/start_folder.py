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
        SpecError: no model has this name.
        RunError: no such run, or a file of the model is damaged.
    """
    if not path.name.startswith(MODEL):
        folder = RunFolder(path)
        folder.require_model()
        return folder
    try:
        model = find_model(path.name, "training.start_from")
    except RunError as error:
        raise SpecError(str(error)) from error
    return folder_of(model)


def require_known_start(spec: TrainingSpec) -> None:
    """Refuse a spec that starts from a model that does not come with denoisplit.

    Raises:
        SpecError, RunError: see ``start_folder``.
    """
    if spec.start_from is not None and spec.start_from.name.startswith(MODEL):
        start_folder(spec.start_from)
