"""The Python API: train, load, build, predict, evaluate."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.assessment.catalogue import chosen_metrics
from denoisplit.core.assessment.metrics import METRICS
from denoisplit.core.assessment.scores import EvaluatedField, Scores, evaluate_fields
from denoisplit.core.errors import ImageError
from denoisplit.core.images.axes import parse_axes
from denoisplit.core.images.interfaces import Field, Image, PixelSize
from denoisplit.core.images.io import check_planes, iterate_planes, open_image
from denoisplit.core.images.mixing import mixed_image
from denoisplit.core.inference.posterior import predict as predict_posterior
from denoisplit.core.inference.progress import Progress, share
from denoisplit.core.network.composer import compose
from denoisplit.core.network.interfaces import Calibrator, IntensityStats
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec import load_spec
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.bundle import Bundle, load_bundle
from denoisplit.core.storage.image_files import default_axes, installed_formats, save_image
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.precision import network_dtype
from denoisplit.core.verdict.judgement import Verdict
from denoisplit.judging import verdict_on

AnyArray = npt.NDArray[Any]
PathLike = str | os.PathLike[str]


@attrs.frozen(kw_only=True)
class Prediction:
    """The channels of one image, in detector counts.

    Axes are those of the input with a channel axis ``c``: [(s) (t) c (z) y x].

    Attributes:
        mean: posterior mean of every channel.
        std: spread of the posterior samples; None for a single sample.
        calibrated_std: spread calibrated to the real error; None without a calibration or without ``std``.
        axes: one letter per axis.
        channel_names: names of the channels.
        pixel_size: that of the input, if known.
        samples: number of posterior samples.
        verdict: whether the image looks like the training images.
    """

    mean: AnyArray = attrs.field(eq=False, repr=False)
    std: AnyArray | None = attrs.field(eq=False, repr=False)
    calibrated_std: AnyArray | None = attrs.field(eq=False, repr=False)
    axes: str
    channel_names: tuple[str, ...]
    pixel_size: PixelSize | None
    samples: int
    verdict: Verdict = attrs.field(factory=Verdict)

    def to_image(self) -> Image:
        """One image with the channels ``<name> mean``, ``<name> std`` and ``<name> calibrated std``."""
        kinds = {"mean": self.mean, "std": self.std, "calibrated std": self.calibrated_std}
        there = {kind: array for kind, array in kinds.items() if array is not None}
        return Image(
            data=np.concatenate(list(there.values()), axis=self.axes.index("c")),
            axes=self.axes,
            channel_names=tuple(f"{name} {kind}" for kind in there for name in self.channel_names),
            pixel_size=self.pixel_size,
            source="prediction",
        )

    def save(self, path: PathLike) -> None:
        """Write all images into one file; the ending of its name chooses the format (.ome.tif or .tif).

        Raises:
            ImageError: no installed format has this ending.
        """
        save_image(Path(path), self.to_image())


@attrs.frozen(kw_only=True)
class Run:
    """A trained model, ready to predict.

    Attributes:
        folder: where it is stored.
        vse: the network, in evaluation mode.
        bundle: spec, statistics, noise models' fits, calibration, versions.
    """

    folder: RunFolder
    vse: VSE = attrs.field(eq=False, repr=False)
    bundle: Bundle = attrs.field(eq=False, repr=False)

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def spec(self) -> ResolvedSpec:
        """The resolved spec it was trained from."""
        return self.bundle.spec

    def predict(
        self,
        image: AnyArray | PathLike,
        *,
        samples: int | None = None,
        seed: int | None = None,
        tile: int | None = None,
        axes: str | None = None,
        progress: Progress | None = None,
    ) -> Prediction:
        """Split and denoise a mixed image.

        Args:
            image: array or file, in the counts of the training images. ``data.background`` and ``data.clip``
                of the spec apply to it; where they do, the prediction is without background, too.
            samples: posterior samples; None takes the spec's.
            seed: of the latent noise; None takes the spec's.
            tile: side of the area that one pass predicts; None takes the spec's. Does not change the result.
            axes: what the axes of the array or file mean, letters of ``stczyx``.
            progress: told (done, total) after every sample of every tile.

        Raises:
            ImageError, ChannelCountError: the image cannot be used; the message says why.
            SpecError: fewer than one sample.
        """
        opened = self._open(image, axes)
        planes = iterate_planes(opened, self.spec.model.dimensions)
        defaults = self.spec.prediction
        # All are checked before the first is predicted, which may take a while.
        check_planes(planes)
        seed = defaults.seed if seed is None else seed
        tile = defaults.tile if tile is None else tile
        posteriors = [
            predict_posterior(
                self.vse,
                self.bundle.conditioned(plane[0]),
                samples=defaults.samples if samples is None else samples,
                seed=seed,
                tile=tile,
                progress=None if progress is None else share(progress, number, len(planes)),
            )
            for number, (_, plane) in enumerate(planes)
        ]
        stds = [posterior.std for posterior in posteriors if posterior.std is not None]
        names = self.spec.channels
        means = [posterior.mean for posterior in posteriors]
        mean = planes.assemble(means, names)
        calibrated = self._calibrated(stds)
        return Prediction(
            mean=mean.data,
            std=planes.assemble(stds, names).data if stds else None,
            calibrated_std=planes.assemble(calibrated, names).data if calibrated else None,
            axes=mean.axes,
            channel_names=names,
            pixel_size=mean.pixel_size,
            samples=defaults.samples if samples is None else samples,
            verdict=verdict_on(self.vse, self.bundle, planes, means, seed=seed, tile=tile),
        )

    def evaluate(
        self,
        fields: Sequence[Field],
        *,
        samples: int | None = None,
        metrics: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> tuple[Scores, tuple[EvaluatedField, ...]]:
        """Scores on fields with a clean reference, beside the trivial answers, and what was scored.

        ``fields`` are those of ``evaluation_fields``; ``metrics`` are names of scores, None for the usual.

        Raises:
            ImageError: a field without clean reference.
            SpecError: no score of that name.
            MissingPackageError: a score needs a package that is not installed.
        """
        scores = METRICS if metrics is None else chosen_metrics(metrics)
        # Their background and ceiling were dealt with channel by channel.
        plain = attrs.evolve(self, bundle=attrs.evolve(self.bundle, fitted_range=None))
        evaluated = tuple(plain._evaluated(field, samples, progress) for field in fields)
        found = evaluate_fields(
            evaluated, channel_names=self.spec.channels, mixing=self.spec.data.mixing, metrics=scores
        )
        return found, evaluated

    def _evaluated(self, field: Field, samples: int | None, progress: Progress | None) -> EvaluatedField:
        if field.clean is None:
            raise ImageError(
                f"field {field.name}: has no clean reference. Leave it out, or name its clean image."
            )
        mixed = mixed_image(field, self.spec.data.mixing)
        prediction = self.predict(mixed[0], samples=samples, axes="zyx"[-mixed[0].ndim :], progress=progress)
        return EvaluatedField(
            name=field.name,
            mixed=mixed,
            truth=field.clean,
            mean=prediction.mean,
            std=prediction.std,
            calibrated_std=prediction.calibrated_std,
        )

    def _open(self, image: AnyArray | PathLike, axes: str | None) -> Image:
        if isinstance(image, np.ndarray):
            meaning = parse_axes(axes or default_axes(image), image.shape, "array")
            return Image(data=image, axes=meaning, source="array")
        return open_image(Path(image), installed_formats(), axes=axes)

    def _calibrated(self, stds: Sequence[AnyArray]) -> list[AnyArray]:
        calibration = self.bundle.calibration
        if calibration is None:
            return []
        chosen = self.spec.calibrator
        calibrator: Calibrator = chosen.component.load()(chosen.options)
        return [calibrator.apply(calibration, std[None])[0].astype(np.float32) for std in stds]


def train(
    spec: PathLike | ResolvedSpec,
    out: PathLike,
    *,
    overrides: Sequence[str] = (),
    resume: bool = False,
    watchers: Sequence[Any] = (),
) -> Run:
    """Train a model from a spec and store it as a run folder.

    Args:
        spec: file, or an already resolved spec.
        out: run folder to write; must be empty or missing unless ``resume``.
        overrides: ``a.b=c`` as on the command line.
        resume: continue an interrupted run.
        watchers: Lightning callbacks, for progress.

    Raises:
        DenoisplitError: what is wrong and what to do.
    """
    # Lightning takes seconds to import and serves training alone.
    from denoisplit.core.training.fit import fit

    resolved = spec if isinstance(spec, ResolvedSpec) else load_spec(Path(spec), overrides)
    folder = RunFolder(Path(out))
    fit(resolved, folder, resume=resume, watchers=watchers)
    return load(folder.path)


def load(path: PathLike) -> Run:
    """Open a run folder.

    Raises:
        RunError: not a finished run.
        PluginError: a component that it uses is not installed.
    """
    folder = RunFolder(Path(path))
    vse, bundle = load_bundle(folder)
    vse.network_dtype = network_dtype(bundle.spec.training.precision)
    return Run(folder=folder, vse=vse, bundle=bundle)


def build(spec: PathLike | ResolvedSpec, *, stats: IntensityStats, overrides: Sequence[str] = ()) -> VSE:
    """Compose the untrained network of a spec.

    Args:
        spec: file, or an already resolved spec.
        stats: intensity statistics of the training images.
        overrides: ``a.b=c`` as on the command line.

    Raises:
        SpecError, PluginError, ChannelCountError: the spec cannot be built.
    """
    resolved = spec if isinstance(spec, ResolvedSpec) else load_spec(Path(spec), overrides)
    return compose(resolved.model, stats, channels=resolved.channels, patch=resolved.training.patch)


def draw(path: PathLike, run: Run, field: EvaluatedField, scores: Scores) -> None:
    """Write a PNG of one field: mixed image, predictions, truth, std and the calibration curves."""
    from denoisplit.core.assessment.figure import demo_figure  # matplotlib serves pictures alone

    std = field.std if field.calibrated_std is None else field.calibrated_std
    demo_figure(
        Path(path),
        mixed=field.mixed,
        predictions=field.mean,
        truth=field.truth,
        std=np.zeros_like(field.mean) if std is None else std,
        channel_names=run.spec.channels,
        scores=scores,
        title=f"{' + '.join(run.spec.channels)}: split and denoised in one step",
    )
