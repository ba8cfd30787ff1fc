"""Conformance suite for metrics."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.metric import Metric
from denoisplit.core.errors import ImageError, MissingPackageError
from denoisplit.testing.global_generators import leaving_generators_alone
from denoisplit.testing.option_effects import Trace, assert_options_have_effects
from denoisplit.testing.strategies import seeds
from denoisplit.testing.suite import (
    ComponentTests,
    examples,
    in_two_and_three_dimensions,
    not_examined,
    tried,
)

_COUNTS = "counts"
"""A score whose unit contains this word changes with the units of the images."""
_FITTED = 0.03
"""Largest relative difference of scores that involve an iterative fit."""
_NOISES = (0.05, 0.5, 5.0)
"""Noise of the predictions, in stds of the truth."""


class MetricTests(ComponentTests):
    """Laws of metrics: a number per image, better for better predictions, from these images alone."""

    kind: ClassVar[str] = "metric"

    def metric(self, options: Any) -> Metric:
        """The component; without its optional package the law is not examined."""
        try:
            made = self.target()(options)
        except MissingPackageError as error:
            not_examined(str(error))
        assert isinstance(made, Metric), f"not a Metric (got {type(made)})"
        return made

    def images(
        self, side: int, seed: int, *, rank: int = 2, count: int = 2
    ) -> tuple[list[AnyArray], list[AnyArray]]:
        """Return clean images [(z) y x] of one channel, and noisy predictions of them, counts."""
        rng = np.random.default_rng(seed)
        shape = (*(2,) * (rank - 2), max(side, 24), max(side, 24) + 3)
        truths, predictions = [], []
        for number in range(count):
            truth = 20 + 300 * (1 + number) * np.abs(gaussian_filter(rng.normal(size=shape), 2))
            truths.append(truth)
            predictions.append(truth + 0.3 * (1 + number) * truth.std() * rng.normal(size=shape))
        return truths, predictions

    def scores(
        self, metric: Metric, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]
    ) -> list[float]:
        """Return one number per image."""
        found = list(metric.scores(truths, predictions))
        assert len(found) == len(truths), f"{len(found)} numbers for {len(truths)} images"
        return [float(value) for value in found]

    @in_two_and_three_dimensions
    @tried(2, data=st.data(), seed=seeds())
    def test_every_image_has_a_number(self, rank: int, data: st.DataObject, seed: int) -> None:
        """Images and stacks; for a single image, ``scores`` agrees with ``score``."""
        metric = self.metric(data.draw(self.options()))
        images = self.images(metric.side, seed, rank=rank)
        assert all(map(math.isfinite, self.scores(metric, *images))), "a score is not finite"
        truths, predictions = images[0][:1], images[1][:1]
        alone = self.scores(metric, truths, predictions)[0]
        assert math.isclose(metric.score(truths[0], predictions[0]), alone, rel_tol=1e-9), (
            "score and scores differ for an image that is alone"
        )

    @tried(1, data=st.data(), seed=seeds())
    def test_images_with_counts_below_zero_have_a_number(self, data: st.DataObject, seed: int) -> None:
        """Where the background was subtracted, or read noise is more than the light."""
        metric = self.metric(data.draw(self.options()))
        images = self.images(metric.side, seed)
        truths, predictions = (
            [one - np.median(truth) for one, truth in zip(part, images[0], strict=True)] for part in images
        )
        found = self.scores(metric, truths, predictions)
        assert all(map(math.isfinite, found)), "counts below zero have a score that is not finite"

    @tried(2, data=st.data(), seed=seeds())
    def test_better_predictions_score_better(self, data: st.DataObject, seed: int) -> None:
        """The truth itself scores best, and every tenfold of the noise scores worse."""
        metric = self.metric(data.draw(self.options()))
        truths, _ = self.images(metric.side, seed)
        rng = np.random.default_rng(seed + 1)
        noise = [rng.normal(size=truth.shape) * truth.std() for truth in truths]
        answers = [truths] + [[t + size * n for t, n in zip(truths, noise, strict=True)] for size in _NOISES]
        found = [float(np.mean(self.scores(metric, truths, answer))) for answer in answers]
        signed = found if metric.larger_is_better else [-value for value in found]
        assert all(one > two for one, two in itertools.pairwise(signed)), (
            f"noise of 0, {', '.join(f'{size:g}' for size in _NOISES)} stds scores "
            f"{', '.join(f'{value:.4g}' for value in found)}: not in the order that larger_is_better says"
        )

    @in_two_and_three_dimensions
    @tried(1, data=st.data(), seed=seeds())
    def test_no_error_is_better_than_none(self, rank: int, data: st.DataObject, seed: int) -> None:
        """Neither a constant too much nor too little, nor noise at either end of an axis, which shows."""
        metric = self.metric(data.draw(self.options()))
        truths, _ = self.images(metric.side, seed, rank=rank)
        sign = 1 if metric.larger_is_better else -1
        best = sign * float(np.mean(self.scores(metric, truths, truths)))
        for share in (-0.5, 0.5):
            moved = [truth + share * truth.std() for truth in truths]
            found = sign * float(np.mean(self.scores(metric, truths, moved)))
            assert found <= best + _FITTED * abs(best), (
                f"images that are {'too bright' if share > 0 else 'too dark'} score better than the truth"
            )
        rng = np.random.default_rng(seed + 1)
        nearly = [truth + _NOISES[0] * truth.std() * rng.normal(size=truth.shape) for truth in truths]
        good = sign * float(np.mean(self.scores(metric, truths, nearly)))
        for axis, last in itertools.product(range(-rank, 0), (False, True)):
            noisy = [_noisy_end(image, axis, rng, last=last) for image in nearly]
            found = sign * float(np.mean(self.scores(metric, truths, noisy)))
            assert found < good, (
                f"noise at the {'end' if last else 'beginning'} of axis {'zyx'[axis]} does not count"
            )

    @tried(1, data=st.data(), seed=seeds())
    def test_the_order_of_images_does_not_matter(self, data: st.DataObject, seed: int) -> None:
        """Every image keeps its number."""
        metric = self.metric(data.draw(self.options()))
        truths, predictions = self.images(metric.side, seed, count=3)
        found = self.scores(metric, truths[::-1], predictions[::-1])[::-1]
        _close(
            found,
            self.scores(metric, truths, predictions),
            "images in another order score otherwise",
            _FITTED,
        )

    @tried(2, data=st.data(), seed=seeds(), scale=st.sampled_from([1e-2, 37.0]))
    def test_only_scores_in_counts_know_units(self, data: st.DataObject, seed: int, scale: float) -> None:
        """Images in other units have the same score, unless its unit has counts in it."""
        metric = self.metric(data.draw(self.options()))
        truths, predictions = self.images(metric.side, seed)
        if _COUNTS in metric.unit:
            return
        other = self.scores(metric, [scale * t for t in truths], [scale * p for p in predictions])
        what = f"other units of the images change a score in {metric.unit or 'no unit'}"
        _close(other, self.scores(metric, truths, predictions), what, _FITTED)

    @tried(1, data=st.data(), seed=seeds())
    def test_images_are_looked_at_only(self, data: st.DataObject, seed: int) -> None:
        """Nothing is overwritten, remembered or drawn, and single precision serves."""
        metric = self.metric(data.draw(self.options()))
        truths, predictions = self.images(metric.side, seed)
        kept = [image.copy() for image in (*truths, *predictions)]
        with leaving_generators_alone("a score"):
            found = self.scores(metric, truths, predictions)
        assert all(
            np.array_equal(one, two) for one, two in zip((*truths, *predictions), kept, strict=True)
        ), "an image is overwritten"
        self.scores(metric, *self.images(metric.side, seed + 1))
        assert self.scores(metric, truths, predictions) == found, "a second look gives another score"
        single = self.scores(
            metric, *([image.astype(np.float32) for image in images] for images in (truths, predictions))
        )
        _close(single, found, "images in single precision score otherwise", _FITTED)

    def test_a_constant_prediction_has_a_score_or_is_refused(self) -> None:
        """A number that is not NaN, or an ``ImageError``."""
        metric = self.metric(self.defaults())
        truths, _ = self.images(metric.side, 0)
        try:
            found = self.scores(metric, truths, [np.full_like(truth, 50) for truth in truths])
        except ImageError:
            return
        assert not any(map(math.isnan, found)), "a constant prediction scores NaN"

    def test_it_says_what_a_table_needs(self) -> None:
        """Label and unit are texts, the side is a positive number of pixels, the direction True or False."""
        metric = self.metric(self.defaults())
        assert isinstance(metric.label, str), "label is no text"
        assert isinstance(metric.unit, str), "unit is no text"
        assert isinstance(metric.side, int), "side is no whole number"
        assert metric.side >= 1, "side is not above zero"
        assert isinstance(metric.larger_is_better, bool), "larger_is_better is neither True nor False"

    def test_every_option_has_an_effect(self) -> None:
        """On the score of some prediction."""

        def trace(options: Any) -> Trace:
            metric = self.metric(options)
            truths, predictions = self.images(metric.side, 3)
            found = self.scores(metric, truths, predictions)
            return (("scores", torch.tensor(found, dtype=torch.float64)),)

        assert_options_have_effects(examples(self.options()), trace, unseen=self.unseen)


def _noisy_end(image: AnyArray, axis: int, rng: np.random.Generator, *, last: bool) -> AnyArray:
    """Return an image whose first, or last, three quarters along an axis are noisy."""
    side = image.shape[axis]
    part = slice(side - 3 * side // 4, side) if last else slice(3 * side // 4)
    noise = np.zeros_like(image)
    here = np.moveaxis(noise, axis, 0)[part]
    here += image.std() * rng.normal(size=here.shape)
    return np.asarray(image + noise)


def _close(found: Sequence[float], expected: Sequence[float], what: str, rtol: float) -> None:
    apart = max(abs(a - b) / max(abs(b), 1e-12) for a, b in zip(found, expected, strict=True))
    assert apart < rtol, f"{what} (relative difference up to {apart:.3g})"
