"""One number of an evaluation."""

from typing import Final

import attrs

from denoisplit.core.assessment.catalogue import NamedMetric

SPLIT: Final = "denoisplit"
BLURRED: Final = "blurred mixed"
SHARE: Final = "share of mixed"
METHODS: Final = (SPLIT, BLURRED, SHARE)


def counted_fields(number: int) -> str:
    """``1 field`` or ``3 fields``."""
    return "1 field" if number == 1 else f"{number} fields"


@attrs.frozen(kw_only=True)
class Score:
    """One metric of one method for one channel.

    Attributes:
        channel: name of the channel.
        method: one of ``METHODS``.
        metric: name of the metric.
        mean: mean over the fields; None if the metric is not defined for such images.
        standard_error: standard error of the mean; None for fewer than two fields or an infinite mean.
        fields: number of fields.
        note: why there is no number, or which blur was best.
    """

    channel: str
    method: str
    metric: str
    mean: float | None
    standard_error: float | None
    fields: int
    note: str = ""

    def words(self, metric: NamedMetric) -> str:
        """The mean and its standard error as text, or why there is no number."""
        if self.mean is None:
            return self.note
        digits = 2 if metric.unit == "dB" else 3
        error = "" if self.standard_error is None else f" ± {self.standard_error:.{digits}f}"
        return f"{self.mean:.{digits}f}{error}"
