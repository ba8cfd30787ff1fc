"""The same fields give the same numbers and keep what is known of them, in whatever format and layout."""

import json
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import pytest

import denoisplit
from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Image
from denoisplit.core.images.file_dataset import FileDataset
from denoisplit.core.images.io import open_image
from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.core.spec import ResolvedSpec, parse_spec, resolve
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.core.training.data.prepare import read_fields
from denoisplit.plugins.datasets.simulated import Simulated
from denoisplit.testing.image_files.image_comparison import same_image, same_size
from tests.e2e.layouts_everywhere import CHANNELS, INTERVAL, LAYOUTS, SIZE, Pair, saving

SPEC = """
preset: denoisplit
channels: [filaments, mitochondria]
data: {train: DATA, validation_fraction: 0.34}
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {use: gaussian}
training: {steps: 2, batch: 2, patch: 16, validate_every: 1, precision: float32}
prediction: {samples: 2}
"""
FORMATS: Final = {
    type(known).__name__: known for known in installed_formats() if set(known.suffixes) - set(known.read_only)
}
"""All that are written, those of other packages included."""

REFERENCE: Final = ("folder", next(iter(FORMATS)))
PAIRED: Final = [name for name in LAYOUTS if name != "separate_channels"]
TRAINED: Final = [
    *(("folder", name) for name in list(FORMATS)[1:]),
    *((layout, list(FORMATS)[i % len(FORMATS)]) for i, layout in enumerate(PAIRED) if layout != "folder"),
]
"""Every format, and every layout in another one."""


@attrs.frozen
class Place:
    """Where the fields are, in all formats and layouts."""

    root: Path
    fields: tuple[Pair, ...]

    def spec(self, layout: str, name: str) -> ResolvedSpec:
        """Write the fields and name them."""
        folder = self.root / layout / name
        data = LAYOUTS[layout](folder, self.fields, *saving(FORMATS[name]))
        return resolve(
            parse_spec(SPEC.replace("DATA", json.dumps({**data, "path": str(folder)}))), installed_registry()
        )

    def movie(self) -> AnyArray:
        """A mixed movie [t y x]."""
        return np.stack([noisy.sum(0, dtype=np.uint16) for noisy, _ in self.fields])

    def outcome(self, layout: str, name: str) -> tuple[bytes, dict[str, Any], Image]:
        """Weights, all numbers of the run, and what a prediction in this format has become."""
        run = self.root / "runs" / f"{layout}_{name}"
        trained = denoisplit.train(self.spec(layout, name), run)
        numbers = json.loads((run / "model.json").read_text())
        # The spec names files and their format, and the digest is of all that the file says.
        del numbers["spec"], numbers["components"], numbers["sha256"]
        suffix, save = saving(FORMATS[name])
        out = self.root / "out" / f"{layout}_{name}{suffix}"
        trained.predict(save(self.root / "movies" / layout / name, self.movie(), "tyx")).save(out)
        return (run / "model.safetensors").read_bytes(), numbers, open_image(out, list(FORMATS.values()))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    options = Simulated.Options(fields=3, size=32, seed=1)
    pairs: list[Pair] = []
    for field in Simulated(options, channels=CHANNELS).fields():
        assert field.clean is not None
        pairs.append((np.round(field.observed).astype(np.uint16), np.round(field.clean).astype(np.uint16)))
    return Place(tmp_path_factory.mktemp("everywhere"), tuple(pairs))


@pytest.fixture(scope="module")
def reference(place: Place) -> tuple[bytes, dict[str, Any], Image]:
    return place.outcome(*REFERENCE)


def test_every_data_set_of_files_has_its_layout_here() -> None:
    rows = (row for row in installed_registry().components("dataset") if row.package == BUILTIN)
    assert {row.name for row in rows if issubclass(row.load(), FileDataset)} == set(LAYOUTS)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_fields_are_those_that_were_written(place: Place, layout: str, name: str) -> None:
    spec = place.spec(layout, name)
    found = read_fields(spec.data.train, CHANNELS)
    assert len(found) == len(place.fields)
    order = [set(range(3)), set(range(3))]
    for field, pair in zip(found, place.fields, strict=True):
        assert field.clean is not None
        assert field.pixel_size is not None
        same_size(
            Image(data=pair[0], axes="cyx", pixel_size=SIZE),
            Image(data=pair[0], axes="cyx", pixel_size=field.pixel_size),
        )
        for channel in range(len(CHANNELS)):
            # Separate channels have partners of their own; no image serves twice.
            same = [
                number
                for number, (noisy, clean) in enumerate(place.fields)
                if np.array_equal(field.observed[channel], noisy[channel])
                and np.array_equal(field.clean[channel], clean[channel])
            ]
            assert len(same) == 1
            order[channel].remove(same[0])
            assert layout == "separate_channels" or np.array_equal(field.observed[channel], pair[0][channel])
    assert order == [set(), set()]


@pytest.mark.parametrize(("layout", "name"), TRAINED)
def test_training_and_prediction_give_the_same(
    place: Place, reference: tuple[bytes, dict[str, Any], Image], layout: str, name: str
) -> None:
    weights, numbers, written = place.outcome(layout, name)
    assert weights == reference[0]
    assert numbers == reference[1]
    same_image(attrs.evolve(reference[2], data=reference[2].pixels), written)


def test_the_prediction_has_all_that_was_known_of_the_image(
    reference: tuple[bytes, dict[str, Any], Image], place: Place
) -> None:
    written = reference[2]
    assert (written.axes, written.data.shape[0]) == ("tcyx", 3)
    assert written.channel_names[:2] == ("filaments mean", "mitochondria mean")
    assert written.time_interval == INTERVAL
    same_size(Image(data=place.movie(), axes="tyx", pixel_size=SIZE), written)


def test_channels_of_different_fields_give_the_same_in_two_formats(place: Place) -> None:
    one, other = (place.outcome("separate_channels", name) for name in list(FORMATS)[1:3])
    assert (one[0], one[1]) == (other[0], other[1])
    same_image(attrs.evolve(one[2], data=one[2].pixels), other[2])


def test_every_format_takes_part(place: Place) -> None:
    assert {"OmeTiff", "Tiff", "OmeZarr", "ZarrArrays", "Hdf5", "Mrc", "NumpyArrays"} <= set(FORMATS)
    assert {name for _, name in (REFERENCE, *TRAINED)} == set(FORMATS)
    assert {layout for layout, _ in (REFERENCE, *TRAINED)} == set(PAIRED)
