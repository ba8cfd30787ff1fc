"""The abstract base of metrics: scores of predictions against the truth, in the table of ``evaluate``."""

import abc
from collections.abc import Sequence
from typing import Any

from denoisplit.core.arrays import AnyArray


class Metric(abc.ABC):
    """A score of images.

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it, and raises
    ``MissingPackageError`` if an optional package is missing.

    Attributes:
        label: heading in tables; empty for the name of the component.
        unit: unit of the score, for example ``dB`` or ``counts``; empty for none.
        side: smallest side of an image for which it is defined, pixels.
        larger_is_better: whether the better prediction has the larger score.
    """

    label: str = ""
    unit: str = ""
    side: int = 1
    larger_is_better: bool = True

    def __init__(self, options: Any) -> None:
        self.options = options

    @abc.abstractmethod
    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        """Score one image.

        Args:
            truth: clean image [(z) y x], counts without the offset of the camera.
            prediction: image of the same shape and units.

        Returns:
            One number; may be infinite for a prediction without error.

        Raises:
            ImageError: these images have no score.
        """

    def scores(self, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> Sequence[float]:
        """Score every image of one channel, each by itself; see ``PooledMetric`` for others.

        Args:
            truths: clean images [(z) y x], of any sizes.
            predictions: one image of the same shape for each.
        """
        return [self.score(truth, prediction) for truth, prediction in zip(truths, predictions, strict=True)]


class PooledMetric(Metric):
    """A score whose range or fit is shared by all images of a channel."""

    def score(self, truth: AnyArray, prediction: AnyArray) -> float:
        """Score an image that is the only one."""
        return self.scores([truth], [prediction])[0]

    @abc.abstractmethod
    def scores(self, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> Sequence[float]:
        """Score every image of one channel; see ``Metric.scores``."""
