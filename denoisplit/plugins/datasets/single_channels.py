"""Folders of single-channel files, whose channels show the same fields or different ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import final

import attrs
from attrs.validators import ge

from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.bases import Field
from denoisplit.plugins.datasets.files import AxesOptions, SingleChannelDataset
from denoisplit.plugins.datasets.pairing import Single, leftovers, matched, paired, singles
from denoisplit.plugins.datasets.reading import key_of, partner, require_folder


@final
class ChannelFiles(SingleChannelDataset):
    """One file per field and channel, matched by name, as are clean references and recorded mixed images.

    Files belong to the same field when the first ``*`` of their patterns stands for the same text. With
    ``mixed``, the network learns from the recorded mixed image of the field, not from the sum of its
    channels.
    """

    @attrs.frozen(kw_only=True)
    class Options(AxesOptions):
        """Where the images are.

        Attributes:
            observed: pattern of the noisy images of every channel, relative to the folder, in the order of
                the channels; empty for a folder per channel that has its name (``actin/*.tif*``).
            clean: patterns of their clean references; empty for none.
            mixed: pattern of recorded mixed images; empty to make the mixed image of the channels.
        """

        observed: tuple[str, ...] = ()
        clean: tuple[str, ...] = ()
        mixed: str = ""

    options: Options

    def fields(self) -> tuple[Field, ...]:
        """All fields, in natural order of their names; float32 counts."""
        folder, options = self.options.path, self.options
        require_folder(folder)
        observed = patterns(options.observed, self.channels, "observed")
        clean = patterns(options.clean, self.channels, "clean") if options.clean else ()
        found = [self.images.by_key(folder, pattern, "observed") for pattern in observed]
        references = [self.images.by_key(folder, pattern, "clean") for pattern in clean]
        mixed = self.images.by_key(folder, options.mixed, "mixed")
        if not found[0]:
            raise ImageError(
                f"{folder}: no file matches (got observed={observed[0]!r}). Correct path or pattern."
                f"{self.images.others(folder, observed[0])}"
            )
        made: list[Field] = []
        for key, first in found[0].items():
            own = [
                partner(first, key, kind, name, pattern)
                for kind, name, pattern in zip(found, self.channels, observed, strict=True)
            ]
            truth = [
                partner(first, key, kind, f"clean {name}", pattern)
                for kind, name, pattern in zip(references, self.channels[: len(clean)], clean, strict=True)
            ]
            image = partner(first, key, mixed, "mixed", options.mixed) if options.mixed else None
            made += self._fields(own, truth, image)
        return tuple(made)

    def remarks(self) -> tuple[str, ...]:
        """Images of the other channels that match no image of the first."""
        observed = patterns(self.options.observed, self.channels, "observed")
        found = [self.images.by_key(self.options.path, pattern, "observed") for pattern in observed]
        lost = [file.name for kind in found for key, file in kind.items() if key not in found[0]]
        if not lost:
            return ()
        return (f"No image of {self.channels[0]} goes with {', '.join(lost[:5])}: left out.",)

    def _fields(self, own: Sequence[Path], truth: Sequence[Path], mixed: Path | None) -> list[Field]:
        """Build the fields of one file per channel: one for every position along time and depth."""
        opened = [self.frames(path) for path in own]
        images = [
            singles(name, frames, self.frames(truth[number]) if truth else None)
            for number, (name, frames) in enumerate(zip(self.channels, opened, strict=True))
        ]
        recorded = None if mixed is None else self.frames(mixed)
        return matched(images, recorded, self.channels, where=str(own[0]))


@final
class SeparateChannels(SingleChannelDataset):
    """Images of one structure each, recorded in different fields: training mixes them anew for every patch.

    Every patch combines a place of each channel, drawn independently of the others. Validation and test need
    fixed images: there, the images of the channels are paired once, at random.
    """

    @attrs.frozen(kw_only=True)
    class Options(AxesOptions):
        """Where the images are.

        Attributes:
            observed: pattern of the noisy images of every channel, relative to the folder, in the order of
                the channels; empty for a folder per channel that has its name (``actin/*.tif*``).
            clean: patterns of their clean references, which are partners when the first ``*`` stands for the
                same text; empty for none.
            seed: seed of the pairs for validation and test.
        """

        observed: tuple[str, ...] = ()
        clean: tuple[str, ...] = ()
        seed: int = attrs.field(default=0, validator=ge(0))

    options: Options

    def fields(self) -> tuple[Field, ...]:
        """As many fields as the channel with the fewest images has images; float32 counts."""
        return paired(self._images(), self.channels, pairing="drawn", seed=self.options.seed)

    def remarks(self) -> tuple[str, ...]:
        """Images that find no partner."""
        return leftovers(self._images(), self.channels)

    def _images(self) -> list[list[Single]]:
        require_folder(self.options.path)
        observed = patterns(self.options.observed, self.channels, "observed")
        clean = patterns(self.options.clean, self.channels, "clean") if self.options.clean else None
        found: list[list[Single]] = []
        for number, (name, pattern) in enumerate(zip(self.channels, observed, strict=True)):
            truth = self.images.by_key(self.options.path, clean[number], "clean") if clean else {}
            images: list[Single] = []
            for file in self.images.matching(self.options.path, pattern):
                if file in truth.values():
                    continue
                key = key_of(file, self.options.path, pattern)
                reference = partner(file, key, truth, "clean", clean[number]) if clean else None
                images += singles(
                    name, self.frames(file), None if reference is None else self.frames(reference)
                )
            if not images:
                raise ImageError(
                    f"{self.options.path}: no file of {name!r} matches (got {pattern!r}). "
                    f"Correct path or pattern.{self.images.others(self.options.path, pattern)}"
                )
            found.append(images)
        return found


def patterns(given: tuple[str, ...], channels: Sequence[str], option: str) -> tuple[str, ...]:
    """Return one pattern per channel: those given, or folders with the names of the channels.

    Raises:
        ChannelCountError: another number of patterns than of channels.
    """
    if not given:
        return tuple(f"{name}/*.tif*" for name in channels)
    if len(given) != len(channels):
        raise ChannelCountError(
            f"{option}: one pattern is needed for each of {', '.join(channels)} (got {len(given)}). "
            f"Give them in this order."
        )
    return given
