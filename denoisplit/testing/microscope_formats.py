"""Conformance suites for read-only formats, whose files other programs write."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

import attrs
import imagecodecs
import numpy as np
import pytest
from hypothesis import strategies as st

from denoisplit.core.images.bases import Image, ImageFormat, PixelSize, TimeInterval
from denoisplit.core.images.physical_units import IN_MICRONS
from denoisplit.testing.image_files.microscope_files import write_czi, write_lif, write_nd2
from denoisplit.testing.image_formats import ImageFormatTests


@st.composite
def recorded(draw: st.DrawFn, rank: int, dtypes: tuple[str, ...], *, order: str, square: bool) -> Image:
    """Draw images as microscopes record them: µm and seconds, no axis of length 1 except y and x.

    Args:
        draw: hypothesis's function.
        rank: number of spatial axes.
        dtypes: types of the pixels.
        order: order of the axes; letters in brackets come in any order.
        square: whether pixels are square.
    """
    wanted = {*draw(st.sampled_from(["", "c", "t", "tc", "s", "sc", "st"])), *"zyx"[-rank:]}
    head, _, rest = order.partition("[")
    free, _, tail = rest.partition("]")
    letters = [*head, *draw(st.permutations(list(free))), *tail]
    axes = "".join(letter for letter in letters if letter in wanted)
    shape = tuple(draw(st.integers(2, 4)) for _ in axes)
    dtype = draw(st.sampled_from(dtypes))
    pixels = np.random.default_rng(draw(st.integers(0, 10**6))).uniform(0, 255, shape).astype(dtype)
    channels = shape[axes.index("c")] if "c" in axes else 1
    name = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=8)
    names = st.lists(name, min_size=channels, max_size=channels, unique=True).map(tuple)
    sides = [draw(st.integers(1, 4000)) / 1000 for _ in range(rank)]
    if square:
        sides[-2] = sides[-1]
    interval = TimeInterval(draw(st.integers(1, 9999)) / 1000, "s")
    return Image(
        data=pixels,
        axes=axes,
        channel_names=draw(st.just(()) | names),
        pixel_size=draw(st.none() | st.just(PixelSize(tuple(sides), "µm"))),
        time_interval=draw(st.none() | st.just(interval)) if "t" in axes else None,
    )


class _OnlyReadTests(ImageFormatTests):
    """Base of suites for which another program makes the files."""

    def readable(self) -> tuple[str, ...]:
        """Return all suffixes."""
        return self.image_format(self.smallest()).suffixes

    def written(self) -> tuple[str, ...]:
        """Skip the test: laws of writing do not apply."""
        pytest.skip("files of this format are only read")


class MicroscopeFormatTests(_OnlyReadTests):
    """Suite for microscope formats: ``write_file`` makes the files, without what they cannot hold.

    Attributes:
        package: package that the format needs.
        order: order of the axes.
        square: whether pixels are square.
    """

    package: ClassVar[str]
    order: ClassVar[str]
    square: ClassVar[bool] = False

    def write_file(self, path: Path, image: Image) -> None:
        """Write a file of the format."""
        raise NotImplementedError

    def readable(self) -> tuple[str, ...]:
        """Return all suffixes, where the package is installed."""
        pytest.importorskip(self.package)
        return super().readable()

    def make(self, image_format: ImageFormat, path: Path, image: Image) -> None:
        """Make a file, as far as it can hold the image."""
        del image_format
        if image.pixel_size and image.pixel_size.unit not in IN_MICRONS:
            raise ValueError("such files have no place for a unit")
        self.write_file(path, image)

    def images(self, rank: int) -> st.SearchStrategy[Image]:
        """Draw images as such microscopes record them."""
        return recorded(rank, self.dtypes, order=self.order, square=self.square)

    def example(self, rank: int) -> Image:
        """Return an image of two channels with everything that such a file holds."""
        image = super().example(rank)
        axes = "".join(letter for letter in self.order if letter in image.axes)
        data = np.transpose(image.pixels, [image.axes.index(letter) for letter in axes])
        sizes = PixelSize((0.5, 0.25, 0.25)[-rank:], "µm") if self.square else image.pixel_size
        return attrs.evolve(image, data=data, axes=axes, intensity_scale=None, pixel_size=sizes)


_ZSTD: Final = ("zstd1:ExplicitLevel=2;PreProcess=HiLoByteUnpack", "zstd1:ExplicitLevel=2", "zstd0:")
"""Compressions with all high bytes after the low ones, and without."""


class CziTests(MicroscopeFormatTests):
    """Suite for CZI: Zeiss's library writes; it supports neither int16 nor float64."""

    package = "pylibCZIrw"
    order = "stczyx"

    def write_file(self, path: Path, image: Image) -> None:
        """Write a file with scenes at arbitrary places; its compression depends on the axes."""
        places = [(4 + 9 * scene, 5 + 7 * scene) for scene in range(max(image.data.shape))]
        write_czi(path, image, compression=_ZSTD[len(image.axes) % len(_ZSTD)], tile=3, places=places)


class Nd2Tests(MicroscopeFormatTests):
    """Suite for ND2: frames hold all channels; positions come first."""

    package = "nd2"
    order = "s[tz]cyx"
    square = True

    def write_file(self, path: Path, image: Image) -> None:
        """Write a file."""
        write_nd2(path, image)


class LifTests(MicroscopeFormatTests):
    """Suite for LIF: planes in any order."""

    package = "liffile"
    order = "[stcz]yx"

    def write_file(self, path: Path, image: Image) -> None:
        """Write a file."""
        write_lif(path, image)


class PngTests(_OnlyReadTests):
    """Suite for PNG: one gray plane without metadata."""

    dtypes = ("uint8", "uint16")

    def make(self, image_format: ImageFormat, path: Path, image: Image) -> None:
        """Make a file, as far as it can hold the image."""
        del image_format
        path.write_bytes(imagecodecs.png_encode(image.pixels))

    def images(self, rank: int) -> st.SearchStrategy[Image]:
        """Draw planes."""
        del rank
        shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
        return st.builds(
            lambda shape, dtype, seed: Image(
                data=np.random.default_rng(seed).integers(0, 256, shape).astype(dtype), axes="yx"
            ),
            shapes,
            st.sampled_from(self.dtypes),
            st.integers(0, 99),
        )

    def example(self, rank: int) -> Image:
        """Return a plane."""
        del rank
        return Image(data=np.arange(20, dtype=np.uint16).reshape(4, 5), axes="yx")


MADE_BY_OTHERS: Final[Mapping[str, type[ImageFormatTests]]] = {
    "czi": CziTests,
    "nd2": Nd2Tests,
    "lif": LifTests,
    "png": PngTests,
}
"""Suites for denoisplit's read-only formats, by name."""
