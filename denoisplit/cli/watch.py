"""Progress of a training: a bar on a terminal, a line per validation elsewhere."""

import sys

from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from denoisplit.core.training.callbacks import PlainProgress


class StepBar(TQDMProgressBar):
    """One bar over all steps; validation is short and gets none."""

    def init_validation_tqdm(self) -> Tqdm:
        """A bar that never shows."""
        return Tqdm(disable=True)


def watcher(steps: int) -> Callback:
    """What shows the progress of ``steps`` training steps where stderr goes."""
    return StepBar() if sys.stderr.isatty() else PlainProgress(steps)
