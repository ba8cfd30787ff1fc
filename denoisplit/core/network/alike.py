"""Whether a network can look at an image in all its orientations."""

from denoisplit.core.errors import SpecError
from denoisplit.core.network.vse import VSE


def require_alike(vse: VSE, orientations: int) -> None:
    """Refuse several orientations for a network that does not treat y and x alike.

    Raises:
        SpecError: it has lateral context, or different strides along y and x.
    """
    unlike = any(strides[-1] != strides[-2] for strides in vse.level_strides)
    if orientations > 1 and (vse.context or unlike):
        why = "lateral context" if vse.context else "different strides along y and x"
        raise SpecError(
            f"$.prediction.orientations: the network does not treat turned images like others (got {why}). "
            f"Remove it, or use an encoder with one scale and equal strides along y and x."
        )
