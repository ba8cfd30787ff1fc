"""Predictions, scores and progress show themselves in a notebook."""

import sys
from html import escape
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from denoisplit.core.assessment.scores import EvaluatedField, evaluate_fields
from denoisplit.core.images.bases import ImageLayout
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.prediction.notebook_bar import notebook_bar
from denoisplit.core.prediction.outputs.result import Prediction

RNG = np.random.default_rng(0)


def prediction(axes: str, shape: tuple[int, ...], names: tuple[str, ...] = ("a", "b")) -> Prediction:
    images = {name: RNG.random(shape).astype(np.float32) for name in ("mean", "std")}
    layout = ImageLayout(
        axes=axes,
        dtype="float32",
        shape=tuple(2 * n if axis == "c" else n for axis, n in zip(axes, shape, strict=True)),
        channel_names=tuple(f"{name} {kind}" for kind in images for name in names),
    )
    return Prediction(
        images=images, usual=images, layout=layout, channel_names=names, samples=3, calibrated=False
    )


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("cyx", (2, 9, 12)), ("czyx", (2, 3, 9, 12)), ("tcyx", (4, 2, 9, 12)), ("tczyx", (4, 2, 3, 9, 12))],
)
def test_a_figure_has_a_row_per_channel_and_a_column_per_image(axes: str, shape: tuple[int, ...]) -> None:
    made = prediction(axes, shape)
    panels = [panel for panel in made.plot().axes if panel.get_images()]
    assert len(panels) == 4
    place: dict[str, Any] = {"t": 0, "z": 1, "c": 1, "y": slice(None), "x": slice(None)}
    expected = made.mean[tuple(place[axis] for axis in axes)]
    (drawn,) = panels[2].get_images()
    np.testing.assert_array_equal(drawn.get_array(), expected)


def test_large_images_are_thinned_out() -> None:
    made = prediction("cyx", (2, 1300, 40))
    (drawn,) = made.plot().axes[0].get_images()
    np.testing.assert_array_equal(drawn.get_array(), made.mean[0, ::3, ::3])


def with_chi_square(*others: str) -> Prediction:
    made = prediction("cyx", (2, 8, 8))
    images = {**{name: made.images[name] for name in others}, "chi-square": np.ones((1, 8, 8), np.float32)}
    return Prediction(
        images=images,
        usual=images,
        layout=made.layout,
        channel_names=made.channel_names,
        samples=3,
        calibrated=True,
    )


def test_an_image_that_the_channels_share_is_drawn_once() -> None:
    panels = [panel for panel in with_chi_square("mean").plot().axes if panel.get_images()]
    assert [panel.get_title() for panel in panels] == ["mean", "chi-square", ""]


def test_chi_square_alone_is_drawn() -> None:
    made = with_chi_square()
    assert [panel.get_title() for panel in made.plot().axes if panel.get_images()] == ["chi-square"]
    assert "chi-square" in made._repr_html_()


@pytest.mark.parametrize("shape", [(2, 900, 5), (2, 5, 900)])
def test_long_images_make_figures_of_a_usual_size(shape: tuple[int, ...]) -> None:
    width, height = prediction("cyx", shape).plot().get_size_inches()
    assert 1 / 6 < width / height < 6


def test_a_prediction_shows_its_facts_and_a_picture_with_a_description() -> None:
    html = prediction("cyx", (2, 9, 12), ("a<b", "c"))._repr_html_()
    assert "a&lt;b, c" in html
    assert "a<b" not in html
    assert "2 x 9 x 12 (cyx)" in html
    assert "3, not calibrated" in html
    assert 'src="data:image/png;base64,' in html
    assert 'alt="' in html


def test_scores_show_the_numbers_of_their_table() -> None:
    truth = RNG.random((2, 32, 32)).astype(np.float32) + 1
    field = EvaluatedField(name="one", mixed=truth.sum(axis=0, keepdims=True), truth=truth, mean=truth + 0.1)
    scores = evaluate_fields([field], channel_names=("a", "b"), mixing=Mixing(mode="sum", offset=0))
    html = scores._repr_html_()
    assert "over 1 field<" in html
    for metric in scores.metrics:
        digits = 2 if metric.unit == "dB" else 3
        score = scores.of("b", metric.name)
        shown = score.note if score.mean is None else f"{score.mean:.{digits}f}"
        assert f"<td>{escape(shown)}</td>" in html
    assert all(note.split("'")[0] in html for note in scores.notes)


class Display:
    """What a notebook displays."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def HTML(self, text: str) -> str:  # noqa: N802 - the name in IPython
        return text

    def display(self, text: str, *, display_id: bool) -> "Display":
        assert display_id
        self.update(text)
        return self

    def update(self, text: str) -> None:
        self.shown.append(text)


def in_kernel(monkeypatch: pytest.MonkeyPatch, kernel: Any) -> Display:
    display = Display()
    shell = SimpleNamespace(kernel=kernel)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return display


def test_a_bar_counts_in_a_notebook_and_goes_with_its_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    display = in_kernel(monkeypatch, object())
    with notebook_bar("Training <a>") as tell:
        tell(1, 4)
        tell(4, 4, "loss 3.2")
    assert "<progress" in display.shown[0]
    assert 'value="4" max="4"' in display.shown[-2]
    assert "Training &lt;a&gt;" in display.shown[-2]
    assert "4 of 4 loss 3.2" in display.shown[-2]
    assert display.shown[-1] == ""


def test_a_bar_goes_with_a_stage_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    display = in_kernel(monkeypatch, object())
    with pytest.raises(ValueError, match="lost"), notebook_bar("Training"):
        raise ValueError("lost")
    assert display.shown[-1] == ""


def test_nothing_is_shown_without_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    display = in_kernel(monkeypatch, None)
    with notebook_bar("Training") as tell:
        tell(1, 2)
    assert display.shown == []
