"""Choice of the fields that a calibration is fitted to."""

from collections.abc import Sequence

from denoisplit.core.errors import CalibrationError
from denoisplit.core.images.bases import Field


def with_seen(fields: Sequence[Field], seen: Sequence[Field], most: int) -> tuple[tuple[Field, bool], ...]:
    """Choose the held-out fields with a clean reference, or all if none has one, and training fields.

    The training fields have a clean reference, are at most ``most`` and spread evenly; there are none where
    errors are estimated from noisy images, because the network knows their very noise.

    Returns:
        Each with whether the network was trained on it.

    Raises:
        CalibrationError: no held-out field.
    """
    if not fields:
        raise CalibrationError("no field was held out. Hold out at least one.")
    clean = [field for field in fields if field.clean is not None]
    trained = [field for field in seen if field.clean is not None] if clean else []
    some = spread_out(trained, most)
    return (*((field, False) for field in clean or fields), *((field, True) for field in some))


def spread_out(fields: Sequence[Field], most: int) -> tuple[Field, ...]:
    """All fields, or ``most`` of them at equal distances."""
    if len(fields) <= most:
        return tuple(fields)
    return tuple(fields[number * len(fields) // most] for number in range(most))
