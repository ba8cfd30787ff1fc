"""The network of a run, where it is to run."""

from denoisplit.core.devices import choose_device, network_dtype
from denoisplit.core.network.vse import VSE
from denoisplit.core.storage.bundle import Bundle, load_bundle
from denoisplit.core.storage.run_folder import RunFolder


def load_network(folder: RunFolder, device: str) -> tuple[VSE, Bundle]:
    """The network of a run where it is to run, in evaluation mode, and its bundle.

    Raises:
        RunError: not a finished run, or no such device.
        PluginError: a component that it uses is not installed.
    """
    where = choose_device(device)
    vse, bundle = load_bundle(folder)
    vse.to(where)
    vse.network_dtype = network_dtype(bundle.spec.training.precision, where)
    return vse, bundle
