"""Fingerprints of pixels: records of training data, and the check that splits share no pixels."""

import hashlib
import json
from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.block_hashes import Kept, kept_of_image
from denoisplit.core.images.block_walks import blocks
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.overlap import Blocks, first_overlap, rarity_of


def array_fingerprint(data: LazyArray) -> str:
    """Return the SHA-256 of shape, type and pixels, hexadecimal; it is the same on every machine."""
    digest = _Digest(data)
    for _, pixels in blocks(data):
        digest.update(pixels)
    return digest.text


class _Digest:
    """Fingerprint of an array that receives the pixels in their order."""

    def __init__(self, data: LazyArray) -> None:
        self._dtype = data.dtype.newbyteorder("<")
        self._digest = hashlib.sha256(f"{tuple(data.shape)}{self._dtype.str}".encode())

    def update(self, pixels: AnyArray) -> None:
        self._digest.update(np.ascontiguousarray(pixels, dtype=self._dtype).data)

    @property
    def text(self) -> str:
        return self._digest.hexdigest()


def field_fingerprint(field: Field) -> str:
    """Return the fingerprint of the noisy channels of a field, whatever its name."""
    return array_fingerprint(field.observed)


def data_fingerprint(fields: Sequence[Field]) -> str:
    """Return one fingerprint of all fields in their order."""
    return _joint([field_fingerprint(field) for field in fields])


def _joint(fingerprints: Sequence[str]) -> str:
    return hashlib.sha256("".join(fingerprints).encode()).hexdigest()


@attrs.frozen(kw_only=True)
class Marks:
    """Fingerprints of a field.

    Attributes:
        name: name of the field.
        observed: fingerprint of its noisy channels.
        clean: fingerprint of its clean reference; empty without one.
        mixed: fingerprint of its recorded mixed image; empty without one.
    """

    name: str
    observed: str
    clean: str
    mixed: str = ""


def _marked(field: Field, rarity: int) -> tuple[Marks, Kept]:
    """Return the fingerprints of a field and the kept blocks of all its images, see ``first_overlap``."""
    observed, kept = _walked(field.observed, rarity)
    clean = ""
    if field.clean is not None:
        clean, more = _walked(field.clean, rarity)
        kept = Kept.joined([kept, more])
    mixed = ""
    if field.mixed is not None:
        mixed, more = _walked(field.mixed, rarity)
        kept = Kept.joined([kept, more])
    return Marks(name=field.name, observed=observed, clean=clean, mixed=mixed), kept


def _walked(image: LazyArray, rarity: int) -> tuple[str, Kept]:
    """Return fingerprint and kept blocks of an image [c (z) y x]."""
    digest = _Digest(image)
    kept = kept_of_image(image, rarity, digest.update)
    return digest.text, kept


@attrs.frozen(kw_only=True)
class ServedFields:
    """Fields that a model has seen: its scores on them say little about other images.

    A field counts as seen if its noisy channels or its clean reference were: another exposure of the same
    place is no new field.

    Attributes:
        training: fingerprints of the fields to which the weights were fitted.
        held_out: fingerprints of the fields that selected the best weights and fitted the calibration.
    """

    training: tuple[str, ...]
    held_out: tuple[str, ...]

    def use_of(self, field: Field) -> str:
        """Return the use of a field: ``training``, ``held out``, or empty if the model has not seen it."""
        own = {array_fingerprint(image) for image in (field.observed, field.clean) if image is not None}
        uses = {"training": self.training, "held out": self.held_out}
        return next((use for use, seen in uses.items() if own & set(seen)), "")


@attrs.frozen(kw_only=True)
class DisjointFields:
    """Fingerprints of the fields of splits that share no pixels."""

    train: tuple[Marks, ...]
    validation: tuple[Marks, ...]
    test: tuple[Marks, ...]

    @property
    def fingerprint(self) -> str:
        """``data_fingerprint`` of the training fields."""
        return _joint([marks.observed for marks in self.train])

    @property
    def of_training(self) -> str:
        """One fingerprint of all images for training and validation, in their order."""
        return _of_marks([self.train, self.validation])

    @property
    def of_all(self) -> str:
        """One fingerprint of all images, including those for a test, in their order."""
        return _of_marks([self.train, self.validation, self.test])

    @property
    def served(self) -> ServedFields:
        """Fields that training uses; validation fields count as held out."""
        training, held_out = (
            tuple(text for marks in fields for text in (marks.observed, marks.clean) if text)
            for fields in (self.train, self.validation)
        )
        return ServedFields(training=training, held_out=held_out)


def _of_marks(splits: Sequence[Sequence[Marks]]) -> str:
    plain = [[(marks.observed, marks.clean, marks.mixed) for marks in fields] for fields in splits]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def assert_disjoint(
    train: Sequence[Field], validation: Sequence[Field] = (), test: Sequence[Field] = ()
) -> DisjointFields:
    """Refuse splits that share a field or pixels, as overlapping crops do; see ``first_overlap``.

    Every pixel is read once.

    Returns:
        The fingerprints of the fields.

    Raises:
        ImageError: two splits share pixels; names both fields and their splits.
    """
    splits = {"train": train, "validation": validation, "test": test}
    rarity = rarity_of([field for fields in splits.values() for field in fields])
    walked = {split: [_marked(field, rarity) for field in fields] for split, fields in splits.items()}
    marks = {split: tuple(own for own, _ in fields) for split, fields in walked.items()}
    seen: dict[str, tuple[str, str]] = {}
    for split, own in marks.items():
        for field in own:
            name, first = seen.setdefault(field.observed, (field.name, split))
            if first != split:
                raise ImageError(
                    f"data: {first} field {name!r} and {split} field {field.name!r} have the same pixels. "
                    f"Remove one of them: scores on images that were trained on mean nothing."
                )
    shared = first_overlap(
        {split: Blocks.of([kept for _, kept in fields]) for split, fields in walked.items()},
        {split: [field.name for field in own] for split, own in marks.items()},
    )
    if shared is not None:
        (first, one), (second, other) = shared.first, shared.second
        raise ImageError(
            f"data: {first} field {one!r} and {second} field {other!r} show the same pixels (got a shift of "
            f"{shared.shift[0]} rows and {shared.shift[1]} columns). Put overlapping images into one split: "
            f"scores on images that were trained on mean nothing."
        )
    return DisjointFields(**marks)
