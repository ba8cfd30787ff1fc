"""What only people know of a network; for formats that say it."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

import attrs

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError, require_keywords
from denoisplit.core.given import require, texts_of
from denoisplit.core.prediction.outputs.result import PathLike
from denoisplit.core.storage.image_files import open_given


class Words(TypedDict, total=False):
    """What only people know of a network.

    Attributes:
        title: title of the model; one made of its channels if left out.
        description: a sentence about it; one made of its channels if left out.
        license: identifier in the list of SPDX, such as ``CC-BY-4.0``.
        authors: names of its authors.
        image: mixed image [(z) y x] that shows what the network does, array or file, counts; it becomes
            public. A simulated one if left out.
    """

    title: str
    description: str
    license: str
    authors: Sequence[str]
    image: AnyArray | PathLike | None


@attrs.frozen(kw_only=True)
class About:
    """``Words``, checked; empty where nothing was given."""

    title: str = ""
    description: str = ""
    license: str = ""
    authors: tuple[str, ...] = ()
    image: AnyArray | None = attrs.field(default=None, eq=False, repr=False)


def about_of(**words: Unpack[Words]) -> About:
    """Check the words.

    Raises:
        TypeError: ``export`` has no such argument.
        ArgumentError: a word of a wrong type.
        ImageError: the image cannot be read, or has several channels or frames.
    """
    require_keywords("export", words, Words.__annotations__)
    texts = {name: words.get(name, "") for name in ("title", "description", "license")}
    for name, given in texts.items():
        require(isinstance(given, str), name, given, "text")
    image = words.get("image")
    return About(
        title=words.get("title", ""),
        description=words.get("description", ""),
        license=words.get("license", ""),
        authors=texts_of(words.get("authors", ()), "authors"),
        image=None if image is None else _pixels(image),
    )


def _pixels(given: AnyArray | PathLike) -> AnyArray:
    opened = open_given(given, None)
    if set(opened.axes) - set("zyx"):
        raise ImageError(
            f"{opened.source}: an image of one channel and one frame is needed (got axes {opened.axes}). "
            f"Cut one out."
        )
    pixels: AnyArray = opened.data[...]
    return pixels
