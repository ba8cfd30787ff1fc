"""Choice of the pixels from which intensity statistics are taken."""

from typing import Literal

import attrs
from attrs.validators import in_


@attrs.frozen(kw_only=True)
class Normalisation:
    """Settings of the normalisation of intensities.

    Attributes:
        mixed: statistics that normalise the mixed image: ``pooled``, mean and standard deviation of all
            target pixels together (the reference for a mean: the mixed image then varies by less than 1);
            ``images``, those of the mixed images; ``independent``, those that follow from the channels if
            they were uncorrelated (the reference for a sum); ``auto``, pooled for a mean and images for a
            sum.
        targets: statistics that normalise a target: its own (``per_channel``, the reference), or those of all
            target pixels (``pooled``).
    """

    mixed: Literal["auto", "pooled", "images", "independent"] = attrs.field(
        default="auto", validator=in_(("auto", "pooled", "images", "independent"))
    )
    targets: Literal["per_channel", "pooled"] = attrs.field(
        default="per_channel", validator=in_(("per_channel", "pooled"))
    )
