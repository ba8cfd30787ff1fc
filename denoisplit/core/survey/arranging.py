"""Arrangement of files by purpose, role and structure, from names alone."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

import attrs

from denoisplit.core.errors import ImageError
from denoisplit.core.survey.file_names import pattern, purpose, role, stem, wild, words
from denoisplit.core.survey.finding import listed
from denoisplit.core.survey.findings import Arrangement, Found, FoundImage, Part
from denoisplit.core.survey.named_structures import Named, find_structures

_ORDER: Final = ("train", "validation", "test")


@attrs.frozen
class _Placed:
    """An image with its path relative to the folder of its purpose."""

    image: FoundImage
    path: PurePosixPath
    role: str
    word: str


def arrange(found: Found) -> Arrangement:
    """Sort images into training, validation and test, and find clean and mixed partners by their names.

    Raises:
        ImageError: nothing to train on, images that differ in their channels, or names that do not tell.
    """
    grouped: dict[tuple[str, PurePosixPath], list[FoundImage]] = {}
    for image in found.images:
        said, depth = purpose(image.path)
        base = PurePosixPath(image.path.parts[0]) if depth == 0 else PurePosixPath()
        grouped.setdefault((said, base), []).append(image)
    remarks: list[str] = []
    parts: list[Part] = []
    by_purpose = _largest(grouped, remarks)
    if not by_purpose.keys() & {"train", ""}:
        raise ImageError(
            f"{found.folder}: there are no images to learn from (found {', '.join(sorted(by_purpose))}). "
            f"Put training images into a folder 'train', or give --data a folder without such names."
        )
    if "train" not in by_purpose:
        by_purpose["train"] = by_purpose.pop("")
    elif "" in by_purpose:
        _, others = by_purpose.pop("")
        remarks.append(f"Outside of the folders for training and test, so left out: {_names(others)}.")
    for name in _ORDER:
        if name in by_purpose:
            folder, images = by_purpose[name]
            parts.append(_part(name, folder, images, found, remarks))
    return Arrangement(parts=_alike(parts, remarks), remarks=tuple(remarks))


def _largest(
    grouped: Mapping[tuple[str, PurePosixPath], list[FoundImage]], remarks: list[str]
) -> dict[str, tuple[PurePosixPath, list[FoundImage]]]:
    """Return one folder per purpose: the one with the most images."""
    chosen: dict[str, tuple[PurePosixPath, list[FoundImage]]] = {}
    for (said, base), images in sorted(grouped.items(), key=lambda item: -len(item[1])):
        if said in chosen:
            remarks.append(f"A second folder for {said}, so left out: {_names(images)}.")
        else:
            chosen[said] = (base, images)
    return chosen


def _part(
    name: str, folder: PurePosixPath, images: Sequence[FoundImage], found: Found, remarks: list[str]
) -> Part:
    placed: dict[str, list[_Placed]] = {}
    for image in images:
        kind, word = role(image.path)
        own = _Placed(image, image.path.relative_to(folder), kind, word)
        placed.setdefault(kind, []).append(own)
    kind = next(kind for kind in ("observed", "", "clean", "mixed") if kind in placed)
    observed = placed.pop(kind)
    if "" in placed:
        remarks.append(
            f"Beside images that are named noisy, so left out: {_names([p.image for p in placed.pop('')])}."
        )
    _same_channels(found, observed)
    named = find_structures([p.path for p in observed]) if observed[0].image.channels == 1 else None
    clean, mixed = placed.get("clean", []), placed.get("mixed", [])
    attempts: list[tuple[Part, list[str]]] = []
    for shared in _shared_words(observed):
        said: list[str] = []
        part = _with_patterns(name, folder, observed, named, shared)
        part = _with_mixed(_with_clean(part, clean, named, said), mixed, said)
        attempts.append((part, said))
    part, said = min(attempts, key=lambda attempt: len(attempt[1]))
    remarks += said
    _check_patterns(part, [*observed, *clean, *mixed], found, remarks)
    return part


def _shared_words(placed: Sequence[_Placed]) -> list[str]:
    """Return words that a pattern may contain where none tells the role: none, or common ends of names."""
    split = [words(stem(one.path)) for one in placed]
    if any(one.word for one in placed) or len(placed) == 1:
        return [""]
    ends = [{own[place] for own in split} for place in (-1, 0) if all(own for own in split)]
    return ["", *(word for end in ends if len(end) == 1 for word in end)]


def _same_channels(found: Found, observed: Sequence[_Placed]) -> None:
    counts: dict[int, list[str]] = {}
    for one in observed:
        counts.setdefault(one.image.channels, []).append(str(one.image.path))
    if len(counts) > 1:
        told = "; ".join(f"{number} in {listed(paths)}" for number, paths in sorted(counts.items()))
        raise ImageError(
            f"{found.folder}: the images differ in their number of channels ({told}). "
            f"Put one kind into a folder of its own and give --data that folder."
        )


def _with_patterns(
    name: str, folder: PurePosixPath, observed: Sequence[_Placed], named: Named | None, shared: str
) -> Part:
    images = tuple(p.image for p in observed)
    if named is None:
        found = _pattern([attrs.evolve(one, word=one.word or shared) for one in observed], None)
        if not found:
            raise ImageError(
                f"{folder}: no name pattern fits all of {listed([str(p.path) for p in observed])}. "
                f"Put the images of one experiment into one folder, with names that differ in a number."
            )
        return Part(purpose=name, folder=folder, observed=images, patterns=(found,))
    patterns = tuple(
        _pattern([p for p in observed if named.of[p.path] == structure], named) for structure in named.names
    )
    if not all(patterns):
        raise ImageError(
            f"{folder}: the images of {', '.join(named.names)} follow no name pattern. "
            f"Put the images of every structure into a folder with its name."
        )
    keys = [
        {wild(own, p.path) for p in observed if named.of[p.path] == structure}
        for own, structure in zip(patterns, named.names, strict=True)
    ]
    return Part(
        purpose=name,
        folder=folder,
        structures=named.names,
        separate=any(own != keys[0] for own in keys),
        observed=images,
        patterns=patterns,
    )


def _pattern(placed: Sequence[_Placed], named: Named | None) -> str:
    """Return the pattern of files of one role, and of one structure if structures are named."""
    fixed = []
    for one in placed:
        own = {one.word, named.among(one.path)[1] if named else ""} - {""}
        fixed.append(sorted(own, key=stem(one.path).rindex))
    return pattern([one.path for one in placed], fixed)


def _with_clean(part: Part, clean: Sequence[_Placed], named: Named | None, remarks: list[str]) -> Part:
    if not clean:
        return part
    if named is None:
        groups = [list(clean)]
    else:
        groups = [[p for p in clean if named.among(p.path)[0] == structure] for structure in named.names]
    patterns = tuple(_pattern(own, named) if own else "" for own in groups)
    if all(patterns) and all(
        _partners(part, observed, own, group, one_for_all=True)
        for observed, own, group in zip(part.patterns, patterns, groups, strict=True)
    ):
        return attrs.evolve(part, clean=tuple(p.image for p in clean), clean_patterns=patterns)
    remarks.append(_unpaired("clean", clean))
    return part


def _with_mixed(part: Part, mixed: Sequence[_Placed], remarks: list[str]) -> Part:
    if not mixed:
        return part
    found = _pattern(mixed, None)
    single = all(p.image.channels == 1 for p in mixed)
    if found and single and not part.separate and _partners(part, part.patterns[0], found, mixed):
        return attrs.evolve(part, mixed=tuple(p.image for p in mixed), mixed_pattern=found)
    remarks.append(_unpaired("mixed", mixed))
    return part


def _partners(
    part: Part, observed: str, pattern: str, placed: Sequence[_Placed], *, one_for_all: bool = False
) -> bool:
    """Whether every observed image has one partner, of the same size.

    With ``one_for_all``, a partner may have a single plane for all planes of its image.
    """
    by_key = {wild(pattern, one.path): one.image for one in placed}
    own = [(wild(observed, image.path.relative_to(part.folder)), image) for image in part.observed]
    return len(by_key) == len(placed) and all(
        key in by_key
        and by_key[key].sides == image.sides
        and (by_key[key].planes == image.planes or (one_for_all and by_key[key].planes == 1))
        for key, image in own
        if key is not None
    )


def _unpaired(kind: str, placed: Sequence[_Placed]) -> str:
    return (
        f"Not every image has one {kind} partner of the same size by its name, so the {kind} images are left "
        f"out: {_names([p.image for p in placed])}."
    )


def _check_patterns(part: Part, placed: Sequence[_Placed], found: Found, remarks: list[str]) -> None:
    """Refuse or report further files that the patterns would match."""
    used = {image.path for image in (*part.observed, *part.clean, *part.mixed)}
    for one in placed:
        if one.image.path not in used and any(wild(own, one.path) is not None for own in part.patterns):
            raise ImageError(
                f"{found.folder}: {one.image.path} cannot be told from the images to learn from by its name. "
                f"Move it to another folder."
            )
    for skipped in found.skipped:
        if not skipped.path.is_relative_to(part.folder):
            continue
        path = skipped.path.relative_to(part.folder)
        patterns = (*part.patterns, *part.clean_patterns, part.mixed_pattern)
        if any(own and wild(own, path) is not None for own in patterns):
            remarks.append(
                f"Move {skipped.path} away before you train: it cannot be read, and training stops there."
            )


def _alike(parts: Sequence[Part], remarks: list[str]) -> tuple[Part, ...]:
    """Return the parts whose channels are those of the training images."""
    first = parts[0]
    kept = [first]
    for part in parts[1:]:
        if part.structures == first.structures and part.observed[0].channels == first.observed[0].channels:
            kept.append(part)
        else:
            remarks.append(f"The images for {part.purpose} have other channels, so they are left out.")
    return tuple(kept)


def _names(images: Sequence[FoundImage]) -> str:
    return listed([str(image.path) for image in images])
