"""The widget that shows the uncertainty of a prediction, and its single samples."""

from typing import TYPE_CHECKING, Any, Final, final

from magicgui.widgets import ComboBox, Container, FloatSlider, RadioButtons
from napari.layers import Image

from napari_denoisplit.layer_data import KEY, MEAN, SAMPLES, SPREADS
from napari_denoisplit.message import Message

if TYPE_CHECKING:
    from napari.viewer import Viewer

ALL: Final = "all structures"
AVERAGE: Final = "average"
SINGLE: Final = "single samples"


@final
class UncertaintyWidget(Container[Any]):
    """An overlay of the uncertainty, and a switch between the average and single samples.

    Args:
        napari_viewer: viewer of the prediction, just made or read from a file.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        self._viewer = napari_viewer
        self.channel = ComboBox(label="Structure", choices=self._channels)
        self.overlay = FloatSlider(
            label="Uncertainty",
            value=0.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="From the image (0) to its expected error (1): the brighter, the less sure.",
        )
        self.view = RadioButtons(
            label="Show",
            choices=[AVERAGE, SINGLE],
            tooltip="Single samples: move or play the slider below the image.",
        )
        self.view.value = AVERAGE
        self.told = Message()
        super().__init__(widgets=[self.channel, self.overlay, self.view, self.told])
        self.native.setMaximumWidth(420)
        for widget in (self.channel, self.overlay, self.view):
            widget.changed.connect(self._apply)

    def reset_choices(self, *args: Any) -> None:
        """Look at the layers of the viewer again; napari calls it when they change."""
        super().reset_choices(*args)
        self.told.say("" if self._images() else "There is no prediction yet: split an image, or open one.")

    def _images(self) -> list[tuple[Image, str, str]]:
        """Layers of predictions, with channel and kind."""
        shown = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        found = [(layer, layer.metadata.get(KEY)) for layer in shown]
        return [(layer, said["channel"], said["kind"]) for layer, said in found if said and said["kind"]]

    def _channels(self, _widget: Any) -> list[str]:
        return [ALL, *dict.fromkeys(channel for _, channel, kind in self._images() if kind == MEAN)]

    def _apply(self) -> None:
        """Show and hide the layers of the chosen structure, and hide those of the others."""
        images = self._images()
        sampled = self.view.value == SINGLE
        if sampled and not any(kind == SAMPLES for _, _, kind in images):
            self.told.say("There are no single samples: split with 'Keep single samples'.")
            sampled = False
        else:
            self.told.say("")
        for layer, channel, kind in images:
            chosen = self.channel.value in (ALL, channel)
            if kind in (MEAN, SAMPLES):
                layer.visible = chosen and (kind == SAMPLES) is sampled
                # The image fades into its uncertainty, whose colours stand out from gray alone.
                layer.opacity = 1 - self.overlay.value
                layer.colormap = "gray" if self.overlay.value > 0 else layer.metadata[KEY]["colour"]
            elif kind in SPREADS:
                best = next(one for one in SPREADS if any(k == one and c == channel for _, c, k in images))
                layer.visible = chosen and kind == best and self.overlay.value > 0
                layer.opacity = self.overlay.value or 1
