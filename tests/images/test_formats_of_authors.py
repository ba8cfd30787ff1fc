"""Image formats of authors that fail, or give something else than an image, are told in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from denoisplit.core.errors import BrokenPluginError, DenoisplitError, ImageError, MissingPackageError
from denoisplit.core.images.bases import Image, ImageFormat
from denoisplit.core.images.io import open_image


class Given(ImageFormat):
    """Opens what it is told to."""

    @attrs.frozen
    class Options:
        pass

    suffixes = (".given",)

    def __init__(self, give: Callable[[], Any]) -> None:
        self.give = give

    def open(self, path: Path, *, axes: str | None = None) -> Any:
        return self.give()

    def write(self, path: Path, image: Image) -> None:
        raise NotImplementedError


def fails(error: Exception) -> Callable[[], Any]:
    def give() -> Any:
        raise error

    return give


@pytest.mark.parametrize(
    ("give", "fault"),
    [
        (fails(KeyError("header")), "KeyError: 'header'"),
        (fails(ValueError("two\nlines")), "ValueError: two lines"),
        (lambda: None, "it gives no Image but NoneType"),
        (lambda: np.zeros((8, 8)), "it gives no Image but ndarray"),
    ],
)
def test_what_a_format_does_wrong_names_the_file_and_the_format(
    tmp_path: Path, give: Callable[[], Any], fault: str
) -> None:
    path = tmp_path / "a.given"
    with pytest.raises(BrokenPluginError) as caught:
        open_image(path, [Given(give)])
    assert str(caught.value) == (
        f"{path}: its image format fails ({fault}). Fix {__name__}:Given, or convert the file."
    )


@pytest.mark.parametrize("error", [ImageError("a: b. C."), MissingPackageError("d: e. F."), MemoryError()])
def test_what_a_format_says_itself_stays(tmp_path: Path, error: Exception) -> None:
    with pytest.raises((DenoisplitError, MemoryError)) as caught:
        open_image(tmp_path / "a.given", [Given(fails(error))])
    assert caught.value is error
