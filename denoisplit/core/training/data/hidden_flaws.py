"""Hidden flaws of images that would spoil a training, for ``denoisplit data check``."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np

from denoisplit.core.errors import counted
from denoisplit.core.images.bases import Field, LazyArray
from denoisplit.core.images.block_walks import thinned
from denoisplit.core.images.data_fingerprint import array_fingerprint
from denoisplit.core.images.derived_images import channel_of
from denoisplit.core.images.exposures import places_of
from denoisplit.core.images.hot_pixels import hot_places, told
from denoisplit.core.images.noise_correlation import noise_correlation
from denoisplit.core.images.pile_up import piled_up

_LISTED: Final = 3
_SAMPLE: Final = 20_000
_RESTS: Final = (
    "Images that were interpolated, filtered, sharpened or compressed have such noise. noise_pairs: "
    "bootstrap and a calibration from noisy images rest on independent noise: give raw "
    "images, or clean ones or repeats."
)


def told_pixels(split: str, channels: Sequence[str], fields: Sequence[Field]) -> list[str]:
    """Sentences on channels whose lowest pixels pile up, or whose noise is correlated."""
    said = []
    for number, name in enumerate(channels):
        where = f"{split}, {name}"
        sample = np.concatenate([thinned(channel_of(field.observed, number), _SAMPLE) for field in fields])
        if share := piled_up(sample):
            said.append(
                f"{where}: {share:.0%} of the pixels are exactly {sample.min():g}, the lowest value. It "
                f"looks as if a background had been cut off, and half of the noise with it: noise models "
                f"and calibration will be wrong in the dark. Give raw images."
            )
        found = noise_correlation(fields, number)
        if found is not None and found.notable:
            said.append(f"{where}: {found}. {_RESTS}")
    return said


def told_same_channels(channels: Sequence[str], fields: Sequence[Field]) -> list[str]:
    """Sentences on channels that have the same pixels as another in some fields."""
    said = []
    whole = [field.observed for field in fields if len(field.observed) == len(channels)]
    for one, other in combinations(range(len(channels)), 2):
        alike = sum(_same(channel_of(image, one), channel_of(image, other)) for image in whole)
        if alike:
            said.append(
                f"{channels[one]} and {channels[other]} have the same pixels in {alike} of {len(fields)} "
                f"fields: there is nothing to tell them apart. Correct the files or channel_index of the "
                f"data set."
            )
    return said


def _same(one: LazyArray, other: LazyArray) -> bool:
    # Few pixels tell most channels apart, without another walk through all of them.
    if not np.array_equal(thinned(one, _SAMPLE), thinned(other, _SAMPLE)):
        return False
    return array_fingerprint(one) == array_fingerprint(other)


def told_hot_pixels(split: str, fields: Sequence[Field]) -> list[str]:
    """Sentences on fields with hot pixels, with their places."""
    found = [(field.name, hot_places(field.observed)) for field in fields]
    said = [
        f"{split}, {name}: {told(places)} in training and prediction." for name, places in found if places
    ]
    if len(said) > _LISTED:
        more = len(said) - _LISTED
        what = "field has" if more == 1 else "fields have"
        said = [*said[:_LISTED], f"{split}: {more} more {what} hot pixels."]
    return said


def told_exposures(noise_pairs: str, fields: Sequence[Field]) -> list[str]:
    """A sentence on fields that show the same place, if there are any."""
    groups = [group for group in places_of(fields) if len(group) > 1]
    if not groups:
        return []
    largest = max(groups, key=len)
    told = (
        f"{sum(map(len, groups))} of the {len(fields)} fields are exposures of {len(groups)} "
        f"place{'s' * (len(groups) > 1)}, for example {fields[largest[0]].name} and "
        f"{fields[largest[1]].name}. All exposures of a place stay together in training, validation or test."
    )
    if noise_pairs != "bootstrap":
        return [told]
    return [f"{told} noise_pairs: repeats learns the noise from them, better than a bootstrap."]


def told_pixel_sizes(fields: Sequence[Field]) -> list[str]:
    """Return a sentence on fields of different pixel size."""
    counts = Counter(field.pixel_size for field in fields)
    if len(counts) <= 1:
        return []
    listed = ", ".join(f"{size or 'unknown'} ({counted(count, 'field')})" for size, count in counts.items())
    return [f"The fields differ in pixel size: {listed}. Rescale them to the same one, or leave some out."]
