"""What a network learns from: channels of a field, channels of different fields, or recorded mixed images."""

from collections.abc import Sequence

from denoisplit.core.images.bases import Field
from denoisplit.core.spec.records import ResolvedSpec


def supervision(spec: ResolvedSpec, fields: Sequence[Field]) -> str:
    """Say in a sentence what a network learns from these fields."""
    recorded = spec.data.recorded
    if recorded:
        return f"Denoising of {spec.channels[0]}, out of images of {', '.join(recorded)}."
    if len(spec.channels) == 1:
        return f"Denoising: one channel, {spec.channels[0]}, is input and target."
    if any(field.mixed is not None for field in fields):
        return "Recorded mixed images are split into channels that were recorded separately."
    how = f"{spec.data.mixing.mode} of the channels"
    if any(field.separate for field in fields):
        return (
            f"Channels come from different fields: every training patch is the {how} at places drawn "
            f"independently; validation and test use the pairs listed here."
        )
    return f"The channels of a field go together; the mixed image is the {how}."
