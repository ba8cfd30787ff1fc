"""Fingerprints of pixels: what a model was trained on, and that no field serves in two splits."""

import hashlib
from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.interfaces import AnyArray, Field
from denoisplit.core.images.overlap import find_overlap
from denoisplit.core.images.streamed import blocks


def array_fingerprint(data: AnyArray) -> str:
    """SHA-256 of shape, type and pixels, hexadecimal; the same on every machine."""
    dtype = data.dtype.newbyteorder("<")
    digest = hashlib.sha256(f"{tuple(data.shape)}{dtype.str}".encode())
    for _, pixels in blocks(data):
        digest.update(np.ascontiguousarray(pixels, dtype=dtype).data)
    return digest.hexdigest()


def field_fingerprint(field: Field) -> str:
    """Fingerprint of the noisy channels of a field; its name does not count."""
    return array_fingerprint(field.observed)


def data_fingerprint(fields: Sequence[Field]) -> str:
    """One fingerprint of all fields in their order."""
    return hashlib.sha256("".join(field_fingerprint(field) for field in fields).encode()).hexdigest()


@attrs.frozen(kw_only=True)
class ServedFields:
    """What a model has seen: fields on which its scores say little about other images.

    A field counts as seen when its noisy channels or its clean reference were: another exposure of the same
    place is no new field.

    Attributes:
        training: fingerprints of the fields that the weights were fitted to.
        held_out: fingerprints of the fields that chose the best weights and fitted the calibration.
    """

    training: tuple[str, ...]
    held_out: tuple[str, ...]

    @classmethod
    def of(cls, training: Sequence[Field], held_out: Sequence[Field]) -> "ServedFields":
        """Those of fields as the data set gives them."""
        return cls(training=_every_fingerprint(training), held_out=_every_fingerprint(held_out))

    def use_of(self, field: Field) -> str:
        """``training``, ``held out``, or nothing for a field that the model has not seen."""
        own = set(_every_fingerprint([field]))
        uses = {"training": self.training, "held out": self.held_out}
        return next((use for use, seen in uses.items() if own & set(seen)), "")


def _every_fingerprint(fields: Sequence[Field]) -> tuple[str, ...]:
    arrays = [array for field in fields for array in (field.observed, field.clean) if array is not None]
    return tuple(array_fingerprint(array) for array in arrays)


def assert_disjoint(
    train: Sequence[Field], validation: Sequence[Field] = (), test: Sequence[Field] = ()
) -> None:
    """Refuse splits that share a field, or pixels of one, as overlapping crops do; see ``find_overlap``.

    Raises:
        ImageError: names both fields and their splits.
    """
    seen: dict[str, tuple[str, str]] = {}
    for split, fields in (("train", train), ("validation", validation), ("test", test)):
        for field in fields:
            name, first = seen.setdefault(field_fingerprint(field), (field.name, split))
            if first != split:
                raise ImageError(
                    f"data: {first} field {name!r} and {split} field {field.name!r} have the same pixels. "
                    f"Remove one of them: scores on images that were trained on mean nothing."
                )
    shared = find_overlap({"train": train, "validation": validation, "test": test})
    if shared is not None:
        (first, one), (second, other) = shared.first, shared.second
        raise ImageError(
            f"data: {first} field {one!r} and {second} field {other!r} show the same pixels (got a shift of "
            f"{shared.shift[0]} rows and {shared.shift[1]} columns). Put overlapping images into one split: "
            f"scores on images that were trained on mean nothing."
        )
