"""The abstract base of metrics: how close predictions are to the truth, in the table of ``evaluate``."""

import abc
from collections.abc import Sequence
from typing import Any

from denoisplit.core.arrays import AnyArray


class Metric(abc.ABC):
    """A score of images.

    Nest a frozen attrs class ``Options``; the constructor takes an instance of it, and raises
    ``MissingPackageError`` where an optional package is not there.

    Attributes:
        label: heading in tables; empty for the name of the component.
        unit: of the score, for example ``dB`` or ``counts``; empty for none.
        side: smallest side of an image that it is defined for, pixels.
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
        """The score of an image, which it has by itself.

        Args:
            truth: clean image [(z) y x], counts without the offset of the camera.
            prediction: image of the same shape and units.

        Returns:
            one number; infinite where there is no error.

        Raises:
            ImageError: these images have no score.
        """

    def scores(self, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> Sequence[float]:
        """The score of every image of one channel: each by itself, unless a range or fit is that of all.

        Args:
            truths: clean images [(z) y x], of any sizes.
            predictions: as many images of the same shapes.
        """
        return [self.score(truth, prediction) for truth, prediction in zip(truths, predictions, strict=True)]
