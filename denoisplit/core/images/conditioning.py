"""Changes of images before training, in the order of the reference.

The order is Poisson noise, background, ceiling, additive noise. Clean references get the same background
and ceiling, so that noisy images still scatter about them.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import attrs

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Field
from denoisplit.core.images.degradation import Degradation, add_read_noise, add_shot_noise
from denoisplit.core.images.derived_images import across_channels
from denoisplit.core.images.image_checks import check_channels, check_finite
from denoisplit.core.images.intensity_range import (
    Background,
    Clip,
    background_levels,
    ceilings,
    clip_intensities,
    subtract_background,
)
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixed_range import FittedRange, background_shift
from denoisplit.core.images.mixing import Mixing, mixed_image


@attrs.frozen(kw_only=True)
class Conditioning:
    """Settings of the conditioning of images.

    Attributes:
        degradation: synthetic noise.
        background: background to subtract.
        clip: ceiling of intensities.
        mixing: rule by which the mixed image is made.
        seed: seed of the noise.
    """

    degradation: Degradation = attrs.field(factory=Degradation)
    background: Background = attrs.field(factory=Background)
    clip: Clip = attrs.field(factory=Clip)
    mixing: Mixing = attrs.field(factory=Mixing)
    seed: int = 0

    @property
    def active(self) -> bool:
        """Whether images are changed at all."""
        return self.degradation.active or self.background.quantile > 0 or self.clip.quantile < 1


@attrs.frozen(kw_only=True)
class Conditioned:
    """Conditioned fields, and the levels found on the way.

    Attributes:
        fields: fields as training and evaluation see them.
        noiseless: channels [c (z) y x] of every field before additive noise, counts.
        background: level subtracted from every channel of every field, counts.
        fitted: ceilings of the channels, and the range that mixed images from elsewhere need.
    """

    fields: tuple[Field, ...]
    noiseless: tuple[LazyArray, ...] = attrs.field(eq=False, repr=False)
    background: tuple[tuple[float, ...], ...]
    fitted: FittedRange

    @property
    def ceiling(self) -> tuple[float, ...]:
        """Ceiling of every channel, counts; infinite for none."""
        return self.fitted.ceiling


def condition(
    fields: Sequence[Field], how: Conditioning, *, ceiling: tuple[float, ...] | None = None
) -> Conditioned:
    """Condition the fields of one split; they are returned unchanged if nothing is to be done.

    Args:
        fields: fields from the data set; at least one if the ceiling is to be measured.
        how: settings.
        ceiling: ceiling of the training fields, for other splits; None measures it.

    Raises:
        ImageError: pixels are NaN or infinite, or negative where Poisson noise is to be added.
        ChannelCountError: fields differ in their number of channels.
    Source: method sections 5.2 to 5.4.
    """
    if how.active:
        for field in fields:
            where = f"field {field.name!r}"
            channels = fields[0].observed.shape[0]
            check_channels(field.observed.shape[0], channels, where, "Give all fields the same channels.")
            check_finite(field.observed, where)
    referred = [_with_reference(field, how.degradation) for field in fields]
    counted = [add_shot_noise(field, how.degradation, how.seed) for field in referred]
    levels = tuple(background_levels(field.observed, how.background) for field in counted)
    lowered = [_lowered(field, level, how.background) for field, level in zip(counted, levels, strict=True)]
    if ceiling is None:
        ceiling = ceilings([field.observed for field in lowered], how.clip)
    clipped = [_clipped(field, ceiling) for field in lowered]

    def noisy(field: Field) -> Field:
        return add_read_noise(field, how.degradation, how.mixing, how.seed)

    delivered = [mixed_image(noisy(f), how.mixing) for f in counted] if how.background.quantile else []
    return Conditioned(
        fields=tuple(noisy(field) for field in clipped),
        noiseless=tuple(field.observed for field in clipped),
        background=levels,
        fitted=FittedRange(
            ceiling=ceiling,
            background_shift=background_shift(delivered, levels, how.background, how.mixing),
        ),
    )


def _with_reference(field: Field, degradation: Degradation) -> Field:
    """Take images before degradation as clean references where there are no better ones."""
    if not degradation.active or field.clean is not None:
        return field
    return attrs.evolve(field, clean=field.observed)


def _lowered(field: Field, levels: tuple[float, ...], background: Background) -> Field:
    if not background.quantile:
        return field
    spatial = field.observed.ndim - 1
    return _mapped(field, partial(subtract_background, levels=levels, background=background, spatial=spatial))


def _clipped(field: Field, ceiling: tuple[float, ...]) -> Field:
    if all(math.isinf(counts) for counts in ceiling):
        return field
    return _mapped(field, partial(clip_intensities, ceiling=ceiling, spatial=field.observed.ndim - 1))


def _mapped(field: Field, change: Callable[[AnyArray], AnyArray]) -> Field:
    return attrs.evolve(
        field,
        observed=across_channels(field.observed, change, axis=0),
        clean=None if field.clean is None else across_channels(field.clean, change, axis=0),
        repeats=None if field.repeats is None else across_channels(field.repeats, change, axis=1),
    )
