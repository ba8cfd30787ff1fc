"""Data sets of authors that give something else than fields are told in one line, before a training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch

import denoisplit
from denoisplit.core.errors import BrokenPluginError, DenoisplitError, ImageError
from denoisplit.core.images.bases import Dataset, Field
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import ResolvedSpec, parse_spec, resolve
from denoisplit.core.training.data.data_check import check_data
from denoisplit.core.training.data.prepare import read_fields

RNG = np.random.default_rng(0)
TWO = RNG.poisson(50, (2, 16, 16)).astype(np.float32)
FIELD = Field(name="one", observed=TWO)


def spec_of(give: Callable[[], Any]) -> ResolvedSpec:
    class Given(Dataset):
        """Gives what it is told to give."""

        @attrs.frozen
        class Options:
            pass

        def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
            del options, channels

        def fields(self) -> Any:
            return give()

    denoisplit.register("dataset", "given")(Given)
    text = "preset: denoisplit\nchannels: [a, b]\ndata: {train: {use: given}}"
    return resolve(parse_spec(text), installed_registry())


def fails() -> Any:
    raise KeyError("plate")


def field(**images: Any) -> Callable[[], Any]:
    return lambda: (attrs.evolve(FIELD, **images),)


WRONG = [
    (fails, "gives no fields (KeyError: 'plate', at test_fields_of_authors.py:"),
    (lambda: None, "gives no fields (TypeError: 'NoneType' object is not iterable, "),
    (lambda: (TWO,), "its fields are no Field (got ndarray)"),
    (
        field(observed=TWO[0]),
        "field one: its observed image has the shape (16, 16), and not the axes c, (z), y, x",
    ),
    (
        field(observed=TWO.tolist()),
        "field one: its observed image is no array of NumPy or like one (got list)",
    ),
    (field(clean=torch.zeros(2)), "field one: its clean image is no array of NumPy or like one (got Tensor)"),
    (field(observed=TWO[:1]), "field one: its observed image has 1 channels (got the names a, b)"),
    (field(clean=TWO[:, :8]), "field one: its clean image has the shape (2, 8, 16), and not (2, 16, 16)"),
    (field(mixed=TWO), "field one: its mixed image has the shape (2, 16, 16), and not (1, 16, 16)"),
    (field(repeats=TWO), "field one: its repeats image has the shape (16, 16), and not (2, 16, 16)"),
]


@pytest.mark.usefixtures("own_components")
@pytest.mark.parametrize(("give", "told"), WRONG)
def test_what_is_no_field_is_told(give: Callable[[], Any], told: str) -> None:
    spec = spec_of(give)
    with pytest.raises(BrokenPluginError) as caught:
        read_fields(spec.data.train, spec.channels)
    assert str(caught.value).startswith(f"dataset notebook/given: {told}")
    assert check_data(spec).errors[0] == str(caught.value)


@pytest.mark.usefixtures("own_components")
@pytest.mark.parametrize("kind", [complex, object, bool])
def test_pixels_that_are_no_intensities_are_told(kind: type) -> None:
    spec = spec_of(field(observed=TWO.astype(kind)))
    with pytest.raises(ImageError, match="field one, observed image: pixels must be real numbers"):
        read_fields(spec.data.train, spec.channels)


@pytest.mark.usefixtures("own_components")
@pytest.mark.parametrize("give", [field(), lambda: [FIELD], lambda: iter([FIELD])])
def test_any_sequence_of_fields_is_taken(give: Callable[[], Any]) -> None:
    spec = spec_of(give)
    assert [one.name for one in read_fields(spec.data.train, spec.channels)] == ["one"]


@pytest.mark.usefixtures("own_components")
def test_what_the_data_set_says_itself_stays(tmp_path: Path) -> None:
    def missing() -> Any:
        raise ImageError(f"{tmp_path}: no images. Check the path.")

    spec = spec_of(missing)
    with pytest.raises(DenoisplitError, match="no images") as caught:
        read_fields(spec.data.train, spec.channels)
    assert str(caught.value) == f"{tmp_path}: no images. Check the path."
