"""The reader: images with their axes and pixel size, and folders of trained runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_denoisplit.claims import is_image, is_run

if TYPE_CHECKING:
    from napari_denoisplit.layer_data import LayerData

PathOrPaths = str | Sequence[str]
Read = Callable[[PathOrPaths], "list[LayerData] | list[tuple[None]]"]

_NOTHING: list[tuple[None]] = [(None,)]
"""What a reader gives that has done its work without adding a layer."""


def get_reader(path: PathOrPaths) -> Read | None:
    """Return the function that opens a path, or None if it is not for this plugin; imports no torch."""
    if not isinstance(path, str):
        return None  # a stack of files: an image of denoisplit is one file
    place = Path(path)
    if is_run(place):
        return open_run
    return open_image if is_image(place) else None


def open_image(path: PathOrPaths) -> "list[LayerData]":
    """Open an image with its axes, pixel size and channel names, in counts.

    Raises:
        ImageError: it cannot be read; the message says why.
    """
    from napari_denoisplit.file_layers import file_layers

    return file_layers(_single(path))


def open_run(path: PathOrPaths) -> list[tuple[None]]:
    """Open the widget that splits images, with this run chosen: a run is no image itself.

    Raises:
        RunError: no trained network is in the folder.
    """
    import napari
    from napari.utils.notifications import show_info

    from napari_denoisplit.runs import require_trained

    folder = _single(path)
    require_trained(folder)
    viewer: Any = napari.current_viewer()
    if viewer is None:
        show_info(f"{folder} is a trained run. Open a window of napari to split images with it.")
    else:
        _, widget = viewer.window.add_plugin_dock_widget("napari-denoisplit", "Split")
        widget.run_folder.value = folder
    return _NOTHING


def _single(path: PathOrPaths) -> Path:
    return Path(path if isinstance(path, str) else path[0])
