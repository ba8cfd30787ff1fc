"""Sample data: the simulated image of ``denoisplit demo``, made when it is opened."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from napari_denoisplit.layer_data import LayerData

CHANNELS: Final = ("filaments", "mitochondria")
SIZE: Final = 256
SEED: Final = 3
"""Those of the test images in the demo, which it does not train on."""


def simulated() -> "list[LayerData]":
    """Filaments and mitochondria in one noisy image, and the truth in hidden layers."""
    import numpy as np

    from denoisplit.core.images.bases import Image
    from denoisplit.plugins.datasets.simulated import Simulated
    from napari_denoisplit.example import mixed_and_channels
    from napari_denoisplit.frame import Frame

    options = Simulated.Options(fields=1, size=SIZE, seed=SEED)
    (field,) = Simulated(options, channels=CHANNELS).fields()
    mixed = np.asarray(field.observed).mean(axis=0)
    frame = Frame.of_image(Image(data=mixed, axes="yx", pixel_size=field.pixel_size))
    names = [f"{channel} truth" for channel in CHANNELS]
    truth = dict(zip(names, np.asarray(field.clean), strict=True))
    return mixed_and_channels(mixed, truth, frame, name="mixed (simulated)")
