"""Summaries of the posterior samples of a tile, collected one sample at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import torch

from denoisplit.core.arrays import FloatArray
from denoisplit.core.errors import PluginError
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.samples.moments import Moments
from denoisplit.core.prediction.samples.passes import Draw, Passes
from denoisplit.core.prediction.tiles.plan import Plan
from denoisplit.core.prediction.tiles.tiling import Tile

Images = Mapping[str, FloatArray]
"""Named images [c (z) y x]."""

Facts = Mapping[str, npt.NDArray[Any]]
"""Named numbers of any shape, ready for a file or another process."""


def quantile_name(level: float) -> str:
    """Name of the image of a quantile."""
    return f"quantile {level}"


def sample_name(number: int) -> str:
    """Name of the image of a sample."""
    return f"sample {number}"


@attrs.frozen
class Made:
    """Result of a summary for a tile.

    Attributes:
        images: images of its inner area, with the same names for every tile.
        facts: further findings, as small arrays by name.
    """

    images: Images = attrs.field(factory=dict)
    facts: Facts = attrs.field(factory=dict)


class Collector(ABC):
    """Collects the samples of one tile."""

    def add(self, draw: Draw) -> None:
        """Add the next sample."""
        del draw

    @abstractmethod
    def finish(self, images: Images) -> Made:
        """The result; ``images`` are those of the summaries before this one."""


class Summary(ABC):
    """Begins a collector for every tile."""

    @abstractmethod
    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """A collector without samples."""

    def held(self, samples: int) -> int:
        """Samples' worth of memory that a collector keeps per tile; none if samples only pass by."""
        del samples
        return 0

    def check(self, vse: VSE, plan: Plan) -> None:
        """Refuse, before anything is predicted, what this image does not allow or what tiles would change."""
        del vse, plan


@attrs.frozen
class Spread(Summary):
    """``mean`` and, for two samples or more, ``std``."""

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """Running moments."""
        del passes, tile
        return _Running(lambda moments, draw: moments.add(draw.signal, draw.variance), _mean_and_std)


@attrs.frozen
class Grain(Summary):
    """``grain``: std of the decoded signals alone, and so of the error of their mean; two samples or more."""

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """Running moments."""
        del passes, tile
        return _Running(lambda moments, draw: moments.add(draw.signal), _grain)


@attrs.frozen
class NoiseVariance(Summary):
    """``noise variance`` of a measurement by the noise model, averaged over the samples; counts squared."""

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """A running mean."""
        del passes, tile
        return _Running(
            lambda moments, draw: moments.add(draw.noise_variance()),
            lambda moments: {"noise variance": moments.mean},
        )

    def check(self, vse: VSE, plan: Plan) -> None:
        """Refuse noise models that average over the image, if it is cut into tiles.

        Raises:
            PluginError: the noise model averages over the image, and there is more than one tile.
            NoiseModelError: it has maps of a camera, whose sides differ from those of the image.
        """
        tiles = len(plan.tiles)
        corner = vse.camera(plan.part)
        if corner is not None:
            corner = corner[..., :1, :1]
        weight = next(vse.parameters())
        count = vse.channels * (1 + vse.noise_model.extra_maps)
        steps = torch.linspace(-1, 1, 2 * count, device=weight.device, dtype=weight.dtype)
        pair = steps.reshape(1, count, *[1] * (vse.spatial_rank - 1), 2)
        with torch.inference_mode():
            both = vse.noise_variance(pair, corner)[..., :1]
            first = vse.noise_variance(pair[..., :1], corner)
        if tiles > 1 and not torch.allclose(both, first, rtol=1e-4):
            raise PluginError(
                f"total_std: the noise model averages over the image, which is cut into tiles (got {tiles}). "
                f"Predict it in one pass (tile at least as large as the image), or leave total_std out."
            )


@attrs.frozen
class Quantiles(Summary):
    """``quantile <level>`` of the samples, exact.

    The k-th smallest of n samples stands for the level k / (n + 1), with linear interpolation between:
    whatever the distribution, the next sample lies below it with that probability. So the interval between
    two quantiles contains a further sample as often as it says, even if samples are few.

    Attributes:
        levels: between 1 / (n + 1) and n / (n + 1) for n samples.

    Source: Hyndman & Fan, The American Statistician 1996, definition 6.
    """

    levels: tuple[float, ...]

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """A collector that keeps the samples of the tile."""
        del passes, tile
        return _Kept(self._of)

    def held(self, samples: int) -> int:
        """All samples, twice for sorting."""
        return 2 * samples

    def _of(self, samples: FloatArray) -> Images:
        found = np.quantile(samples, self.levels, axis=0, method="weibull", overwrite_input=True)
        return {quantile_name(q): image for q, image in zip(self.levels, found, strict=True)}


@attrs.frozen
class Samples(Summary):
    """``sample <number>``: the samples themselves, numbered from 0."""

    def begin(self, passes: Passes, tile: Tile) -> Collector:
        """A collector that keeps the samples of the tile."""
        del passes, tile
        return _Kept(self._of)

    def held(self, samples: int) -> int:
        """All samples, twice while they are copied."""
        return 2 * samples

    def _of(self, samples: FloatArray) -> Images:
        return {sample_name(number): sample for number, sample in enumerate(samples)}


class _Running(Collector):
    """Running moments of one number per pixel of every sample."""

    def __init__(self, add: Callable[[Moments, Draw], None], images: Callable[[Moments], Images]) -> None:
        self._add, self._images = add, images
        self._moments = Moments()

    def add(self, draw: Draw) -> None:
        self._add(self._moments, draw)

    def finish(self, images: Images) -> Made:
        del images
        return Made(self._images(self._moments))


def _mean_and_std(moments: Moments) -> Images:
    mean, std = moments.mean, moments.std
    return {"mean": mean} if std is None else {"mean": mean, "std": std}


def _grain(moments: Moments) -> Images:
    std = moments.std
    return {} if std is None else {"grain": std}


class _Kept(Collector):
    """Keeps samples where the network is, and copies them all at once."""

    def __init__(self, of: Callable[[FloatArray], Images]) -> None:
        self._of = of
        self._samples: list[torch.Tensor] = []

    def add(self, draw: Draw) -> None:
        self._samples.append(draw.sample)

    def finish(self, images: Images) -> Made:
        del images
        return Made(self._of(torch.stack(self._samples).cpu().numpy()))
