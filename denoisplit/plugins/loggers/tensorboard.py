"""Logger: event files for TensorBoard, with the extra ``tensorboard``."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from denoisplit.core.training.logger import Picture
from denoisplit.core.validators import NoOptions
from denoisplit.plugins.loggers._needed import PackageLogger

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER: Final = "tensorboard"


class TensorBoard(PackageLogger):
    """Numbers and pictures in the folder ``tensorboard`` of the run.

    ``tensorboard --logdir runs`` shows those of all runs.

    Source: Abadi et al., TensorFlow, 2015.
    """

    Options = NoOptions
    package = "tensorboard"

    _writer: "SummaryWriter"

    def begin(self, about: Mapping[str, Any], *, step: int) -> None:
        """Begin a file of events; later steps in older files of the folder are no longer shown."""
        from torch.utils.tensorboard import SummaryWriter

        purged = step + 1 if step else None
        self._writer = SummaryWriter(str(self.folder / FOLDER), purge_step=purged)
        # Indented so that Markdown shows it as it is.
        text = "\n".join(f"    {line}" for line in json.dumps(about, indent=2).splitlines())
        self._writer.add_text("spec", text, step)

    def values(self, step: int, numbers: Mapping[str, float]) -> None:
        """Add a point to every curve."""
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step)
        self._writer.flush()

    def picture(self, step: int, title: str, pixels: Picture) -> None:
        """Add a picture."""
        self._writer.add_image(title, pixels, step, dataformats="HWC")
        self._writer.flush()

    def end(self, *, finished: bool) -> None:
        """Close the file."""
        del finished
        self._writer.close()
