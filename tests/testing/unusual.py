"""Components of unusual design that nothing is wrong with, and suites for them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor as Pool
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import attrs
import numpy as np
from attrs.validators import ge, gt, le
from torch import Tensor

from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import ImageError, SpecError
from denoisplit.core.images.bases import Dataset, Field
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.network.interfaces import FeatureShape, FitReport, IntensityStats, NoisePairs
from denoisplit.core.network.objective_terms import ObjectiveTerm
from denoisplit.core.prediction.executor import Executor
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.noise_models.poisson_gaussian import PoissonGaussian
from denoisplit.testing import DatasetTests, NoiseModelTests


class Library(Dataset):
    """Arrays of whole numbers with an order, a mask, names and a table beside them."""

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the library.

        Attributes:
            path: the folder.
        """

        path: Path = attrs.field(converter=Path)

    def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
        self.options, self.channels = options, channels

    def fields(self) -> tuple[Field, ...]:
        images, order, used, names, table = (
            np.load(self.options.path / f"{name}.npy")
            for name in ("images", "order", "used", "names", "table")
        )
        self.check(images)
        chosen = order[used]
        return tuple(
            Field(
                name=str(names[number]), observed=(images[number] * table["gain"][number]).astype(np.float32)
            )
            for number in chosen
        )

    def check(self, images: AnyArray) -> None:
        if not np.isfinite(images).all():
            raise ImageError(
                f"{self.options.path}: images.npy has pixels that are not finite. Save it again."
            )


class UncheckedLibrary(Library):
    """Takes pixels as they are."""

    def check(self, images: AnyArray) -> None:
        del images


class SuiteOfLibraries(DatasetTests):
    """Writes such a folder."""

    component = Library

    def write_folder(self, folder: Path, rank: int) -> None:
        sides = (len(self.channels), *(3,) * (rank - 2), 24, 20)
        table = np.zeros(4, [("gain", "f4"), ("hours", "f8")])
        table["gain"] = 2
        np.save(
            folder / "images.npy", np.random.default_rng(0).integers(0, 999, (4, *sides)).astype(np.uint16)
        )
        np.save(folder / "order.npy", np.array([2, 0, 3, 1]))
        np.save(folder / "used.npy", np.array([True, True, True, False]))
        np.save(folder / "names.npy", np.array(["a", "b", "c", "d"]))
        np.save(folder / "table.npy", table)


class SuiteOfUncheckedLibraries(SuiteOfLibraries):
    """The same folder for one that is wrong."""

    component = UncheckedLibrary


class FewPhotons(Dataset):
    """Counts few photons, in the corners hardly any."""

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the simulation.

        Attributes:
            photons: in the middle of a field.
            seed: of all random numbers.
        """

        photons: float = attrs.field(default=4.0, validator=gt(0))
        seed: int = attrs.field(default=0, validator=ge(0))

    def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
        self.options, self.channels = options, channels

    def fields(self) -> tuple[Field, ...]:
        return tuple(self._field(number) for number in range(3))

    def _field(self, number: int) -> Field:
        rng = np.random.default_rng((self.options.seed, number))
        y, x = np.mgrid[-1:1:64j, -1:1:64j]
        light = self.options.photons * np.exp(-3 * (x**2 + y**2))
        clean = light * rng.gamma(4, 0.25, (len(self.channels), *light.shape))
        seen = rng.poisson(clean)
        return Field(name=f"{number}", observed=seen.astype(np.float32), clean=clean.astype(np.float32))


class MeanPhotons(FewPhotons):
    """Has the same word for photons on average, and no option for the size."""

    @attrs.frozen(kw_only=True)
    class Options(FewPhotons.Options):
        """Options of the simulation.

        Attributes:
            photons: mean of all pixels.
            seed: of all random numbers.
            background: photons without structure.
            gain: counts per photon.
            offset: counts without light.
        """

        background: float = attrs.field(default=1.0, validator=ge(0))
        gain: float = attrs.field(default=2.0, validator=gt(0))
        offset: float = 100.0


class FewFields(FewPhotons):
    """Makes a few fields of some sizes, by numbers that others do not take."""

    @attrs.frozen(kw_only=True)
    class Options(FewPhotons.Options):
        """Options of the simulation.

        Attributes:
            photons: in the middle of a field.
            seed: of all random numbers.
            fields: number of fields.
            size: sides y and x, pixels.
        """

        fields: int = attrs.field(default=3, validator=[ge(1), le(8)])
        size: tuple[int, int] = attrs.field(default=(64, 64), converter=tuple)


class TooBright(ObjectiveTerm):
    """Penalises light far above the usual."""

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the objective.

        Attributes:
            weight: multiplier of the term.
            most: light that is allowed, stds of the channel above its mean.
        """

        weight: float = attrs.field(default=1.0, validator=ge(0))
        most: float = attrs.field(default=6.0, validator=ge(5))

    def __init__(self, options: Options, *, statistics: IntensityStats, mixing: Mixing) -> None:
        super().__init__(options)
        self.statistics, self.most = statistics, options.most

    def forward(self, signal: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
        mean, std = (
            self.statistics.per_channel(values, signal)
            for values in (self.statistics.target_mean, self.statistics.target_std)
        )
        return ((signal - mean) / std - self.most).clamp(min=0).square().mean()


class MostInWords(Executor):
    """Has an option ``most`` that is no number of jobs."""

    @attrs.frozen
    class Options:
        """Options of the executor.

        Attributes:
            most: memory of all threads together, in GiB, with the unit.
        """

        most: str = "2GiB"

    options: Options

    @contextmanager
    def start(self, workers: int) -> Iterator[Pool]:
        pool = ThreadPoolExecutor(min(workers, int(self.options.most.removesuffix("GiB"))))
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


class OneCamera(PoissonGaussian):
    """One camera for all channels: that of half of the pairs of each."""

    def fit(self, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
        reports = super().fit(pairs, seed=seed)
        signal, observation = (
            np.concatenate([getattr(one, name)[::2] for one in pairs]) for name in ("signal", "observation")
        )
        together = attrs.evolve(pairs[0], signal=signal, observation=observation)
        super().fit([together] * len(pairs), seed=seed)
        return reports


class CameraOfTheMixed(OneCamera):
    """Besides, its gain follows from the mean of the mixed image."""

    def __init__(self, options: PoissonGaussian.Options, *, statistics: IntensityStats) -> None:
        super().__init__(options, statistics=statistics)
        self.times = statistics.mixed_mean / 650

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return super().log_prob(observation * self.times, signal * self.times, extra)


class SuiteOfOneCamera(NoiseModelTests):
    """Says that there is one camera."""

    component = OneCamera

    def is_of_one_camera(self) -> bool:
        return True


class SuiteOfTheMixed(SuiteOfOneCamera):
    """The same pairs for one that is wrong."""

    component = CameraOfTheMixed


class PlanesEncoder(LadderEncoder):
    """Takes no stacks."""

    def __init__(self, options: LadderEncoder.Options, *, spatial_rank: int, in_channels: int) -> None:
        if spatial_rank != 2:
            raise SpecError(["model.dimensions: planes only. Use 2."])
        super().__init__(options, spatial_rank=spatial_rank, in_channels=in_channels)


class PlanesDecoder(LadderDecoder):
    """Takes no stacks, and its output layer is that of its parent."""

    def __init__(
        self,
        options: LadderDecoder.Options,
        *,
        feature_shapes: tuple[FeatureShape, ...],
        out_maps: int,
        patch: tuple[int, ...],
    ) -> None:
        if len(patch) != 2:
            raise SpecError(["model.dimensions: planes only. Use 2."])
        super().__init__(options, feature_shapes=feature_shapes, out_maps=out_maps, patch=patch)
