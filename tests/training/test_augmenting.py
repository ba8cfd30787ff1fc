"""What ``augment`` and ``augmentations`` of a spec do to patches."""

from typing import Any

import attrs
import numpy as np
import pytest

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.images.augmentation import Augmentation, backward_axes
from denoisplit.core.images.bases import Field
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.registry import Component, installed_registry
from denoisplit.core.spec import parse_spec, resolve, to_yaml
from denoisplit.core.spec.records import Chosen, TrainingSpec
from denoisplit.core.training.data.augmenting import augmentation_of
from tests.flipping import FLIPS

SPEC = "preset: denoisplit\nchannels: [a, b]\ndata: {train: {use: simulated}}\n"


def sampler(shape: tuple[int, ...], patch: tuple[int, ...], **how: Any) -> PatchSampler:
    counts = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    known: dict[str, Any] = {"context": 0, **how}
    field = Field(name="f", observed=counts)
    return PatchSampler([field], patch=patch, batch=60, seed=3, mixing=Mixing(), **known)


def named(*names: str, augment: bool = False) -> TrainingSpec:
    listed = ", ".join(f"{{use: {name}}}" for name in names)
    text = f"training: {{augment: {str(augment).lower()}, augmentations: [{listed}]}}"
    return resolve(parse_spec(SPEC + text), installed_registry()).training


def test_augment_means_the_flips_that_it_always_meant() -> None:
    """To the last bit, with the surround, and without a word in specs that do not name others."""
    for shape, patch in (((70, 66), (16, 16)), ((64, 71), (8, 16))):
        before = sampler(shape, patch, augmentation=FLIPS, context=2).batch(7)
        for spec in (named(augment=True), named("flips"), named("denoisplit/flips")):
            now = sampler(shape, patch, augmentation=augmentation_of(spec, patch), context=2).batch(7)
            np.testing.assert_array_equal(now.mixed, before.mixed)
            np.testing.assert_array_equal(now.targets, before.targets)
    assert augmentation_of(TrainingSpec(), (8, 8)) is None
    text = to_yaml(resolve(parse_spec(SPEC + "training: {augment: true}"), installed_registry()))
    assert "augmentations" not in text


def test_several_augmentations_give_all_their_ways_together() -> None:
    augmentation = augmentation_of(named("depth_flips", augment=True), (3, 8, 8))
    assert augmentation is not None
    patches = sampler((3, 8, 8), (3, 8, 8), augmentation=augmentation).batch(0).targets
    assert len({patch.tobytes() for patch in patches}) == augmentation.choices == 16


def test_an_augmentation_that_changes_no_patch_is_told(caplog: pytest.LogCaptureFixture) -> None:
    augmentation_of(named("depth_flips", augment=True), (3, 8, 8))
    assert not caplog.messages
    augmentation_of(named("depth_flips", augment=True), (8, 8))
    said = "augmentation denoisplit/depth_flips changes no patch of 8 x 8 px. Leave it out"
    assert caplog.messages == [f"training.augmentations: {said}"]


def test_the_surround_of_patches_turned_twice_is_that_of_the_patch() -> None:
    """An axis that is turned back twice runs forwards again."""
    patch = (10, 10)
    augmentation = augmentation_of(named("flips", augment=True), patch)
    assert augmentation is not None
    for choice in range(augmentation.choices):
        rows, columns = np.mgrid[:10, :10].astype(np.float32)
        named_axes = backward_axes(augmentation, choice, patch)
        for axis, ramp in ((-2, rows), (-1, columns)):
            found = augmentation.apply(ramp[None], choice)[0]
            assert (axis in named_axes) == (found[0, 0] > found[-1, -1])


class Odd(Augmentation):
    @attrs.frozen
    class Options:
        pass

    choices = 3

    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        return patch


class Smaller(Odd):
    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        return patch[..., 1:]


class Raises(Odd):
    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        raise IndexError("no\nplace")


class RaisesInBetween(Odd):
    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        if choice == 1:
            raise IndexError("no place")
        return patch


class NaNInBetween(Odd):
    choices = 2**40

    def apply(self, patch: Float32Array, choice: int) -> Float32Array:
        return patch if choice in (0, self.choices - 1) else patch * np.float32(np.nan)


class NoImage(Odd):
    def apply(self, patch: Float32Array, choice: int) -> Any:
        return np.full(patch.shape, "dark")


class NoChoice(Odd):
    choices = 0


class NoNumber(Odd):
    choices: Any = "many"


def using(cls: type[Odd]) -> TrainingSpec:
    row = Component(kind="augmentation", name="odd", target=cls, package="lab", version="1", summary="Odd.")
    return TrainingSpec(augmentations=(Chosen(component=row, options=cls.Options()),))


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Smaller, r"has to give a patch of the shape \(2, 8, 8\) \(got \(2, 8, 7\)\)"),
        (Raises, r"fails on a patch of 8x8 \(IndexError: no place\)"),
        (RaisesInBetween, r"fails on a patch of 8x8 \(IndexError: no place\) with choice 1\. Repair it"),
        (NaNInBetween, r"has to keep counts finite \(got NaN or infinity, with choice 17179869184\)"),
        (NoImage, r"fails on a patch of 8x8 \(ValueError: could not convert string"),
        (NoChoice, r"has to have 1 to 2\^62 choices \(got 0\)"),
        (NoNumber, r"fails on a patch of 8x8 \(ValueError: "),
    ],
)
def test_a_broken_augmentation_is_one_line_before_training(cls: type[Odd], message: str) -> None:
    with pytest.raises(BrokenPluginError, match=f"^augmentation lab/odd: {message}") as caught:
        augmentation_of(using(cls), (8, 8))
    assert "\n" not in str(caught.value)


def test_a_patch_on_which_an_augmentation_fails_in_a_training_is_told() -> None:
    """Here one with counts below zero, which no trial has."""

    class Picky(Odd):
        def apply(self, patch: Float32Array, choice: int) -> Float32Array:
            if (patch < 0).any():
                raise ValueError("counts\nbelow zero")
            return patch

    row = Component(kind="augmentation", name="odd", target=Picky, package="lab", version="1", summary="Odd.")
    made = augmentation_of(
        TrainingSpec(augmentations=(Chosen(component=row, options=Picky.Options()),)), (4, 4)
    )
    assert made is not None
    assert made.apply(np.ones((1, 4, 4), np.float32), 1).all()
    told = r"^augmentation lab/odd: fails on a patch of 4x4 \(ValueError: counts below zero\) with choice 2\."
    with pytest.raises(BrokenPluginError, match=told):
        made.apply(-np.ones((1, 4, 4), np.float32), 2)


def test_all_of_few_choices_are_tried_and_some_of_many() -> None:
    tried: list[int] = []

    class Counts(Odd):
        def apply(self, patch: Float32Array, choice: int) -> Float32Array:
            tried.append(choice)
            return patch

    for choices in (1, 2, 5, 64, 65, 200, 2**62):
        Counts.choices = choices
        tried.clear()
        row = Component(
            kind="augmentation", name="odd", target=Counts, package="lab", version="1", summary="Odd."
        )
        augmentation_of(
            TrainingSpec(augmentations=(Chosen(component=row, options=Counts.Options()),)), (4, 4)
        )
        assert len(set(tried)) == len(tried) == min(choices, 64)
        assert (tried[0], tried[-1]) == (0, choices - 1)


def test_more_choices_than_can_be_numbered_are_refused() -> None:
    class Many(Odd):
        choices = 2**40

    row = Component(
        kind="augmentation", name="many", target=Many, package="lab", version="1", summary="Many."
    )
    other = attrs.evolve(row, name="more")
    chosen = [Chosen(component=one, options=Many.Options()) for one in (row, other)]
    with pytest.raises(BrokenPluginError, match="too many choices together"):
        augmentation_of(TrainingSpec(augmentations=tuple(chosen)), (8, 8))
