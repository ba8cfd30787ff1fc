"""The network of a run, where it is to run."""

import logging
from typing import Final

from denoisplit.core.devices import AUTO, choose_device
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.choice import choose
from denoisplit.core.precision.probe import Purpose
from denoisplit.core.storage.bundle import Bundle, load_bundle
from denoisplit.core.storage.run_folder import RunFolder

_LOG: Final = logging.getLogger("denoisplit.prediction")


def load_network(folder: RunFolder, device: str, precision: str = "") -> tuple[VSE, Bundle]:
    """The network of a run where it is to run, in evaluation mode, and its bundle.

    Args:
        folder: of the run.
        device: see ``choose_device``.
        precision: that of a spec, where another process has chosen; empty to choose.

    Raises:
        RunError: not a finished run, no such device, or no such precision.
        PluginError: a component that it uses is not installed.
    """
    where = choose_device(device)
    vse, bundle = load_bundle(folder)
    vse.to(where)
    if not precision:
        choice = choose(bundle.spec, vse, where, Purpose.PREDICTION)
        if bundle.spec.training.precision == AUTO:
            _LOG.info("precision of the prediction: %s", choice)
        precision = choice.name
    vse.precision = precision
    return vse, bundle
