"""Spec files that give a network, and a training."""

from collections.abc import Sequence
from pathlib import Path

from denoisplit.core.errors import MissingPackageError, SpecError
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import read_spec
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.spec.resolution import resolve_new


def load_workable(
    path: Path, overrides: Sequence[str] = (), *, device: str = "auto", resumed: Path | None = None
) -> ResolvedSpec:
    """Read and resolve a spec file, and check that it gives a network that can be trained here.

    Where a run is resumed, what it started from may have changed since.

    Raises:
        SpecError: every problem, one line each, with its place in the file.
        PluginError: a component does not do what its kind requires.
        MissingPackageError: a logger needs a package that is not installed.
        RunError: no such device here.
    """
    tree = read_spec(path, overrides)
    spec = resolve_new(tree, installed_registry())
    # The network takes seconds to import; typos should be reported before.
    from denoisplit.core.network.trial import require_workable
    from denoisplit.core.spec.located import located
    from denoisplit.core.storage.run_folder import RunFolder
    from denoisplit.core.training.starts.starting import require_fitting_start
    from denoisplit.core.training.trainable import require_all_axes, require_trainable

    try:
        vse = require_workable(spec)
        require_all_axes(vse)
        require_trainable(spec, device)
        folder = None if resumed is None else RunFolder(resumed)
        if folder is None or not (folder.is_finished or folder.resume_point.is_file()):
            require_fitting_start(vse, spec.training, spec.channels)
    except (SpecError, MissingPackageError) as error:
        raise located(error, tree.root) from error
    return spec
