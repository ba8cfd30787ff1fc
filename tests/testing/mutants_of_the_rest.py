"""Mutants of KL schemes, calibrators and data sets."""

from typing import Any

import attrs
import numpy as np
import torch

from denoisplit.core.images.bases import Field
from denoisplit.core.network.interfaces import Calibration, Rate
from tests.testing.mutants import Mutant, after, around, replaced

POSITIVE = "the_rate_is_never_negative_and_least_where_posterior_is_prior"
SUM = "levels_add_up"
UNIT = "the_rate_is_in_the_declared_unit"
BATCH = "order_and_duplicates_of_a_batch_do_not_matter"
TILED = "a_tiled_image_has_the_same_rate"
FREE = "free_bits_are_a_floor_and_nothing_else"
COVER = "intervals_cover_as_often_as_they_say"
TWICE = "calibrating_twice_changes_nothing"
OTHER_STD = "a_std_in_other_units_changes_nothing"
BIN = "no_bin_is_dropped"
PLAIN = "calibrations_are_plain_numbers"
SPLITS = "no_field_is_in_two_splits"
AGAIN = "reading_twice_gives_the_same_fields"
CHANNELS = "fields_have_the_named_channels"
CLEAN = "clean_references_are_what_the_noise_was_added_to"

RATE_NEGATED = after(lambda rate: Rate(-rate.total, -rate.per_level))
RATE_DOUBLED = after(lambda rate: Rate(2 * rate.total, 2 * rate.per_level))
TOTAL_DOUBLED = after(lambda rate: attrs.evolve(rate, total=2 * rate.total))
ONE_CHANNEL = around(
    lambda old, self, levels, *, image_pixels, channels: old(
        self, levels, image_pixels=image_pixels, channels=1
    )
)
ONE_PIXEL = around(
    lambda old, self, levels, *, image_pixels, channels: old(self, levels, image_pixels=1, channels=channels)
)
FLOOR_ADDED = replaced(lambda divergence, free_bits: (divergence + free_bits).mean(0))
NO_FLOOR = replaced(lambda divergence, free_bits: divergence.mean(0))
SUM_OF_BATCH = around(lambda old, divergence, free_bits: len(divergence) * old(divergence, free_bits))


def fields_changed(change: Any) -> Any:
    return after(lambda fields: tuple(change(field) for field in fields))


def clean_changed(change: Any) -> Any:
    return fields_changed(lambda field: attrs.evolve(field, clean=change(field.clean)))


def twice(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return (*fields, attrs.evolve(fields[0], name="again"))


def raw_errors(old: Any, self: Any, mean: Any, std: Any, truth: Any) -> Calibration:
    fitted: Calibration = old(self, mean, np.ones_like(std), truth)
    return fitted


def small_errors(old: Any, self: Any, mean: Any, std: Any, truth: Any) -> Calibration:
    spread = np.where(std < np.quantile(std, 0.1), std, abs(truth - mean))
    fitted: Calibration = old(self, mean, std, mean + np.sign(truth - mean) * spread)
    return fitted


def factors(change: Any) -> Any:
    def changed(fitted: Calibration) -> Calibration:
        return attrs.evolve(fitted, parameters={"factor": [change(f) for f in fitted.parameters["factor"]]})

    return after(changed)


SCALE = "calibrators.scale:Scale"


def kl_mutants(name: str, cls: str, per_unit: Any) -> tuple[Mutant, ...]:
    """Changes that fit every scheme; ``per_unit`` is of the schemes whose unit is known."""
    forward = f"kl_schemes.{name}:{cls}.forward"
    kind = f"kl_scheme/{name}"
    return (
        Mutant(kind, "sign", forward, RATE_NEGATED, POSITIVE),
        Mutant(kind, "scale of the total", forward, TOTAL_DOUBLED, SUM),
        Mutant(kind, "dropped mean over the batch", "kl_schemes.reduction:floored_mean", SUM_OF_BATCH, BATCH),
        Mutant(kind, "dropped free bits", "kl_schemes.reduction:floored_mean", NO_FLOOR, FREE),
        Mutant(kind, "free bits added", "kl_schemes.reduction:floored_mean", FLOOR_ADDED, FREE),
        *(Mutant(kind, sort, forward, change, law) for sort, change, law in per_unit),
    )


BY_UNIT = (("scale", RATE_DOUBLED, UNIT),)
BY_PIXEL = (*BY_UNIT, ("dropped pixels", ONE_PIXEL, TILED))
BY_CHANNEL = (*BY_PIXEL, ("dropped channels", ONE_CHANNEL, UNIT))

KL_MUTANTS = (
    *kl_mutants("denoisplit", "DenoiSplitKL", BY_PIXEL),
    *kl_mutants("elbo", "ElboKL", BY_CHANNEL),
    *kl_mutants("musplit", "MuSplitKL", BY_UNIT),
    *kl_mutants("geco", "GecoKL", BY_CHANNEL),
    *kl_mutants("per_level", "PerLevelKL", BY_CHANNEL),
    *kl_mutants("microsplit", "MicroSplitKL", ()),
)

VARIETY = "datasets.simulated_variety:SimulatedVariety"

OTHER_MUTANTS = (
    Mutant("calibrator/scale", "sign", f"{SCALE}.fit", factors(lambda f: -f), PLAIN),
    Mutant("calibrator/scale", "scale", f"{SCALE}.fit", factors(lambda f: 1.3 * f), COVER),
    Mutant("calibrator/scale", "square", f"{SCALE}.fit", factors(lambda f: f * f), TWICE),
    Mutant("calibrator/scale", "dropped std", f"{SCALE}.fit", around(raw_errors), OTHER_STD),
    Mutant("calibrator/scale", "dropped pixels", f"{SCALE}.fit", around(small_errors), BIN),
    Mutant("dataset/folder", "a field twice", "datasets.folder:Folder.fields", after(twice), SPLITS),
    Mutant(
        "dataset/folder",
        "scale by chance",
        "datasets.folder:Folder.fields",
        fields_changed(
            lambda field: attrs.evolve(field, observed=field.observed * np.float32(torch.rand(()).item()))
        ),
        AGAIN,
    ),
    Mutant(
        "dataset/folder",
        "dropped channel",
        "datasets.folder:Folder.fields",
        fields_changed(lambda field: attrs.evolve(field, observed=field.observed[:1])),
        CHANNELS,
    ),
    Mutant(
        "dataset/simulated", "sign", "datasets.simulated:Simulated.fields", clean_changed(np.negative), CLEAN
    ),
    Mutant(
        "dataset/simulated",
        "scale",
        "datasets.simulated:Simulated.fields",
        clean_changed(lambda clean: 1.2 * clean),
        CLEAN,
    ),
    Mutant(
        "dataset/simulated",
        "dropped offset",
        "datasets.simulated:Simulated.fields",
        clean_changed(lambda clean: clean - 100),
        CLEAN,
    ),
    Mutant("dataset/simulated", "a field twice", "datasets.simulated:Simulated.fields", after(twice), SPLITS),
    Mutant("dataset/simulated_variety", "sign", f"{VARIETY}.fields", clean_changed(np.negative), CLEAN),
    Mutant(
        "dataset/simulated_variety",
        "dropped offset",
        f"{VARIETY}.fields",
        clean_changed(lambda clean: clean - 100),
        CLEAN,
    ),
    Mutant("dataset/simulated_variety", "a field twice", f"{VARIETY}.fields", after(twice), SPLITS),
)
