"""Trained runs: what is known of them without loading the network, and loading them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from napari_denoisplit.claims import SEQUENCE

if TYPE_CHECKING:
    from denoisplit import Run, SequentialRun


def require_trained(folder: Path) -> None:
    """Check that a folder holds a trained network.

    Raises:
        RunError: it does not; the message says what to do.
    """
    from denoisplit.core.storage.run_folder import RunFolder

    if not (folder / SEQUENCE).is_file():
        RunFolder(folder).require_model()


def channels_of(folder: Path) -> tuple[str, ...]:
    """Names of the structures into which a run splits; reads its spec alone, without torch.

    Raises:
        RunError: the folder holds no trained network.
        SpecError: its spec cannot be read.
    """
    import denoisplit
    from denoisplit.core.storage.run_folder import RunFolder
    from denoisplit.core.storage.sequence_folder import SequenceFolder

    require_trained(folder)
    network = SequenceFolder(folder).splitter if (folder / SEQUENCE).is_file() else RunFolder(folder)
    root = cast("Any", denoisplit.read_spec(network.spec).root)
    return tuple(str(node.value) for node in root.value["channels"].value)


def load_run(folder: Path, device: str) -> "Run | SequentialRun":
    """Load a run or a sequence onto a device: ``auto``, ``cpu``, ``cuda``, ``mps``.

    Raises:
        RunError: no trained run, or no such device.
    """
    import denoisplit

    opened = denoisplit.load_sequence if (folder / SEQUENCE).is_file() else denoisplit.load
    return opened(folder, device=device)
