"""Noise model: a table counted from pairs of signal and observation, one per channel."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs
import torch
from attrs.validators import ge, gt, lt, min_len, optional
from torch import Tensor

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.core.network.units import at_least_float32
from denoisplit.plugins.noise_models.histogram_fit import CountedTable, count_channel, report
from denoisplit.plugins.noise_models.histogram_maths import (
    Tables,
    draw,
    log_density,
    mean_and_variance,
    prepare,
)
from denoisplit.plugins.noise_models.histogram_table import ChannelTable, read_table, write_table
from denoisplit.plugins.noise_models.pair_checks import check_all
from denoisplit.plugins.noise_models.requirements import (
    as_paths,
    not_fitted,
    require_channels,
    require_paths,
    unfitted,
    with_parameters,
)
from denoisplit.plugins.noise_models.split_numbers import join, split


class Histogram(NoiseModel):
    r"""Histogram of the observations at every signal, interpolated over the signal.

    .. math:: p(y \mid s) = \bigl((1-f) T_k(y) + f T_{k+1}(y)\bigr) / w

    with rows k and k+1 of the table, f the position of s between the lower edges of their bins, and w the
    width of a bin. A small part of the probability is in a Gaussian around the signal, so that the density
    is never zero (see ``histogram_maths``). The mean is the signal plus ``bias``, which is about half a bin
    unless ``centred``.

    Source: Krull et al., Probabilistic Noise2Void, Frontiers in Computer Science 2020; method section 4.2.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the histogram.

        Attributes:
            bins: number of bins of signal and observation.
            lowest: lower end of the bins, counts; None takes it from the pairs.
            highest: upper end of the bins, counts; None takes it from the pairs.
            floor_share: smallest share of the probability in the Gaussian. Rows with few pairs give it more:
                the share of their pairs that are alone in a bin.
            centred: take a row of the table for the centre of its bin, not for the lower edge as in the
                reference, which puts the mean half a bin above the signal.
            path: one ``.npy`` file per channel, read instead of counting; None to count.
        """

        bins: int = attrs.field(default=256, validator=ge(2))
        lowest: float | None = None
        highest: float | None = None
        floor_share: float = attrs.field(default=1e-6, validator=[gt(0), lt(1)])
        centred: bool = False
        path: tuple[Path, ...] | None = attrs.field(
            default=None, converter=as_paths, validator=optional(min_len(1))
        )

    tables: Tensor
    shares: Tensor
    limits: Tensor

    def __init__(self, options: Options, *, statistics: IntensityStats) -> None:
        super().__init__()
        self.options = options
        self.channels = statistics.channels
        self.register_buffer("tables", torch.zeros(self.channels, options.bins, options.bins, 2))
        self.register_buffer("shares", torch.zeros(self.channels, options.bins))
        self.register_buffer("limits", torch.zeros(self.channels, 2, 2))
        if options.path is not None:
            require_paths(options.path, self.channels, "histogram")
            # A trained model has the numbers in its state dict, so its files need not exist any more.
            if all(path.exists() for path in options.path):
                self._set(self._with_floor(read_table(path)) for path in options.path)

    @property
    def needs_fit(self) -> bool:
        """True until the tables are counted, read from files, or loaded from a state dict."""
        return not bool((self.limits[:, 1, 0] > self.limits[:, 0, 0]).all())

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Log-density of noisy counts; see ``NoiseModel``."""
        del extra
        return log_density(*with_parameters(observation, signal, self._tables))

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        """Noisy counts [b c (z) y x] for clean counts."""
        del extra
        signal = at_least_float32(signal)
        return draw(signal, self._tables(signal), generator)

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        """Variance of the observation [b c (z) y x], counts squared."""
        del extra
        signal = at_least_float32(signal)
        return mean_and_variance(signal, self._tables(signal))[1]

    def bias(self, signal: Tensor) -> Tensor:
        """Mean of the observation minus the signal [b c (z) y x], counts."""
        signal = at_least_float32(signal)
        return mean_and_variance(signal, self._tables(signal))[0]

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        """Count the pairs of every channel."""
        for path in self.options.path or ():
            read_table(path)  # names the missing file
        options = self.options
        ends = (options.lowest, options.highest)
        counted, reports = [], []
        for channel, checked in enumerate(check_all(pairs, self.channels, "histogram")):
            found = count_channel(checked, options.bins, ends, options.floor_share)
            counted.append(found)
            reports.append(report(checked, found, self._anchor, channel=channel, seed=seed + channel))
        self._set(counted)
        return tuple(reports)

    def export(self, channel: int, path: Path) -> None:
        """Write one table as PN2V and denoiSplit read it; raises as ``log_prob``.

        Such a file does not contain the Gaussian's share of the rows.
        """
        self._require_ready()
        low, high = join(self.limits[channel].cpu(), torch.float64).tolist()
        probability = join(self.tables[channel].cpu(), torch.float64).numpy()
        write_table(path, ChannelTable(probability, low, high))

    @property
    def _anchor(self) -> float:
        return 0.5 if self.options.centred else 0.0

    def _tables(self, signal: Tensor) -> Tables:
        self._require_ready(signal)
        low, high = join(self.limits, signal.dtype).unbind(1)
        probability, share = join(self.tables, signal.dtype), self.shares.to(signal.dtype)
        return prepare(probability, share, low, high, self._anchor)

    def _require_ready(self, signal: Tensor | None = None) -> None:
        if unfitted(self):
            raise not_fitted("histogram", self.options.path, "tables")
        if signal is not None:
            require_channels(signal, self.channels, "histogram")

    def _with_floor(self, table: ChannelTable) -> CountedTable:
        shares = torch.full((len(table.probability),), self.options.floor_share, dtype=torch.float64)
        return CountedTable(table, shares.numpy())

    def _set(self, counted: Iterable[CountedTable]) -> None:
        counted = list(counted)
        sizes = sorted({len(one.table.probability) for one in counted})
        if len(sizes) > 1:
            raise NoiseModelError(
                f"noise model histogram: the tables have different numbers of bins (got {sizes}). Write "
                f"`noise_model` as a list with one histogram per channel."
            )
        device = self.tables.device
        probability = torch.stack([torch.from_numpy(one.table.probability) for one in counted])
        limits = [[one.table.low, one.table.high] for one in counted]
        self.tables = split(probability).to(device)
        self.shares = torch.stack([torch.from_numpy(one.shares).float() for one in counted]).to(device)
        self.limits = split(torch.tensor(limits, dtype=torch.float64)).to(device)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take the number of bins from the state dict, then load as usual."""
        tables = state_dict.get(prefix + "tables")
        if isinstance(tables, Tensor) and tables.ndim == 4 and len(tables) == self.channels:
            self.tables = torch.zeros_like(tables, dtype=self.tables.dtype, device=self.tables.device)
            self.shares = self.shares.new_zeros(tables.shape[:2])
        super()._load_from_state_dict(state_dict, prefix, *args)
