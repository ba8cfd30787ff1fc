"""An image as a user opens it, and the one line that a refusal is."""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Image
from denoisplit.core.images.io import open_image
from denoisplit.core.storage.image_files import installed_formats

FORMATS: Final = installed_formats()


def opened(path: Path, axes: str | None = None) -> Image:
    """The image at a path."""
    return open_image(path, FORMATS, axes)


def refused(path: Path, *parts: str) -> str:
    """The line that refuses an image when its pixels are asked for: it has the path and these parts."""
    with pytest.raises(ImageError) as caught:
        np.asarray(opened(path).data)
    message = str(caught.value)
    for part in (str(path), *parts):
        assert part in message
    assert "\n" not in message
    assert message.endswith(".")
    return message


def advised(message: str) -> str:
    """The axes that a message proposes."""
    found = re.search(r"--axes (\w+)\)", message)
    assert found, f"no axes in {message}"
    return found[1]
