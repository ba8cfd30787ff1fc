"""How Lightning writes and reads resume points: beside the run, with a digest."""

from pathlib import Path
from typing import Any, final

from lightning.pytorch.plugins.io import CheckpointIO

from denoisplit.core.storage.states import load_state, save_state


@final
class ResumeFiles(CheckpointIO):
    """Lightning's own way stages files in the temporary folder of the system, which may be small."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a resume point; it appears whole or not at all."""
        del storage_options
        save_state(Path(path), checkpoint)

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a resume point.

        Raises:
            RunError: damaged, truncated, or something else.
        """
        del map_location, weights_only
        return load_state(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a resume point."""
        Path(path).unlink(missing_ok=True)
