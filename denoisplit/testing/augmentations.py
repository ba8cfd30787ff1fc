"""Conformance suite for augmentations."""

from typing import Any, ClassVar, Final

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from denoisplit.core.arrays import Float32Array
from denoisplit.core.images.augmentation import MOST_CHOICES, Augmentation
from denoisplit.testing.global_generators import leaving_generators_alone
from denoisplit.testing.option_effects import Trace, assert_options_have_effects
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import ComponentTests, examples, tried

_SHOWN: Final = 12
"""Number of choices that are tried where there are more."""

shapes = pytest.mark.parametrize(
    "sides", [(8, 8), (6, 10), (4, 8, 8), (3, 6, 10)], ids=["square", "oblong", "stack", "oblong stack"]
)


class AugmentationTests(ComponentTests):
    """Laws of augmentations: pixels move, in all maps of a patch alike, and keep their counts."""

    kind: ClassVar[str] = "augmentation"

    def augmentation(self, options: Any) -> Augmentation:
        """The component."""
        made = self.target()(options)
        assert isinstance(made, Augmentation), f"not an Augmentation (got {type(made)})"
        return made

    def choices(self, augmentation: Augmentation, seed: int) -> list[int]:
        """Return all choices, or some of many."""
        count = augmentation.choices
        if count <= _SHOWN:
            return list(range(count))
        drawn = np.random.default_rng(seed).integers(count, size=_SHOWN - 2)
        return [0, count - 1, *(int(choice) for choice in drawn)]

    def patch(self, sides: tuple[int, ...], seed: int, *, maps: int = 3) -> Float32Array:
        """Return counts [k (z) y x], no two of which are the same."""
        count = maps * int(np.prod(sides))
        return np.random.default_rng(seed).permutation(count).astype(np.float32).reshape(maps, *sides) + 1

    def test_it_says_how_many_choices_there_are(self) -> None:
        """A whole number from 1 to 2^62."""
        choices = self.augmentation(self.defaults()).choices
        assert isinstance(choices, int), f"choices is no whole number (got {choices!r})"
        assert 1 <= choices <= MOST_CHOICES, f"choices is not 1 to 2^62 (got {choices})"

    @shapes
    @tried(4, data=st.data(), seed=seeds())
    def test_pixels_are_moved_and_keep_their_counts(
        self, sides: tuple[int, ...], data: st.DataObject, seed: int
    ) -> None:
        """Shape and type stay, no count moves to another map, and none is made up."""
        augmentation, patch = self.augmentation(data.draw(self.options())), self.patch(sides, seed)
        for choice in self.choices(augmentation, seed):
            found = np.asarray(augmentation.apply(patch, choice))
            assert found.shape == patch.shape, f"a patch of shape {patch.shape} becomes one of {found.shape}"
            assert found.dtype == patch.dtype, f"a patch of {patch.dtype} becomes one of {found.dtype}"
            for before, after in zip(patch, found, strict=True):
                assert np.isin(after, before).all(), f"choice {choice}: a count is made up, or of another map"

    @shapes
    @tried(4, data=st.data(), seed=seeds())
    def test_all_maps_of_a_patch_are_moved_alike(
        self, sides: tuple[int, ...], data: st.DataObject, seed: int
    ) -> None:
        """Channels, their sum and each by itself: where pixels go depends on the choice alone."""
        augmentation = self.augmentation(data.draw(self.options()))
        one, two = self.patch(sides, seed), self.patch(sides, seed + 1)
        for choice in self.choices(augmentation, seed):
            found = np.asarray(augmentation.apply(one, choice))
            alone = [np.asarray(augmentation.apply(one[k : k + 1], choice))[0] for k in range(len(one))]
            assert np.array_equal(np.stack(alone), found), f"choice {choice}: a map alone is moved otherwise"
            both = np.asarray(augmentation.apply(one + two, choice))
            apart = found + np.asarray(augmentation.apply(two, choice))
            assert np.array_equal(both, apart), f"choice {choice}: the counts decide where pixels go"

    @shapes
    @tried(3, data=st.data(), seed=seeds())
    def test_the_same_choice_does_the_same(
        self, sides: tuple[int, ...], data: st.DataObject, seed: int
    ) -> None:
        """Nothing is remembered or overwritten, and the global generators play no part."""
        options = data.draw(self.options())
        augmentation, patch = self.augmentation(options), self.patch(sides, seed)
        kept = patch.copy()
        for choice in self.choices(augmentation, seed):
            with leaving_generators_alone("moving pixels"):
                found = np.array(augmentation.apply(patch, choice))
            assert np.array_equal(patch, kept), f"choice {choice}: the patch is overwritten"
            again = np.asarray(self.augmentation(options).apply(patch, choice))
            assert np.array_equal(found, again), f"choice {choice}: a second time gives another patch"

    @shapes
    @tried(3, data=st.data(), seed=seeds())
    def test_one_choice_is_no_change(self, sides: tuple[int, ...], data: st.DataObject, seed: int) -> None:
        """Where all choices can be tried: the network also learns from patches as they are."""
        augmentation, patch = self.augmentation(data.draw(self.options())), self.patch(sides, seed)
        if augmentation.choices > _SHOWN:
            return
        found = [np.asarray(augmentation.apply(patch, choice)) for choice in self.choices(augmentation, seed)]
        assert any(np.array_equal(one, patch) for one in found), "every choice changes the patch"

    @tried(3, data=st.data(), seed=seeds())
    def test_some_choice_changes_a_stack(self, data: st.DataObject, seed: int) -> None:
        """An augmentation without effect is useless."""
        augmentation, patch = self.augmentation(data.draw(self.options())), self.patch((4, 8, 8), seed)
        found = [np.asarray(augmentation.apply(patch, choice)) for choice in self.choices(augmentation, seed)]
        assert not all(np.array_equal(one, patch) for one in found), "no choice changes anything"

    def test_every_option_has_an_effect(self) -> None:
        """On the number of choices, or on where the pixels of some patch go."""
        patches = [self.patch(sides, 0) for sides in ((8, 8), (4, 6, 10))]

        def trace(options: Any) -> Trace:
            augmentation = self.augmentation(options)
            found = [("choices", torch.tensor(augmentation.choices))]
            for choice in self.choices(augmentation, 0):
                for number, patch in enumerate(patches):
                    moved = np.ascontiguousarray(augmentation.apply(patch, choice))
                    found.append((f"{number}:{choice}", torch.from_numpy(moved)))
            return tuple(found)

        assert_options_have_effects(examples(self.options()), trace, unseen=self.unseen)
