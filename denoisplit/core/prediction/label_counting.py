"""Sums over the regions of a label image, gathered while an image is predicted."""

from collections.abc import Sequence

import attrs
import numpy as np

from denoisplit.core.assessment.label_sums import LabelSum, LabelSums, label_divisions, sums_at
from denoisplit.core.assessment.region_intervals import RegionIntervals
from denoisplit.core.assessment.regions import Regions, RegionSums
from denoisplit.core.images.interfaces import AnyArray
from denoisplit.core.images.io import Planes
from denoisplit.core.storage.bundle import Bundle


@attrs.frozen
class Counting:
    """Sums over the regions of a label image, plane by plane.

    Attributes:
        planes: of the image.
        bundle: of the run.
        divisions: the regions of every plane; None where there are none.
    """

    planes: Planes
    bundle: Bundle
    divisions: tuple[Regions | None, ...]

    @classmethod
    def of(cls, labels: AnyArray, planes: Planes, bundle: Bundle) -> "Counting":
        """From a label image, which may be read where it is asked for; see ``label_divisions``."""
        where = f"labels of {planes.image.source}"
        return cls(planes, bundle, label_divisions(labels, planes.shape, planes.plane_shape[1:], where))

    def begin(self, samples: int) -> list[RegionSums]:
        """What takes in the samples of every plane."""
        count = len(self.bundle.spec.channels)
        return [
            RegionSums([] if regions is None else [regions], samples=samples, channels=count)
            for regions in self.divisions
        ]

    def finish(self, collected: Sequence[RegionSums]) -> LabelSums:
        """The table of what came in."""
        intervals, names = region_intervals(self.bundle), self.bundle.spec.channels
        rows: list[LabelSum] = []
        positions = np.ndindex(self.planes.shape)
        for position, regions, sums in zip(positions, self.divisions, collected, strict=True):
            if regions is not None:
                rows += sums_at(position, regions, sums, names, intervals)
        return LabelSums(self.planes.leading, tuple(rows))


def region_intervals(bundle: Bundle) -> RegionIntervals | None:
    """The calibration of sums of a run, ready for use; None without."""
    chosen = bundle.spec.region_calibrator
    if bundle.region_calibration is None or chosen is None:
        return None
    return RegionIntervals(chosen.build(), bundle.region_calibration)
