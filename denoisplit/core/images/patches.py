"""Random training patches as a pure function of (seed, step)."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError
from denoisplit.core.images.augmentation import Augmentation, backward_axes
from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.images.context_pyramid import context_start, mirrored_start, pyramid, reflected_crop
from denoisplit.core.images.derived_images import channel_of, zeros_like
from denoisplit.core.images.fresh_noise import FreshNoise
from denoisplit.core.images.large_fields import is_large
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixing import Mixing, Weights, random_weights, source_of, superimpose
from denoisplit.core.images.patch_places import Place, PlaceDrawer, Places
from denoisplit.core.images.recorded_mixed import require_mixed_as_recorded
from denoisplit.core.images.turns import TURNS

_WEIGHTS: Final = 1
_NOISE: Final = 2


@attrs.frozen(kw_only=True)
class Batch:
    """Patches of one training step, counts.

    Attributes:
        mixed: superimposed patches [b 1 (z) y x]; with lateral context [b m (z) y x], full resolution first.
        targets: noisy target channels [b c (z) y x].
        camera: the noise model's maps of their pixels [m b c (z) y x]; None without maps.
    """

    mixed: Float32Array = attrs.field(eq=False, repr=False)
    targets: Float32Array = attrs.field(eq=False, repr=False)
    camera: Float32Array | None = attrs.field(default=None, eq=False, repr=False)


@attrs.frozen
class _Scale:
    """All fields at one resolution; ``sources`` are None if the observed channels themselves are mixed."""

    number: int
    observed: tuple[LazyArray, ...]
    sources: tuple[MixedSource, ...] | None


class PatchSampler:
    """Sampler of training patches; it has no state, so any step can be drawn at any time, in any process.

    Every position of every field is equally likely, the last one included. With an ``augmentation``, the
    pixels of each patch are moved at random, alike in all channels. The surround of a turned patch is that of
    the same patch in the turned image: the centre of a scale is one of its pixels, rounded towards the first
    row and column, so a turn changes which pixel it is.

    If the channels of the fields are ``separate``, every channel of a patch has its own place and turn:
    structures that were recorded in different fields are mixed anew for every sample.

    Args:
        fields: training fields; patches are cut from the noisy channels.
        patch: sides of a patch along (z) y x, pixels.
        batch: number of patches per step.
        seed: seed of all draws.
        mixing: rule that makes the mixed image from the channels; it may draw weights for every patch, and
            take the channels of some patches from different places.
        fresh: noise to add anew in every step, for fields without it; None adds none. With context it is
            drawn for whole fields, so that patch and surround show the same noise.
        context: number of low-resolution mixed images beside every patch; see ``context_pyramid``.
        foreground: share of the patches that are drawn around pixels of structures; see ``foreground``.
        augmentation: rearrangement of the pixels of each patch; None for none.
        camera: maps of every field [m c y x], the same in all planes, which are cut and turned like its
            pixels; empty for none.

    Raises:
        ImageError: no field, a field smaller than a patch, of another dimension, or too small for context;
            recorded mixed images of some fields only, or together with random weights or ``fresh``.
        ChannelCountError: fields with different numbers of channels.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        *,
        patch: tuple[int, ...],
        batch: int,
        seed: int,
        mixing: Mixing,
        fresh: FreshNoise | None = None,
        context: int = 0,
        foreground: float = 0.0,
        augmentation: Augmentation | None = None,
        camera: Sequence[Float32Array] = (),
    ) -> None:
        self._augmentation = augmentation
        turns = TURNS if augmentation is None else augmentation.choices
        self._places = PlaceDrawer(fields, patch, foreground=foreground, turns=turns, shuffle=mixing.shuffle)
        require_mixed_as_recorded(fields, mixing, fresh=fresh is not None)
        if fresh is not None and context:
            _require_in_memory(fields)
        # With fresh noise, the scales of fields without it are not used; making them checks that they can be.
        self._scales = _scales(fields, context)[: 1 if fresh else None]
        self._fields, self._context = tuple(fields), context
        self._patch, self._batch, self._seed = patch, batch, seed
        self._mixing, self._fresh = mixing, fresh
        self._camera = _per_map(camera, fields)

    def batch(self, step: int) -> Batch:
        """Return the patches of a training step.

        Args:
            step: training step, 0 or more; the same step always gives the same patches.
        """
        places = self._places.draw(self._batch, partial(self._stream, step))
        camera = np.stack([self._cut(one, places, 0) for one in self._camera]) if self._camera else None
        scales = self._scales
        if self._fresh is not None and self._context:
            scales, places = self._noisy(self._fresh, places, self._stream(step, _NOISE))
        full = scales[0]
        targets = self._cut(full.observed, places, 0)
        weights = random_weights(self._mixing, self._batch, targets.shape[1], self._stream(step, _WEIGHTS))
        if self._fresh is None or self._context:
            mixed = self._mixed(full, places, weights, targets)
        else:
            numbers = np.array([[place.field for place in own] for own in places])
            targets, source = self._fresh.draw(targets, numbers, self._stream(step, _NOISE))
            mixed = superimpose(targets, source, self._mixing, axis=1, weights=weights)
        if len(scales) > 1:
            smaller = [self._mixed(scale, places, weights) for scale in scales[1:]]
            mixed = np.concatenate([mixed, *smaller], axis=1)
        return Batch(mixed=mixed, targets=targets, camera=camera)

    def _stream(self, step: int, purpose: int) -> np.random.Generator:
        """Return the generator of one step for a purpose; other purposes do not affect positions (0)."""
        key = (purpose,) if purpose else ()
        sequence = np.random.SeedSequence((self._seed, step), spawn_key=key)
        return np.random.Generator(np.random.Philox(sequence))

    def _noisy(
        self, fresh: FreshNoise, places: Sequence[Places], rng: np.random.Generator
    ) -> tuple[tuple[_Scale, ...], list[Places]]:
        """Return all scales of these places' fields, with noise of this step, and the places in them."""
        numbers = sorted({place.field for own in places for place in own})
        fields = []
        for number in numbers:
            field = self._fields[number]
            targets, source = fresh.draw(np.asarray(field.observed)[None], np.array([[number]]), rng)
            own = MixedSource(noiseless=source.noiseless[0], noise=source.noise[0])
            fields.append(attrs.evolve(field, observed=targets[0], mixed_source=own))
        renumbered = [
            tuple(attrs.evolve(place, field=numbers.index(place.field)) for place in own) for own in places
        ]
        return _scales(fields, self._context), renumbered

    def _mixed(
        self,
        scale: _Scale,
        places: Sequence[Places],
        weights: Weights | None,
        observed: Float32Array | None = None,
    ) -> Float32Array:
        """Return mixed patches [b 1 (z) y x] at one scale; ``observed`` are patches that are cut already."""
        if scale.sources is None:
            cut = self._cut(scale.observed, places, scale.number) if observed is None else observed
            return superimpose(cut, None, self._mixing, axis=1, weights=weights)
        noiseless = self._cut([source.noiseless for source in scale.sources], places, scale.number)
        noise = self._cut([source.noise for source in scale.sources], places, scale.number)
        source = MixedSource(noiseless=noiseless, noise=noise)
        return superimpose(noiseless, source, self._mixing, axis=1, weights=weights)

    def _cut(self, images: Sequence[LazyArray], places: Sequence[Places], scale: int) -> Float32Array:
        """Cut patches [b k (z) y x] from images [k (z) y x]."""
        channels = images[0].shape[0]
        patches = np.empty((len(places), channels, *self._patch), dtype=np.float32)
        for item, own in enumerate(places):
            if channels == 1 or len(own) == 1:
                patches[item] = self._cut_one(images[own[0].field], own[0], scale)
                continue
            for channel, place in enumerate(own):
                image = images[place.field][channel : channel + 1]
                patches[item, channel : channel + 1] = self._cut_one(image, place, scale)
        return patches

    def _cut_one(self, image: LazyArray, place: Place, scale: int) -> Float32Array:
        crop = reflected_crop(image, self._start(place, image.shape[1:], scale), self._patch)
        return crop if self._augmentation is None else self._augmentation.apply(crop, place.turn)

    def _start(self, place: Place, sides: Sequence[int], scale: int) -> tuple[int, ...]:
        """Return the first pixel of a patch at one scale, in an image of these sides, before it is turned."""
        how = self._augmentation
        axes = backward_axes(how, place.turn, self._patch) if scale and how is not None else ()
        corner = mirrored_start(place.corner, self._patch, place.sides, axes)
        return mirrored_start(context_start(corner, self._patch, scale), self._patch, sides, axes)


def _scales(fields: Sequence[Field], context: int) -> tuple[_Scale, ...]:
    """Return the fields at full resolution and at ``context`` lower ones."""
    observed = [pyramid(field.observed, context) for field in fields]
    sources: list[tuple[MixedSource, ...]] = []
    if any(source_of(field) is not None for field in fields):
        given = [source_of(field) or _silent(field) for field in fields]
        pairs = [(pyramid(source.noiseless, context), pyramid(source.noise, context)) for source in given]
        sources = [
            tuple(MixedSource(noiseless=noiseless[m], noise=noise[m]) for noiseless, noise in pairs)
            for m in range(context + 1)
        ]
    return tuple(
        _Scale(m, tuple(scales[m] for scales in observed), sources[m] if sources else None)
        for m in range(context + 1)
    )


def _per_map(camera: Sequence[Float32Array], fields: Sequence[Field]) -> tuple[tuple[Float32Array, ...], ...]:
    """Turn maps of every field [m c y x] into maps [c (z) y x] by map and field."""
    planes = [field.observed.shape[1:-2] for field in fields]
    return tuple(
        tuple(
            np.broadcast_to(
                one.reshape(len(one), *(1,) * len(deep), *one.shape[-2:]), (len(one), *deep, *one.shape[-2:])
            )
            for one, deep in zip(maps, planes, strict=True)
        )
        for maps in zip(*camera, strict=True)
    )


def _require_in_memory(fields: Sequence[Field]) -> None:
    large = next((field for field in fields if is_large(field)), None)
    if large is not None:
        raise ImageError(
            f"$.data.degradation.fresh: with lateral context, noise is drawn for whole fields in memory (got "
            f"field {large.name!r}, which is larger). Remove fresh, or raise the data set's memory."
        )


def _silent(field: Field) -> MixedSource:
    """Return the observed channels as a source without additive noise."""
    return MixedSource(noiseless=field.observed, noise=zeros_like(channel_of(field.observed, 0)))
