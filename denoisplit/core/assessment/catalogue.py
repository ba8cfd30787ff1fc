"""Metrics by name, from the registry."""

from collections.abc import Sequence
from typing import Final

import attrs

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.metric import Metric
from denoisplit.core.errors import BrokenPluginError, DenoisplitError, SpecError, UnknownComponentError
from denoisplit.core.registry import Component, Registry, installed_registry
from denoisplit.core.registry.blame import blaming
from denoisplit.core.spec.records import Chosen

USUAL: Final = ("psnr", "range_invariant_psnr", "ssim", "ms_ssim")
"""Default metrics of ``evaluate``, in the order of its table."""


@attrs.frozen
class NamedMetric:
    """A metric with its name, label and unit.

    Attributes:
        name: key in files: the name of the component, with a number if several share it.
        metric: the component.
        where: kind and ``package/name``, for messages.
    """

    name: str
    metric: Metric
    where: str

    @property
    def label(self) -> str:
        """Heading in tables."""
        return str(self.metric.label) or self.name

    @property
    def unit(self) -> str:
        """Unit of the score; may be empty."""
        return str(self.metric.unit)

    @property
    def words(self) -> str:
        """Label with the unit in parentheses."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def side(self) -> int:
        """Smallest side of an image for which it is defined, pixels."""
        return int(self.metric.side)

    @property
    def larger_is_better(self) -> bool:
        """Whether the better prediction has the larger score."""
        return bool(self.metric.larger_is_better)

    def of_all(self, truths: Sequence[AnyArray], predictions: Sequence[AnyArray]) -> list[float]:
        """Compute one score per image of a channel.

        Raises:
            ImageError: these images have no score.
            BrokenPluginError: the metric fails, or does not give one number per image.
        """
        try:
            found = [float(value) for value in self.metric.scores(truths, predictions)]
        except DenoisplitError:
            raise
        except Exception as error:
            raise BrokenPluginError(
                f"{self.where}: fails on images of {'x'.join(map(str, truths[0].shape))} "
                f"({type(error).__name__}: {' '.join(str(error).split())}). "
                f"Evaluate without it, or repair it."
            ) from error
        if len(found) != len(truths):
            raise BrokenPluginError(
                f"{self.where}: has to give a number per image (got {len(found)} for {len(truths)} images). "
                f"Evaluate without it, or repair it."
            )
        return found


def chosen_metrics(wanted: Sequence[str | Chosen]) -> tuple[NamedMetric, ...]:
    """Return metrics by name, ``package/name`` or as chosen in a spec, in the given order, without repeats.

    The second component of one name is called ``NAME_2``.

    Raises:
        SpecError: no such metric, one that needs options, or none at all.
        MissingPackageError: a metric needs a package that is not installed.
        BrokenPluginError: a metric cannot be imported or built.
    """
    registry = installed_registry()
    rows = [one.component if isinstance(one, Chosen) else _row(one, registry) for one in wanted]
    unknown = [one for one, row in zip(wanted, rows, strict=True) if row is None]
    if unknown or not wanted:
        known = [*USUAL, *(row.name for row in registry.components("metric"))]
        raise SpecError(
            f"metrics: no such score (got {', '.join(map(str, unknown)) or 'no name'}). "
            f"Use some of {', '.join(dict.fromkeys(known))}."
        )
    chosen: list[Chosen] = []
    for one, row in zip(wanted, rows, strict=True):
        found = one if isinstance(one, Chosen) or row is None else _with_defaults(one, row)
        if isinstance(found, Chosen) and found not in chosen:  # options need not be hashable
            chosen.append(found)
    named: dict[str, NamedMetric] = {}
    for metric in chosen:
        name = metric.name_among(named)
        of = f"{metric.component.kind} {metric.component.qualified}"
        named[name] = NamedMetric(name, metric.build(), of)
    return tuple(named.values())


def _row(name: str, registry: Registry) -> Component | None:
    try:
        return registry.find("metric", name)
    except UnknownComponentError:
        return None


def _with_defaults(name: str, row: Component) -> Chosen:
    options = row.load().Options
    needed = [field.alias for field in attrs.fields(options) if field.default is attrs.NOTHING]
    if needed:
        raise SpecError(
            f"metrics: {name} needs options (got no {', '.join(needed)}). "
            f"Write them in the spec: metrics: [{{use: {name}, {needed[0]}: ...}}]."
        )
    with blaming([row], "refuses its own default options"):
        return Chosen(component=row, options=options())
