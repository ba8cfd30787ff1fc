"""The widget that splits the open image with a trained run."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from magicgui.types import FileDialogMode
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FileEdit,
    LineEdit,
    ProgressBar,
    PushButton,
    SpinBox,
    create_widget,
)
from napari.layers import Image

from napari_denoisplit.background import Hearer, Job
from napari_denoisplit.claims import is_run
from napari_denoisplit.frame import Frame, proposed_axes
from napari_denoisplit.layer_data import KEY, LayerData
from napari_denoisplit.message import Message

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_denoisplit.splitting_order import Order, Split

INTERVAL: Final = "calibrated_interval=0.9"
_STEPS: Final = 1000
_WIDEST: Final = 420
"""Pixels: the image needs the rest of the window."""


@final
class SplitWidget(Container[Any]):
    """Choose a run and an image, press Split, and get layers.

    Args:
        napari_viewer: viewer of the images.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        self._viewer = napari_viewer
        self._job: Job[Any] | None = None
        self.run_folder = FileEdit(
            mode=FileDialogMode.EXISTING_DIRECTORY,
            label="Trained run",
            tooltip="The folder that 'denoisplit train --out' wrote. Dropping it on napari works as well.",
        )
        self.example = PushButton(
            text="Open its example", tooltip="An image that the run was not trained on.", enabled=False
        )
        made: Any = create_widget(
            label="Image",
            annotation=Image,
            options={"tooltip": "The image with all structures in one channel."},
        )
        self.layer = made
        self.axes = LineEdit(
            label="Axes",
            tooltip="One letter per axis of the image: t time, z depth, y rows, x columns, s positions.",
        )
        self.samples = SpinBox(
            label="Samples",
            value=16,
            min=2,
            max=1000,
            tooltip="How many possible answers are averaged. More take longer and are steadier.",
        )
        self.keep = CheckBox(
            text="Keep single samples", tooltip="One layer per structure with a slider through its samples."
        )
        self.interval = CheckBox(
            text="90 % interval",
            tooltip="Two layers per structure: the truth lies in between for 90 % of the pixels.",
        )
        self.device = ComboBox(
            label="Compute on",
            choices=["auto", "cpu", "cuda", "mps"],
            tooltip="auto takes a GPU if there is one.",
        )
        self.start = PushButton(text="Split", enabled=False)
        self.cancel = PushButton(text="Stop", enabled=False)
        self.bar = ProgressBar(value=0, min=0, max=_STEPS, visible=False)
        self.told = Message()
        super().__init__(
            widgets=[
                self.run_folder,
                self.example,
                self.layer,
                self.axes,
                self.samples,
                self.keep,
                self.interval,
                self.device,
                Container(widgets=[self.start, self.cancel], layout="horizontal", labels=False),
                self.bar,
                self.told,
            ],
        )
        self.native.setMaximumWidth(_WIDEST)
        self.told.say("Choose a trained run, or drop its folder on napari.")
        self.run_folder.changed.connect(self._choose_run)
        self.layer.changed.connect(self._propose_axes)
        self.example.changed.connect(self._open_example)
        self.start.changed.connect(self._split)
        self.cancel.changed.connect(self._stop)
        self._viewer.layers.selection.events.active.connect(self._follow)
        self._follow()

    def reset_choices(self, *args: Any) -> None:
        """Look at the layers of the viewer again; napari calls it when they change."""
        super().reset_choices(*args)
        self._follow()

    def _follow(self, _event: Any = None) -> None:
        """Choose the image that the user has selected, unless it is a result."""
        active = self._viewer.layers.selection.active
        if (
            active is not None
            and active in self.layer.choices
            and not active.metadata.get(KEY, {}).get("kind")
        ):
            self.layer.value = active
        self._propose_axes()

    def order(self) -> "Order":
        """What is chosen.

        Raises:
            ImageError: the layer is a picture in colours.
        """
        from denoisplit.core.errors import ImageError
        from napari_denoisplit.splitting_order import Order

        layer = self.layer.value
        if layer.rgb:
            raise ImageError(
                f"{layer.name}: is a picture in colours, not counts of a camera (got RGB). "
                f"Open the original image of the microscope."
            )
        pixels = layer.data[0] if layer.multiscale else layer.data
        axes = self.axes.value.strip().lower()
        if len(axes) != layer.ndim:
            raise ImageError(
                f"{layer.name}: needs one letter per axis (got {axes!r} for {layer.ndim} axes). "
                f"Write for example {proposed_axes(layer)}."
            )
        words = [word for word, box in (("samples", self.keep), (INTERVAL, self.interval)) if box.value]
        return Order(
            run=self._folder,
            pixels=pixels,
            frame=Frame.of_layer(layer, axes),
            source=layer.name,
            samples=self.samples.value,
            output=tuple(words),
            device=self.device.value,
        )

    @property
    def _folder(self) -> Path:
        return Path(str(self.run_folder.value))

    def _choose_run(self) -> None:
        from denoisplit import DenoisplitError
        from napari_denoisplit.runs import channels_of

        try:
            channels = channels_of(self._folder)
        except DenoisplitError as error:
            self.told.say(str(error))
        else:
            self.told.say(
                f"Splits an image into {' + '.join(channels)}. Choose an image and press Split, "
                f"or open the example: an image that the run was not trained on."
            )
        self._allow()

    def _propose_axes(self) -> None:
        layer = self.layer.value
        if layer is not None and len(self.axes.value) != layer.ndim:
            self.axes.value = proposed_axes(layer)
        self._allow()

    def _allow(self) -> None:
        """Enable what is possible now."""
        run, busy = is_run(self._folder), self._job is not None
        self.example.enabled = run and not busy
        self.start.enabled = run and not busy and self.layer.value is not None
        self.cancel.enabled = self.bar.visible = busy

    def _open_example(self) -> None:
        from napari_denoisplit.example import example

        folder = self._folder
        self._begin("Opening an image that it was not trained on …", lambda _: example(folder), self._add)

    def _split(self) -> None:
        from denoisplit import DenoisplitError
        from napari_denoisplit.splitting_order import split

        try:
            order = self.order()
        except DenoisplitError as error:
            self.told.say(str(error))
            return
        layer = self.layer.value
        self._begin("Loading the network …", partial(split, order), partial(self._show, layer))

    def _begin(self, says: str, work: Callable[[Any], Any], made: Callable[[Any], None]) -> None:
        self.told.say(says)
        self.bar.value = 0
        hearer = Hearer(progress=self._tell, made=made, failed=self._fail, ended=self._end)
        self._job = Job(work, hearer, self.native)
        self._allow()
        self._job.start()

    def _stop(self) -> None:
        if self._job is not None:
            self.told.say("Stopping …")
            self._job.stop()

    def _tell(self, done: int, total: int) -> None:
        self.bar.value = _STEPS * done // max(1, total)
        self.told.say(f"Splitting: {done} of {total} passes")

    def _fail(self, message: str) -> None:
        self.told.say(message)

    def _end(self) -> None:
        self._job = None
        self.told.say("Stopped.")
        self._allow()

    def _show(self, layer: Image, found: "Split") -> None:
        """Add the result; the mixed image would shine through it."""
        layer.visible = False
        names = {one.name for one in self._viewer.layers}
        if any(said["name"] in names for _, said, _ in found.layers):
            for _, said, _ in found.layers:
                said["name"] = f"{said['name']} ({layer.name})"
        self._add(found.layers)
        self.told.say(f"Done. Verdict on the image: {found.says}.")

    def _add(self, found: list[LayerData]) -> None:
        for pixels, said, _ in found:
            self._viewer.add_image(pixels, **said)
        self.told.say("Done.")
