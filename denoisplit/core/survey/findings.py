"""Records of a survey."""

import math
from pathlib import Path, PurePosixPath

import attrs

from denoisplit.core.images.bases import PixelSize
from denoisplit.core.survey.file_names import wild


@attrs.frozen(kw_only=True)
class FoundImage:
    """An image that can be read.

    Attributes:
        path: path relative to the folder.
        axes: one letter per axis.
        shape: length of every axis.
        dtype: type of the pixels.
        channel_names: one name per channel where the file has them.
        pixel_size: physical pixel size, if known.
    """

    path: PurePosixPath
    axes: str
    shape: tuple[int, ...]
    dtype: str
    channel_names: tuple[str, ...] = ()
    pixel_size: PixelSize | None = None

    def _length(self, letter: str) -> int:
        return self.shape[self.axes.index(letter)] if letter in self.axes else 1

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._length("c")

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._length("y"), self._length("x")

    @property
    def planes(self) -> int:
        """Number of positions along all other axes, such as time and depth."""
        return math.prod(n for letter, n in zip(self.axes, self.shape, strict=True) if letter not in "cyx")


@attrs.frozen
class Skipped:
    """A file that has the name of an image, but cannot be used.

    Attributes:
        path: path relative to the folder.
        reason: one line.
    """

    path: PurePosixPath
    reason: str


@attrs.frozen(kw_only=True)
class Found:
    """All images of a folder.

    Attributes:
        folder: the folder.
        axes: axes given by the user, empty for those in the files.
        images: usable images in natural order of their names.
        skipped: images that cannot be used.
    """

    folder: Path
    axes: str = ""
    images: tuple[FoundImage, ...]
    skipped: tuple[Skipped, ...] = ()


@attrs.frozen(kw_only=True)
class Part:
    """The images of one purpose.

    Attributes:
        purpose: ``train``, ``validation`` or ``test``.
        folder: path relative to the folder of the survey.
        structures: names of structures with files of their own; empty where files have channels.
        separate: whether the files of the structures show different fields.
        observed: the images to learn from; for several structures, those of all of them.
        patterns: patterns of the observed images: one, or one per structure.
        clean: clean references; empty for none.
        clean_patterns: patterns of the clean references; empty for none.
        mixed: recorded mixed images; empty for none.
        mixed_pattern: pattern of the recorded mixed images; empty for none.
    """

    purpose: str
    folder: PurePosixPath
    structures: tuple[str, ...] = ()
    separate: bool = False
    observed: tuple[FoundImage, ...]
    patterns: tuple[str, ...]
    clean: tuple[FoundImage, ...] = ()
    clean_patterns: tuple[str, ...] = ()
    mixed: tuple[FoundImage, ...] = ()
    mixed_pattern: str = ""

    @property
    def fields(self) -> int:
        """Number of fields of view; the smallest one where structures have files of their own."""
        planes = [0] * len(self.patterns)
        for image in self.observed:
            path = image.path.relative_to(self.folder)
            planes[[wild(own, path) is not None for own in self.patterns].index(True)] += image.planes
        return min(planes)


@attrs.frozen(kw_only=True)
class Arrangement:
    """The images by purpose.

    Attributes:
        parts: training images first.
        remarks: remarks for the user, a sentence each.
    """

    parts: tuple[Part, ...]
    remarks: tuple[str, ...] = ()

    @property
    def train(self) -> Part:
        """The images to learn from."""
        return self.parts[0]


@attrs.frozen(kw_only=True)
class ChannelFacts:
    """Measurements of one channel.

    Attributes:
        offset: counts without light, estimated from the noise; None where that is impossible.
        darkest: counts of the darkest places.
        mean: mean count.
        saturated: fraction of pixels at the maximum, beside one in each image.
        finest: finest detail above the noise, cycles per pixel (at most 0.5).
    """

    offset: float | None
    darkest: float
    mean: float
    saturated: float
    finest: float


@attrs.frozen(kw_only=True)
class Facts:
    """Measurements of the training images.

    Attributes:
        channels: one per channel.
        mixed_mean: mean count of the recorded mixed images of the same fields; None without them.
        same_fields: whether partners by name show the same fields, where structures have files of their own;
            None where that is unknown.
        unlike: whether the clean images have nothing in common with their partners by name.
        remarks: problems of the pixels, a sentence each.
        compared: number of fields that were compared with each other.
        places: names of the fields of every place of which several are exposures, without copies.
        copies: names of the fields that have the same pixels, for every place with such.
        scenes: number of scenes of the fields that were compared: places, and movies in which little moves.
    """

    channels: tuple[ChannelFacts, ...]
    mixed_mean: float | None = None
    same_fields: bool | None = None
    unlike: bool = False
    remarks: tuple[str, ...] = ()
    compared: int = 0
    places: tuple[tuple[str, ...], ...] = ()
    copies: tuple[tuple[str, ...], ...] = ()
    scenes: int = 0


@attrs.frozen(kw_only=True)
class Machine:
    """The machine to train on.

    Attributes:
        memory: bytes that training may use.
        gpu: name of the GPU; empty for none.
        cores: processor cores.
    """

    memory: int
    gpu: str = ""
    cores: int = 1
