"""Mutants of the calibrators that are more than a factor."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from denoisplit.core.network.interfaces import Calibration
from denoisplit.plugins.calibrators.spread_bins import SpreadBins
from tests.testing.mutants import Change, Mutant, after, around
from tests.testing.mutants_of_the_rest import BIN, COVER, OTHER_STD, PLAIN, TWICE

ORDER = "order_of_pixels_and_fields_does_not_matter"
OTHER_CHANNEL = "every_channel_is_calibrated_by_itself"
OTHER_IMAGES = "images_in_other_units_give_a_std_in_those"

BRIGHT = "errors_that_follow_the_mean_are_calibrated_so"
PART = "a_part_of_an_image_is_calibrated_as_in_the_whole"
UNSEEN = "means_and_stds_that_were_never_seen_have_an_interval"

NEW = "intervals_cover_new_fields_as_often_as_they_say"
LARGE = "a_large_field_counts_like_a_small_one"
SEEN = "training_fields_do_not_decide"

COVER_SUMS = "intervals_of_sums_cover_as_often_as_they_say"
OTHER_SIZES = "sums_of_other_sizes_do_not_hold"

AFFINE, ISOTONIC = "calibrators.affine:Affine", "calibrators.isotonic:Isotonic"
CONFORMAL = "calibrators.conformal:Conformal"
INTENSITY = "calibrators.intensity:Intensity"
REGION = "calibrators.region:Region"
BY_FIELD, FIELDS = "calibrators.by_field:ByField", "calibrators.field_spread"
MOVED, FIT_FIELDS = f"{FIELDS}:Sizes.moved", f"{BY_FIELD}.fit_fields"


def numbers(name: str, change: Callable[[Any], Any]) -> Change:
    """Change the fitted numbers whose name begins so."""

    def changed(fitted: Calibration) -> Calibration:
        parameters = {
            key: change(np.asarray(values)).tolist() if key.startswith(name) else values
            for key, values in fitted.parameters.items()
        }
        return attrs.evolve(fitted, parameters=parameters)

    return after(changed)


def without_lowest(old: Any, std: Any, squares: Any, bins: int) -> SpreadBins:
    """Bins of which the lowest two are left out."""
    found = old(std, squares, bins)
    kept = {name: getattr(found, name)[2:] for name in attrs.fields_dict(SpreadBins)}
    return SpreadBins(**kept)


def not_squared(old: Any, std: Any, squares: Any, bins: int) -> SpreadBins:
    found: SpreadBins = old(std, np.sqrt(squares), bins)
    return found


def clipped_pixels(old: Any, self: Any, mean: Any, std: Any, truth: Any) -> Calibration:
    """Errors of the pixels of small std do not count."""
    kept = np.where(std < np.quantile(std, 0.2), mean + std, truth)
    fitted: Calibration = old(self, mean, std, kept)
    return fitted


def first_channel(old: Any, self: Any, mean: Any, std: Any, truth: Any) -> Calibration:
    fitted: Calibration = old(self, *(np.repeat(x[:, :1], x.shape[1], axis=1) for x in (mean, std, truth)))
    return fitted


def raw_errors(old: Any, self: Any, mean: Any, std: Any, truth: Any) -> Calibration:
    fitted: Calibration = old(self, mean, np.ones_like(std), truth)
    return fitted


def smallest_size(old: Any, self: Any, calibration: Any, *, pixels: int, **asked: Any) -> Any:
    del pixels
    return old(self, calibration, pixels=min(self.sides) ** 2, **asked)


def half_of_the_pixels(old: Any, self: Any, mean: Any, std: Any, truth: Any) -> Calibration:
    fitted: Calibration = old(self, *(x[:1] for x in (mean, std, truth)))
    return fitted


def blind(old: Any, self: Any, mean: Any, std: Any, squares: Any) -> Calibration:
    fitted: Calibration = old(self, np.zeros_like(mean), std, squares)
    return fitted


def relative_to_the_image(old: Any, self: Any, calibration: Any, mean: Any, std: Any) -> Any:
    return old(self, calibration, mean - mean.mean() + 300, std)


def falling(old: Any, self: Any, calibration: Any, mean: Any, std: Any) -> Any:
    """Goes on as a line where bright pixels were never seen."""
    return old(self, calibration, mean, std) * (1 - np.maximum(mean - 1000, 0) / 1000)


def not_moved(old: Any, self: Any, scores: Any) -> Any:
    """Fields differ as little as those that their mean was taken of."""
    del old, self
    return scores


def moved_twice(old: Any, self: Any, scores: Any) -> Any:
    return old(self, old(self, scores))


def all_pixels_alike(old: Any, scores: Any, levels: Any) -> Any:
    return old([np.concatenate(scores)], levels)


def training_fields_as_others(old: Any, self: Any, fields: Any) -> Calibration:
    fitted: Calibration = old(self, [attrs.evolve(field, seen=False) for field in fields])
    return fitted


CALIBRATOR_MUTANTS = (
    Mutant(
        "calibrator/by_field",
        "dropped spread",
        MOVED,
        around(not_moved),
        NEW,
    ),
    Mutant("calibrator/by_field", "twice", MOVED, around(moved_twice), NEW),
    Mutant(
        "calibrator/by_field",
        "pixels",
        f"{FIELDS}:_quantiles",
        around(all_pixels_alike),
        LARGE,
    ),
    Mutant("calibrator/by_field", "seen", FIT_FIELDS, around(training_fields_as_others), SEEN),
    Mutant("calibrator/by_field", "scale", FIT_FIELDS, numbers("half", lambda q: 1.2 * q), COVER),
    Mutant("calibrator/by_field", "dropped std", f"{BY_FIELD}.fit", around(raw_errors), OTHER_STD),
    Mutant("calibrator/by_field", "one channel", f"{BY_FIELD}.fit", around(first_channel), OTHER_CHANNEL),
    Mutant("calibrator/intensity", "dropped mean", f"{INTENSITY}.fit_squares", around(blind), BRIGHT),
    Mutant("calibrator/intensity", "whole image", f"{INTENSITY}.apply", around(relative_to_the_image), PART),
    Mutant("calibrator/intensity", "a line on", f"{INTENSITY}.apply", around(falling), UNSEEN),
    Mutant("calibrator/intensity", "square", f"{INTENSITY}.fit_squares", numbers("factor", np.square), COVER),
    Mutant("calibrator/intensity", "one channel", f"{INTENSITY}.fit", around(first_channel), OTHER_CHANNEL),
    Mutant("calibrator/affine", "sign", f"{AFFINE}._of", numbers("slope", np.negative), PLAIN),
    Mutant("calibrator/affine", "scale", f"{AFFINE}._of", numbers("slope", lambda a: 1.4 * a), COVER),
    Mutant("calibrator/affine", "floor added", f"{AFFINE}._of", numbers("floor", lambda b: b + 1), TWICE),
    Mutant(
        "calibrator/affine",
        "floor in counts",
        f"{AFFINE}._of",
        numbers("floor", lambda b: b + 1),
        OTHER_IMAGES,
    ),
    Mutant(
        "calibrator/affine",
        "dropped square",
        "calibrators.affine:fill_bins",
        around(not_squared),
        OTHER_IMAGES,
    ),
    Mutant("calibrator/affine", "dropped bins", "calibrators.affine:fill_bins", around(without_lowest), BIN),
    Mutant("calibrator/affine", "dropped field", f"{AFFINE}.fit", around(half_of_the_pixels), ORDER),
    Mutant(
        "calibrator/isotonic", "scale", f"{ISOTONIC}.fit_squares", numbers("std", lambda s: 1.4 * s), COVER
    ),
    Mutant(
        "calibrator/isotonic", "square", f"{ISOTONIC}.fit_squares", numbers("std", np.square), OTHER_IMAGES
    ),
    Mutant(
        "calibrator/isotonic",
        "scale of the steps",
        f"{ISOTONIC}.fit_squares",
        numbers("from", lambda x: 2 * x),
        TWICE,
    ),
    Mutant(
        "calibrator/isotonic",
        "steps in counts",
        f"{ISOTONIC}.fit_squares",
        numbers("from", lambda x: x + 2),
        OTHER_STD,
    ),
    Mutant(
        "calibrator/isotonic", "dropped bins", "calibrators.isotonic:fill_bins", around(without_lowest), BIN
    ),
    Mutant("calibrator/isotonic", "one channel", f"{ISOTONIC}.fit", around(first_channel), OTHER_CHANNEL),
    Mutant("calibrator/conformal", "scale", f"{CONFORMAL}.fit", numbers("half", lambda q: 1.2 * q), COVER),
    Mutant("calibrator/conformal", "sign", f"{CONFORMAL}.fit", numbers("half", np.negative), PLAIN),
    Mutant("calibrator/conformal", "dropped std", f"{CONFORMAL}.fit", around(raw_errors), OTHER_STD),
    Mutant("calibrator/conformal", "dropped pixels", f"{CONFORMAL}.fit", around(clipped_pixels), BIN),
    Mutant(
        "calibrator/conformal",
        "shifted level",
        f"{CONFORMAL}.fit",
        numbers("level", lambda p: p * 0.8),
        COVER,
    ),
    Mutant("calibrator/conformal", "one channel", f"{CONFORMAL}.fit", around(first_channel), OTHER_CHANNEL),
    Mutant("calibrator/region", "scale", f"{REGION}.fit", numbers("1:half", lambda q: 1.2 * q), COVER),
    Mutant("calibrator/region", "sign", f"{REGION}.fit", numbers("1:half", np.negative), PLAIN),
    Mutant("calibrator/region", "dropped std", f"{REGION}.fit", around(raw_errors), OTHER_STD),
    Mutant("calibrator/region", "dropped pixels", f"{REGION}.fit", around(clipped_pixels), BIN),
    Mutant("calibrator/region", "one channel", f"{REGION}.fit", around(first_channel), OTHER_CHANNEL),
    Mutant(
        "calibrator/region",
        "scale of sums",
        f"{REGION}.sum_interval",
        after(lambda found: attrs.evolve(found, half_width=1.2 * (found.half_width or 0))),
        COVER_SUMS,
    ),
    Mutant(
        "calibrator/region", "one size for all", f"{REGION}.sum_interval", around(smallest_size), COVER_SUMS
    ),
    Mutant(
        "calibrator/region",
        "guessed size",
        f"{REGION}.sum_interval",
        after(lambda found: attrs.evolve(found, holds=True)),
        OTHER_SIZES,
    ),
)
