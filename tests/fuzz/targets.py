"""All readers and loaders that meet files of others."""

from collections.abc import Mapping
from typing import Final

from tests.fuzz.engine import Target
from tests.fuzz.images import IMAGES
from tests.fuzz.loaders import LOADERS

TARGETS: Final[Mapping[str, Target]] = {target.name: target for target in (*IMAGES, *LOADERS)}
