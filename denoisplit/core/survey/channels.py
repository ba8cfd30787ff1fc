"""Names of the channels, and their numbers in a file."""

from collections.abc import Sequence

import attrs

from denoisplit.core.errors import SpecError
from denoisplit.core.images.channel_names import MIXED, new_name_fault, same_name
from denoisplit.core.survey.findings import Part

LEFT_OUT = "-"
"""Name for a channel of the files to leave out."""


@attrs.frozen(kw_only=True)
class ChannelNames:
    """Names of the channels of an experiment.

    Attributes:
        names: names of the channels, in their order.
        index: number of each among the channels of the files, or among their structures.
        of: number of channels of the files.
        why: where the names come from.
        question: question to the user; empty for none.
    """

    names: tuple[str, ...]
    index: tuple[int, ...]
    of: int
    why: str
    question: str = ""

    @property
    def all_taken(self) -> bool:
        """Whether no channel of the files is left out."""
        return len(self.index) == self.of


def name_channels(part: Part, given: Sequence[str]) -> ChannelNames:
    """Name the channels as given by the user or in the files, or by placeholders.

    Args:
        part: the training images.
        given: one name per channel of the files, ``-`` for one to leave out; empty for those in the files.

    Raises:
        SpecError: names that do not fit the files.
    """
    count = len(part.structures) or part.observed[0].channels
    if given:
        return _given(part, [name.strip() for name in given], count)
    everything = tuple(range(count))
    if part.structures:
        why = "names of the folders or files of the structures"
        return ChannelNames(names=part.structures, index=everything, of=count, why=why)
    known = part.observed[0].channel_names
    if len(known) == count and _usable(known):
        return ChannelNames(names=known, index=everything, of=count, why="names that the files have for them")
    if count == 1:
        return ChannelNames(
            names=("structure",), index=everything, of=1, why="a name of your choice: the files have none"
        )
    names = tuple(f"structure_{number + 1}" for number in everything)
    question = (
        f"What do the {count} channels of your files show? The files do not say. Replace {', '.join(names)} "
        f"under channels, or run again with --channels {','.join('abcdefgh'[:count])} ('{LEFT_OUT}' instead "
        "of a name leaves a channel out)."
    )
    why = "EDIT: names of the structures, in the order of the channels in the files"
    return ChannelNames(names=names, index=everything, of=count, why=why, question=question)


def _given(part: Part, given: Sequence[str], count: int) -> ChannelNames:
    if part.structures and set(given) <= set(part.structures):
        index = [part.structures.index(name) for name in given]
        names = list(given)
    elif len(given) != count:
        stated = f"{', '.join(part.structures)}" if part.structures else f"{count} channels"
        raise SpecError(
            f"--channels: expected one name for each of {count}, '{LEFT_OUT}' leaves one out (the files have "
            f"{stated}, got {', '.join(given)}). Name all of them."
        )
    else:
        index = [number for number, name in enumerate(given) if name != LEFT_OUT]
        names = [name for name in given if name != LEFT_OUT]
    if faults := [f"{fault} (got {name!r})" for name in names if name and (fault := new_name_fault(name))]:
        raise SpecError(f"--channels: {faults[0]}. Name the structure.")
    if not _usable(names):
        raise SpecError(
            f"--channels: expected different names, none empty or '{MIXED}' (got {', '.join(given)}). "
            f"Rename them."
        )
    return ChannelNames(names=tuple(names), index=tuple(index), of=count, why="as you named them")


def _usable(names: Sequence[str]) -> bool:
    different = len({same_name(name) for name in names}) == len(names)
    return bool(names) and different and not any(name == MIXED or new_name_fault(name) for name in names)
