"""Calibrator: intervals for new fields, of pixels and of sums over regions, from fields that differ."""

from collections.abc import Sequence
from typing import final

import attrs
from attrs.validators import ge

from denoisplit.core.arrays import FloatArray
from denoisplit.core.network.interfaces import Calibration, FieldCalibrator, FieldSums
from denoisplit.plugins.calibrators.array_checks import check_fields, check_squares
from denoisplit.plugins.calibrators.conformal import Conformal
from denoisplit.plugins.calibrators.field_spread import Apart
from denoisplit.plugins.calibrators.region_sizes import SizeCalibrator, SizeOptions


@final
class ByField(SizeCalibrator, FieldCalibrator):
    r"""Intervals with the stated coverage in a *new field*, on average over the choices of held-out fields.

    The pixels of a field resemble each other, and fields differ: a network errs more in one than in another
    for the same predicted std. Let :math:`m_i` be the mean of :math:`|x - \mu| / \sigma` in held-out field i
    of n. A new field differs from the mean of the n more than these differ from it, because it is their
    mean: their variance around it is :math:`(n - 1) / n` times that between fields, that of a new field
    :math:`(n + 1) / n` times. Therefore the errors of field i are multiplied by

    .. math:: (m_i / \bar m)^{\kappa - 1}, \qquad \kappa = \sqrt{\frac{n + 1}{n - 1}}

    with the geometric mean :math:`\bar m`; for three fields, they are moved apart by 1.41. Half-widths are
    quantiles of these errors, for which every field counts alike, however large. The coverage is then the
    level to second order in the differences of fields, whatever the distribution of errors within a field;
    :math:`\kappa` is smaller where part of the differences is chance of few regions. From squared errors,
    fields are Gaussians whose sizes are moved in this way.

    Training fields with clean references tell how fields differ, and, with caution, how large errors are.
    The network has seen them, and errs less there: their mean size counts as one that is off by 10 %, or by
    as much as it differs from that of the held-out fields beyond chance. Three held-out fields with thirty
    others are then worth about eight.

    Sums over regions are calibrated in the same way, for each size of region: see ``region``.

    No calibration from few fields is right for every choice of them: ``spread`` in the calibration is the
    std :math:`\tau` of the logarithm of sizes between fields, whose mean n fields tell to
    :math:`\tau / \sqrt n`.

    Source: Dunn, Wasserman & Ramdas, JASA 2023; Lee, Barber & Willett, Hierarchical Data, 2023; decision 31.
    """

    @attrs.frozen(kw_only=True)
    class Options(SizeOptions):
        """Calibrated sizes of regions, and the number of training fields.

        Attributes:
            seen: largest number of training fields that tell how fields differ; 0 for none.
        """

        seen: int = attrs.field(default=32, validator=ge(0))

    options: Options
    one_size = Apart()

    @property
    def most_seen(self) -> int:
        """Largest number of training fields besides the held-out ones."""
        return self.options.seen

    def fit(self, mean: FloatArray, std: FloatArray, truth: FloatArray) -> Calibration:
        """Fit the half-widths of pixels to fields [n c (z) y x] in counts; see ``fit_fields``."""
        check_fields(mean, std, truth)
        rows = (_flat(array) for array in (mean, std, truth))
        return self.fit_fields(
            [FieldSums(pixels=1, mean=m, std=s, truth=t) for m, s, t in zip(*rows, strict=True)]
        )

    def fit_squares(self, std: FloatArray, squares: FloatArray) -> Calibration:
        """Fit the half-widths of pixels to estimates of the squared errors of fields [n c (z) y x]."""
        check_squares(std, squares)
        rows = zip(_flat(std), _flat(squares), strict=True)
        return self.fit_fields([FieldSums(pixels=1, mean=s, std=s, squares=e) for s, e in rows])

    def fit_fields(self, fields: Sequence[FieldSums]) -> Calibration:
        """Fit the half-widths of pixels to fields, one by one.

        Returns:
            ``level``: the levels that this many pixels allow; for every channel c, ``half_width_c``: one per
            level; ``spread``: for every channel, the std of the logarithm of the size of errors between
            fields, missing for a single field.
        """
        return Apart().fitted(fields)

    def apply(self, calibration: Calibration, std: FloatArray) -> FloatArray:
        """Calibrated std of pixels, same shape and dtype as ``std`` [n c (z) y x]: half-width at 68.27 %."""
        return Conformal(Conformal.Options()).apply(calibration, std)

    def interval(
        self, calibration: Calibration, mean: FloatArray, std: FloatArray, level: float
    ) -> tuple[FloatArray, FloatArray]:
        """Lower and upper bound of the interval that covers a pixel of a new field with this probability."""
        return Conformal(Conformal.Options()).interval(calibration, mean, std, level)


def _flat(images: FloatArray) -> FloatArray:
    """Pixels of every image in a row [n c pixels]."""
    return images.reshape(*images.shape[:2], -1)
