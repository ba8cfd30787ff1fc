"""Opening of a spec's data sets."""

from denoisplit.core.images.bases import Dataset
from denoisplit.core.images.file_dataset import FileDataset
from denoisplit.core.spec.records import Chosen
from denoisplit.core.storage.image_files import installed_formats


def open_dataset(chosen: Chosen, channels: tuple[str, ...]) -> Dataset:
    """Build a data set of these channels; one that reads files gets the installed image formats.

    Raises:
        ChannelCountError: its options name another number of channels.
        PluginError: it cannot be imported or built.
    """
    known = {"formats": installed_formats()} if issubclass(chosen.component.load(), FileDataset) else {}
    dataset: Dataset = chosen.build(channels=channels, **known)
    return dataset
