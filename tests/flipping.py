"""The augmentation of most trainings, without a spec."""

from typing import Final

from denoisplit.core.validators import NoOptions
from denoisplit.plugins.augmentations.flips import Flips

FLIPS: Final = Flips(NoOptions())
