"""Opening of images by the format that fits their name, and walks through their planes or stacks."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs
import numpy as np

from denoisplit.core.arrays import Float32Array, Window
from denoisplit.core.errors import BrokenPluginError, DenoisplitError, ImageError, in_one_line
from denoisplit.core.images.axes import SPATIAL, reordered_size, to_canonical
from denoisplit.core.images.bases import Image, ImageFormat, PixelSize
from denoisplit.core.images.disputed import DisputedFormat
from denoisplit.core.images.file_kinds import wrongly_named
from denoisplit.core.images.lazy import LazyPixels
from denoisplit.core.images.physical import IntensityScale
from denoisplit.core.images.single import in_single
from denoisplit.core.special_files import special_file


def choose_format(
    path: Path, formats: Sequence[ImageFormat], *, advice: str = "Convert or rename the file."
) -> ImageFormat:
    """Choose the format with the longest suffix with which ``path`` ends, in any case of letters.

    If the format holds several images, the path may continue behind the file: ``cells.h5/raw``,
    ``cells.h5::raw``.

    Args:
        path: path of the file, which need not exist.
        formats: the installed formats.
        advice: what to do if none fits.

    Raises:
        ImageError: no format has this suffix, or several claim it.
    """
    for part in (path, *path.parents):
        name = part.name.lower().partition("::")[0]
        goes_on = part is not path or "::" in part.name
        matches = [
            (len(suffix), -i)
            for i, f in enumerate(formats)
            for suffix in f.suffixes
            if name.endswith(suffix) and (f.holds_several or not goes_on)
        ]
        if matches:
            chosen = formats[-max(matches)[1]]
            if isinstance(chosen, DisputedFormat):
                raise chosen.refusal(path)
            return chosen
    known = ", ".join(sorted({suffix for f in formats for suffix in f.suffixes}))
    raise ImageError(f"{path}: no image format for this file name (known: {known}). {advice}")


def split_inside(path: Path, suffixes: Sequence[str]) -> tuple[Path, str]:
    """Split off the path of an image inside a file (``cells.h5/raw``, ``cells.h5::raw``); empty for none."""
    for part in (path, *path.parents):
        name, _, inside = part.name.partition("::")
        if name.lower().endswith(tuple(suffixes)):
            behind = path.relative_to(part).as_posix()
            whole = "/".join(piece for piece in (inside, "" if behind == "." else behind) if piece)
            return part.with_name(name), whole.strip("/")
    return path, ""


def open_image(path: Path, formats: Sequence[ImageFormat], axes: str | None = None) -> Image:
    """Open an image with the format that fits its name.

    Args:
        path: path of the file.
        formats: the installed formats.
        axes: axes that override those in the file, letters of ``stczyx``.

    Raises:
        ImageError: unknown suffix; missing, truncated or unreadable file; axes that do not fit.
        BrokenPluginError: the format fails, or gives something else than an image.
    """
    if problem := special_file(path):
        raise ImageError(problem)
    try:
        chosen = choose_format(path, formats)
    except ImageError as error:
        if kind := wrongly_named(path):
            what = "its name does not end as such files do" if kind.suffixes else "such files are not read"
            raise ImageError(f"{path}: {what} (got {kind.what}). {kind.advice}") from error
        raise
    try:
        found: object = chosen.open(path, axes=axes)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error}). Check the path.") from error
    except ImageError as error:
        if kind := wrongly_named(path, chosen.suffixes):
            raise ImageError(
                f"{path}: the file is not what its name says (got {kind.what}). {kind.advice}"
            ) from error
        raise
    except (DenoisplitError, MemoryError):
        raise
    except Exception as error:
        raise _broken(chosen, path, f"{type(error).__name__}: {in_one_line(error)}") from error
    if not isinstance(found, Image):
        raise _broken(chosen, path, f"it gives no Image but {type(found).__name__}")
    return found


def _broken(chosen: ImageFormat, path: Path, fault: str) -> BrokenPluginError:
    name = f"{type(chosen).__module__}:{type(chosen).__qualname__}"
    return BrokenPluginError(f"{path}: its image format fails ({fault}). Fix {name}, or convert the file.")


@attrs.frozen(kw_only=True)
class Planes:
    """An image as a sequence of arrays [c (z) y x], one for every position along its other axes.

    Attributes:
        image: image in canonical axis order.
        leading: axes of the sequence, for example ``tz`` for a time series of stacks and a 2D model.
        spatial: ``yx`` or ``zyx``.
    """

    image: Image
    leading: str
    spatial: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of positions along every leading axis."""
        return tuple(self.image.data.shape[self.image.axes.index(letter)] for letter in self.leading)

    @property
    def plane_shape(self) -> tuple[int, ...]:
        """Shape of one array [c (z) y x]."""
        sides = dict(zip(self.image.axes, self.image.data.shape, strict=True))
        return tuple(int(sides.get(letter, 1)) for letter in f"c{self.spatial}")

    @property
    def pixel_size(self) -> PixelSize | None:
        """Pixel size along the axes of one array, (z) y x."""
        return reordered_size(self.image.pixel_size, self.image.axes, self.spatial)

    def __len__(self) -> int:
        return math.prod(self.shape)

    def index(self, number: int) -> tuple[int, ...]:
        """Return the position along the leading axes of the array with this number in the iteration."""
        return tuple(int(i) for i in np.unravel_index(number, self.shape)) if self.shape else ()

    def place(self, number: int) -> str:
        """Return the name of an array's position, such as ``t=3``; empty without leading axes."""
        return self._name(self.index(number))

    def _name(self, index: tuple[int, ...]) -> str:
        return " ".join(f"{axis}={place}" for axis, place in zip(self.leading, index, strict=True))

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], Float32Array]]:
        """Yield every position along the leading axes with its pixels [c (z) y x], float32; one at a time."""
        for index in np.ndindex(self.shape):
            yield index, self.read(index)

    def lazy(self, index: tuple[int, ...]) -> LazyPixels:
        """Return one position [c (z) y x] as lazy pixels, with the values of ``read``."""
        read, dtype = partial(self.read, index), np.dtype(np.float32)
        return LazyPixels(shape=self.plane_shape, dtype=dtype, read=read, source=self.image.source)

    def read(self, index: tuple[int, ...], region: Window = ()) -> Float32Array:
        """Read the pixels of one position [c (z) y x] in counts, float32; nothing else is read.

        Args:
            index: position along the leading axes.
            region: one slice per axis, c (z) y x; empty for all.

        Raises:
            ImageError: a number that float32 cannot hold.
        """
        image, scale = self.image, self.image.intensity_scale
        asked = dict(zip(f"c{self.spatial}", region, strict=True)) if region else {}
        places = dict(zip(self.leading, index, strict=True))
        key = tuple(places.get(letter, asked.get(letter, slice(None))) for letter in image.axes)
        stored = np.asarray(image.data[key])
        channels = asked.get("c", slice(None))
        return in_single(
            stored if "c" in image.axes else stored[None],
            " ".join(filter(None, (image.source, self._name(index)))),
            scale=scale and IntensityScale(scale.factor[channels], scale.offset[channels]),
            begin=[part.start or 0 for part in region[1:]],
        )

    def assemble(self, results: Sequence[Float32Array], channel_names: tuple[str, ...]) -> Image:
        """Join one result [c (z) y x] per position to an image in canonical axis order.

        Args:
            results: results in the order of iteration, with any number of channels.
            channel_names: one name per channel of the results.
        """
        data = np.stack(results).reshape(*self.shape, *results[0].shape)
        return to_canonical(
            Image(
                data=data,
                axes=f"{self.leading}c{self.spatial}",
                channel_names=channel_names,
                pixel_size=self.image.pixel_size,
                time_interval=self.image.time_interval,
                source=self.image.source,
            )
        )


def iterate_planes(image: Image, spatial_rank: int) -> Planes:
    """Cut an image into the arrays that a 2D or 3D model takes.

    Args:
        image: image of any axes; without ``c`` it has one channel.
        spatial_rank: 2 takes single planes along ``z``, 3 takes whole stacks.

    Raises:
        ImageError: a 3D model gets an image without ``z``.
    """
    spatial = SPATIAL[-spatial_rank:]
    if missing := set(spatial) - set(image.axes):
        raise ImageError(
            f"{image.source}: a {spatial_rank}D model needs the axes {spatial}, {''.join(sorted(missing))} "
            f"is missing (got axes {image.axes!r}, shape {image.data.shape}). Give axes, or use a 2D model."
        )
    image = to_canonical(image)
    return Planes(
        image=image,
        leading="".join(letter for letter in image.axes if letter not in spatial and letter != "c"),
        spatial=spatial,
    )
