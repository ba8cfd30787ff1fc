"""The trained network of a run on a device."""

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
    """Load the network of a run onto a device, in evaluation mode; return it with its bundle.

    Args:
        folder: folder of the run.
        device: see ``choose_device``.
        precision: precision as in a spec, if another process has chosen it; empty to choose.

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
