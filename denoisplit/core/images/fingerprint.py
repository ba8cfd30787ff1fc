"""Fingerprints of pixels: what a model was trained on, and that no field serves in two splits."""

import hashlib
from collections.abc import Sequence

import numpy as np

from denoisplit.core.errors import ImageError
from denoisplit.core.images.interfaces import AnyArray, Field


def array_fingerprint(data: AnyArray) -> str:
    """SHA-256 of shape, type and pixels, hexadecimal; the same on every machine."""
    native = np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{native.shape}{native.dtype.str}".encode())
    digest.update(native.data)
    return digest.hexdigest()


def field_fingerprint(field: Field) -> str:
    """Fingerprint of the noisy channels of a field; its name does not count."""
    return array_fingerprint(field.observed)


def data_fingerprint(fields: Sequence[Field]) -> str:
    """One fingerprint of all fields in their order."""
    return hashlib.sha256("".join(field_fingerprint(field) for field in fields).encode()).hexdigest()


def assert_disjoint(
    train: Sequence[Field], validation: Sequence[Field] = (), test: Sequence[Field] = ()
) -> None:
    """Refuse splits that share a field.

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
