"""Structures with files of their own, found by folders or by a word in file names."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

import attrs

from denoisplit.core.survey.file_names import PURPOSES, role, stem, words

MOST: Final = 6
"""More folders or words than this are fields, not structures."""

_NUMBERED: Final = ("c", "ch", "channel", "w", "wavelength")


@attrs.frozen
class Named:
    """Structures by name.

    Attributes:
        names: names of the structures, in their order.
        of: structure of every file.
        word: for every file, the word of its name that tells the structure; empty where a folder does.
    """

    names: tuple[str, ...]
    of: Mapping[PurePosixPath, str]
    word: Mapping[PurePosixPath, str]

    def among(self, path: PurePosixPath) -> tuple[str, str]:
        """Return the structure of another file, and the word in its name; both empty where it has none."""
        if not any(self.word.values()):
            return next((part for part in path.parts[:-1] if part in self.names), ""), ""
        found = [word for word in words(stem(path)) if word in self.names]
        return (found[0], found[0]) if found else ("", "")


def find_structures(paths: Sequence[PurePosixPath]) -> Named | None:
    """Find the structures of single-channel files; None where the names tell none."""
    return _by_folder(paths) or _by_word(paths)


def _by_folder(paths: Sequence[PurePosixPath]) -> Named | None:
    if len({len(path.parts) for path in paths}) != 1:
        return None
    for depth in range(len(paths[0].parts) - 1):
        names = sorted({path.parts[depth] for path in paths})
        if 2 <= len(names) <= MOST and all(_a_name(name) for name in names):
            return Named(tuple(names), {path: path.parts[depth] for path in paths}, dict.fromkeys(paths, ""))
    return None


def _by_word(paths: Sequence[PurePosixPath]) -> Named | None:
    """Find structures by the word at one place, counted from either end, that takes a few values."""
    split = [words(stem(path)) for path in paths]
    shortest = min(len(own) for own in split)
    for place in (*range(-1, -shortest - 1, -1), *range(shortest)):
        values = [own[place] for own in split]
        names = sorted(set(values))
        used_often = min(values.count(name) for name in names) > 1 or len(paths) == len(names)
        others_stay = len(paths) > len(names) or _same_besides(split, place)
        if 2 <= len(names) <= MOST and used_often and others_stay and all(_a_name(name) for name in names):
            chosen = dict(zip(paths, values, strict=True))
            return Named(tuple(names), chosen, chosen)
    return None


def _same_besides(split: Sequence[Sequence[str]], place: int) -> bool:
    """Whether names are the same except for one word."""
    rest = {tuple(word for n, word in enumerate(own) if n != place % len(own)) for own in split}
    return len(rest) == 1


def _a_name(text: str) -> bool:
    """Whether a text names a structure or a channel rather than a field, a role or a purpose."""
    letters = text.rstrip("0123456789")
    if letters != text:
        return letters.lower() in _NUMBERED
    return bool(letters) and text.lower() not in PURPOSES and not role(PurePosixPath(text))[0]
