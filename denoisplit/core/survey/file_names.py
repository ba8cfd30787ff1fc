"""Purpose, role, structure and pattern of files, from their names and folders."""

import re
from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import PurePosixPath
from typing import Final

PURPOSES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("train", "training", "learn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""Names of folders for one purpose."""

ROLES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            *("clean", "gt", "groundtruth", "truth", "reference", "ref", "averaged", "average", "avg"),
            *("high", "highsnr", "highsn", "hsnr", "highdose", "hq"),
        ),
        "clean",
    ),
    **dict.fromkeys(("noisy", "noise", "raw", "low", "lowsnr", "lowsn", "lsnr", "lowdose", "lq"), "observed"),
    **dict.fromkeys(("mixed", "mix", "mixture", "superimposed", "overlay", "merged"), "mixed"),
}
"""Words in names of files and folders that tell the role of an image."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SEPARATED: Final = re.compile(r"[^\W_]+")
_NOT_WORD: Final = r"[\W_]*"
_WILD_OR_SIGNS: Final = re.compile(r"(\*|\[[^]/]+\])")


def purpose(path: PurePosixPath) -> tuple[str, int]:
    """Return the purpose that a folder of a path names, and its depth; empty and -1 where none does."""
    for depth, name in enumerate(path.parts[:-1]):
        if name.lower() in PURPOSES:
            return PURPOSES[name.lower()], depth
    return "", -1


def role(path: PurePosixPath) -> tuple[str, str]:
    """Return the role of a file and the word in its name that tells it; empty where a folder tells it."""
    for word in reversed(_WORD.findall(stem(path))):
        if word.lower() in ROLES:
            return ROLES[word.lower()], word
    for name in reversed(path.parts[:-1]):
        if name.lower() in PURPOSES:
            continue
        for word in _WORD.findall(name):
            if word.lower() in ROLES:
                return ROLES[word.lower()], ""
    return "", ""


def stem(path: PurePosixPath) -> str:
    """Return a name without its ending; ``.ome.tif`` is one ending."""
    return path.name.removesuffix(ending(path))


def ending(path: PurePosixPath) -> str:
    """Return the ending of a name."""
    found = re.search(r"(\.ome)?\.[A-Za-z0-9]+$", path.name, re.IGNORECASE)
    return found.group() if found else ""


def words(text: str) -> list[str]:
    """Split text at blanks, underscores, hyphens and points."""
    return _SEPARATED.findall(text)


def pattern(paths: Sequence[PurePosixPath], fixed: Sequence[Sequence[str]]) -> str:
    """Find a glob pattern for files: common parts stay, others become ``*``; empty where there is none.

    Signs of names that mean something in a pattern are escaped: ``[`` becomes ``[[]``.

    Args:
        paths: paths of the files, at least one.
        fixed: for every file, words of its name to keep, in their order, the same number for each.
    """
    same_depth = len({len(path.parts) for path in paths}) == 1
    same_words = len({tuple(own) for own in fixed}) == 1
    if not (same_depth and same_words):
        return ""
    columns = [_column(names) for names in zip(*(path.parts[:-1] for path in paths), strict=True)]
    gaps = [_gaps(stem(path), own) for path, own in zip(paths, fixed, strict=True)]
    name = _name(gaps, list(fixed[0]), folders_vary="*" in columns)
    if not name:
        return ""
    return "/".join([*columns, name + _endings({ending(path) for path in paths})])


def wild(pattern: str, path: PurePosixPath) -> str | None:
    """Return the text that the first ``*`` of a pattern stands for; None where the path does not fit."""
    parts = _WILD_OR_SIGNS.split(pattern)
    # Every second part is a star, or signs in brackets.
    marks = ["([^/]*)" if part == "*" else f"[{re.escape(part[1:-1])}]" for part in parts[1::2]]
    expression = "".join(
        text + mark for text, mark in zip(map(re.escape, parts[::2]), [*marks, ""], strict=True)
    )
    found = re.fullmatch(expression, path.as_posix())
    if found is None:
        return None
    return found.group(1) if found.lastindex else ""


def _column(names: Sequence[str]) -> str:
    return escape(names[0]) if len(set(names)) == 1 else "*"


def _gaps(text: str, fixed: Sequence[str]) -> list[str]:
    """Return the parts of a text before, between and after words."""
    gaps, at = [], 0
    for word in fixed:
        place = text.index(word, at)
        gaps.append(text[at:place])
        at = place + len(word)
    return [*gaps, text[at:]]


def _name(gaps: Sequence[Sequence[str]], fixed: Sequence[str], *, folders_vary: bool) -> str:
    """Return the pattern of file names with these gaps between fixed words."""
    columns = [set(column) for column in zip(*gaps, strict=True)]
    varies = folders_vary or any(len(column) > 1 for column in columns)
    parts: list[str] = []
    for number, column in enumerate(columns):
        (*_, one) = sorted(column)
        bare = re.fullmatch(_NOT_WORD, one) is not None
        if len(column) > 1 or not (varies or bare):
            varies = True
            first = re.match(_NOT_WORD, one) if number else None
            last = re.search(_NOT_WORD + r"$", one) if number < len(fixed) else None
            edges = (first.group() if first else "", last.group() if last else "")
            if not all(gap.startswith(edges[0]) and gap.endswith(edges[1]) for gap in column):
                return ""
            parts.append("*".join(map(escape, edges)))
        else:
            parts.append(escape(one))
        if number < len(fixed):
            parts.append(escape(fixed[number]))
    return "".join(parts)


def _endings(endings: set[str]) -> str:
    if len(endings) == 1:
        return endings.pop()
    shortest = min(map(len, endings))
    columns = [sorted(set(signs)) for signs in zip(*(one[:shortest] for one in endings), strict=True)]
    # A bare star would take notes and tables beside the images, too.
    signs = "".join(own[0] if len(own) == 1 else f"[{''.join(own)}]" for own in columns)
    return signs if all(len(one) == shortest for one in endings) else f"{signs}*"
