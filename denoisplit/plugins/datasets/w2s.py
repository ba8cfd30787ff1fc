"""W2S as it is published: 120 fields, 400 exposures of each of three channels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, final

import attrs
from attrs.validators import ge, in_

from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.bases import Field, ImageFormat
from denoisplit.core.images.derived_images import stacked
from denoisplit.core.images.lazy import LazyArray
from denoisplit.plugins.datasets.files import FileOptions, ImageFileDataset
from denoisplit.plugins.datasets.frames import Frames, channels_of, mean_image
from denoisplit.plugins.datasets.reading import natural, require_folder

_LAST_TRAINING: Final = 80
_CHANNELS: Final = 3


@final
class W2S(ImageFileDataset):
    """The raw images of W2S (https://github.com/IVRL/w2s): exposures of three channels of the same field.

    Reads ``Image001/wf_channel0.npy`` to ``Image120/wf_channel2.npy``, 400 exposures each. A noisy image is
    the mean of some of them, the clean reference the mean of all others.
    """

    @attrs.frozen(kw_only=True)
    class Options(FileOptions):
        """Where the images are, and which.

        Attributes:
            path: the folder with one folder per field.
            channel_index: which of the channels 0, 1 and 2 are those of the spec, in their order.
            part: ``train`` (fields 1 to 80, as published), ``test`` (81 to 120) or ``all``.
            average: exposures that make one noisy image.
            repeats: further noisy images of every field, for fitting noise models.
        """

        channel_index: tuple[int, ...] = ()
        part: Literal["all", "train", "test"] = attrs.field(
            default="all", validator=in_(("all", "train", "test"))
        )
        average: int = attrs.field(default=1, validator=ge(1))
        repeats: int = attrs.field(default=0, validator=ge(0))

    options: Options

    def __init__(
        self, options: Options, *, channels: tuple[str, ...], formats: Sequence[ImageFormat]
    ) -> None:
        index = options.channel_index or tuple(range(len(channels)))
        if len(index) != len(channels) or not all(0 <= i < _CHANNELS for i in index):
            raise ChannelCountError(
                f"channel_index: one of 0, 1 and 2 is needed for each of {', '.join(channels)} "
                f"(got {list(index)}). Give them in this order."
            )
        super().__init__(options, channels=channels, formats=formats)
        self.index = index

    def fields(self) -> tuple[Field, ...]:
        """All fields of the part, in their order; float32 counts.

        Raises:
            ImageError: no folder, a missing or unreadable file, or fewer exposures than asked for.
        """
        require_folder(self.options.path)
        chosen = [folder for folder in self._folders() if self._serves(folder)]
        if not chosen:
            raise ImageError(
                f"{self.options.path}: there are no folders Image001, Image002, ... for part "
                f"{self.options.part!r} (got none). Correct path or part."
            )
        return tuple(self._field(folder) for folder in chosen)

    def _folders(self) -> list[Path]:
        folders = [entry for entry in self.options.path.glob("Image*") if entry.is_dir()]
        return sorted(folders, key=lambda entry: natural(entry.name))

    def _serves(self, folder: Path) -> bool:
        digits = folder.name.removeprefix("Image")
        if not digits.isdecimal():
            return False
        return self.options.part == "all" or (int(digits) <= _LAST_TRAINING) == (self.options.part == "train")

    def _field(self, folder: Path) -> Field:
        exposures: list[list[LazyArray]] = []
        clean: list[LazyArray] = []
        files = []
        pixel_size = None
        for index, channel in zip(self.index, self.channels, strict=True):
            # One channel at a time: 400 exposures of it take 400 MB.
            frames = self.images.stack(self.images.needed(folder, f"wf_channel{index}"), self.options.path)
            noisy, rest = self._parts(frames)
            exposures.append(noisy)
            clean += [mean_image(rest)] if rest else []
            files.append(frames.file("observed", channel))
            pixel_size = frames.pixel_size
        observed, *repeats = (
            channels_of(images, self.channels, folder.name) for images in zip(*exposures, strict=True)
        )
        whole = len(clean) == len(self.index)
        return Field(
            name=folder.name,
            observed=observed,
            clean=channels_of(clean, self.channels, folder.name) if whole else None,
            repeats=stacked(repeats) if repeats else None,
            pixel_size=pixel_size,
            files=tuple(files),
        )

    def _parts(self, frames: Frames) -> tuple[list[LazyArray], Sequence[LazyArray]]:
        """Return 1 + repeats noisy images [y x], and the exposures that are in none of them."""
        count, each = 1 + self.options.repeats, self.options.average
        if len(frames.pixels) < count * each:
            raise ImageError(
                f"{frames.path}: {count * each} exposures are needed for average={each} and "
                f"repeats={self.options.repeats} (got {len(frames.pixels)}). Lower them."
            )
        noisy = [mean_image(frames.pixels[i * each : (i + 1) * each]) for i in range(count)]
        return noisy, frames.pixels[count * each :]
