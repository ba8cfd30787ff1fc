"""Check that the images of a spec suit its noise: synthetic noise, maps of a camera, and pairs for a fit."""

from collections.abc import Sequence

import attrs

from denoisplit.core.errors import DenoisplitError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.hot_pixels import healed
from denoisplit.core.images.recorded_mixed import condition_fields
from denoisplit.core.network.composer import noise_model_of
from denoisplit.core.network.trial import stand_in_statistics
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.training.data.cameras import require_maps
from denoisplit.core.training.data.pairs import require_source
from denoisplit.core.training.data.prepare import conditioning


def refused_noise(spec: ResolvedSpec, train: Sequence[Field], others: Sequence[Field]) -> list[str]:
    """Return the message with which training would refuse the noise of these images, if it would.

    Args:
        spec: spec of the data sets.
        train: training fields, as the data set gives them; none are not checked.
        others: validation and test fields.
    """
    if not train:
        return []
    try:
        if spec.data.degradation.active:
            how = conditioning(spec)
            measured = condition_fields(_healed(train), how)
            condition_fields(_healed(others), how, ceiling=measured.ceiling)
            train = measured.fields
        model = noise_model_of(spec.model, stand_in_statistics(len(spec.channels)))
        require_maps(model, spec.data, (*others, *train))
        if model.needs_fit:
            require_source(spec.data, train)
    except DenoisplitError as error:
        return [str(error)]
    return []


def _healed(fields: Sequence[Field]) -> tuple[Field, ...]:
    # Not healed_field, which logs the hot pixels that the check lists anyway.
    return tuple(attrs.evolve(field, observed=healed(field.observed)) for field in fields)
