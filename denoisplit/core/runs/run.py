"""A trained model, ready to predict."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.scores import EvaluatedField, Scores
from denoisplit.core.devices import AUTO
from denoisplit.core.given import path_of
from denoisplit.core.images.bases import Field, Image
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.network_of import load_network
from denoisplit.core.prediction.precision_cost import PrecisionCost, check_precision
from denoisplit.core.prediction.progress import Progress, Stages, silent
from denoisplit.core.prediction.request import Request
from denoisplit.core.prediction.result import PathLike, Prediction
from denoisplit.core.prediction.splitting import predict_image
from denoisplit.core.prediction.sums_over import sum_intervals
from denoisplit.core.runs.evaluation import evaluate_run
from denoisplit.core.runs.into_files import IntoFiles
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.image_files import files_among, open_given
from denoisplit.core.storage.run_folder import RunFolder

_LOG: Final = logging.getLogger("denoisplit.runs")


@attrs.frozen(kw_only=True)
class Run(IntoFiles):
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
    def networks(self) -> tuple[RunFolder, ...]:
        """This one."""
        return (self.folder,)

    @property
    def spec(self) -> ResolvedSpec:
        """The resolved spec it was trained from."""
        return self.bundle.spec

    def on(self, spec: ResolvedSpec) -> "Run":
        """The same network with the images, the prediction and the metrics of another spec."""
        mixed = attrs.evolve(self.spec, data=spec.data, prediction=spec.prediction, metrics=spec.metrics)
        return attrs.evolve(self, bundle=attrs.evolve(self.bundle, spec=mixed))

    def predict(
        self,
        image: AnyArray | PathLike | Image,
        *,
        samples: int | str | None = None,
        seed: int | None = None,
        tile: int | None = None,
        axes: str | None = None,
        output: str | Sequence[str] | None = None,
        workers: int = 1,
        labels: AnyArray | PathLike | None = None,
        progress: Progress | None = None,
    ) -> Prediction:
        """Split and denoise a mixed image.

        Args:
            image: array, file or opened image, in the counts of the training images. ``data.background`` and
                ``data.clip`` of the spec apply to it; where they do, the prediction is without background.
            samples: posterior samples; None takes the spec's. ``auto`` chooses as many as keep the Monte
                Carlo error of the mean below 2 % of the intensity scale, ``auto:0.01`` below 1 %.
            seed: of the latent noise; None takes the spec's.
            tile: side of the area that one pass predicts; None takes the spec's. Does not change the result.
            axes: what the axes of the array or file mean, letters of ``stczyx``.
            output: which images to give: ``mean``, ``std``, ``total_std``, ``calibrated_std``, ``samples``,
                ``chi_square``, ``quantile=LEVEL``, ``interval=LEVEL``, ``calibrated_interval=LEVEL``; None
                gives mean, std and calibrated std as far as they can be had.
            workers: tiles predicted at the same time. Does not change the result.
            labels: label image (0: no region) of the shape of the image without channels, or of one plane or
                stack of it, as an array or file; gives ``Prediction.sums`` over its regions.
            progress: told (done, total) after every sample of every tile.

        Raises:
            ImageError, ChannelCountError: the image or the labels cannot be used; the message says why.
            SpecError: numbers out of range, too few samples for what was asked for, or an unknown output.
            ArgumentError: an argument of a type that it does not take.
            CalibrationError: a calibrated output of a run without calibration.
            PluginError: tiles are needed, but a component looks at the whole image.
        """
        request = Request(
            samples=samples,
            seed=seed,
            tile=tile,
            axes=axes,
            output=output,
            workers=workers,
            labels=labels,
            progress=progress,
        )
        found = predict_image(self.vse, self.bundle, open_given(image, axes), request)
        return attrs.evolve(found, read=(self.path, *files_among(image, labels)))

    def check_precision(
        self,
        image: AnyArray | PathLike,
        *,
        clean: AnyArray | PathLike | None = None,
        samples: int | None = None,
        seed: int | None = None,
        tile: int | None = None,
        axes: str | None = None,
        progress: Progress | None = None,
    ) -> PrecisionCost:
        """What the precision of the network costs on an image: predict it in float32, too, and compare.

        The same latent noise serves both, and the 512 x 512 pixels in the middle are enough; of a series, the
        image in the middle.

        Args:
            image: see ``predict``.
            clean: the true channels [c (z) y x], array or file, in the units of the prediction.
            samples: posterior samples; None takes 16.
            seed: see ``predict``.
            tile: see ``predict``.
            axes: what the axes of the mixed image mean.
            progress: told (done, total).

        Raises:
            SpecError: the network runs in float32 as it is, or fewer than two samples.
            ImageError, ChannelCountError: an image cannot be used; the message says why.
        """
        return check_precision(
            self.vse,
            self.bundle,
            open_given(image, axes),
            clean=None if clean is None else open_given(clean, self._clean_axes(clean)),
            samples=samples,
            seed=seed,
            tile=tile,
            progress=progress,
        )

    def evaluate(
        self,
        fields: Sequence[Field],
        *,
        samples: int | None = None,
        metrics: Sequence[str] | None = None,
        further_metrics: Sequence[str | Chosen] = (),
        labels: Sequence[AnyArray] | None = None,
        progress: Progress | None = None,
    ) -> tuple[Scores, tuple[EvaluatedField, ...]]:
        """Scores on fields with a clean reference, beside the trivial answers, and what was scored.

        ``fields`` are those of ``evaluation_fields``; ``metrics`` are names of scores, None for the usual and
        those of the spec; ``further_metrics`` come beside them;
        ``labels`` are label images [(z) y x], one per field, over whose regions sums are assessed, too.

        Raises:
            ImageError: a field without clean reference, or labels that do not fit the fields.
            SpecError: no score of that name.
            MissingPackageError: a score needs a package that is not installed.
            ArgumentError: an argument of a type that it does not take.
        """
        return evaluate_run(
            self.vse,
            self.spec,
            self.bundle.calibration,
            fields,
            intervals=sum_intervals(self.bundle),
            samples=samples,
            metrics=metrics,
            further=further_metrics,
            labels=labels,
            progress=progress,
        )

    def calibrate(self, *, stages: Stages = silent) -> "Run":
        """Calibrate anew on the held-out images of the spec, and store that in the run folder.

        The former calibration is replaced when the new one is complete. For a run whose calibration was
        interrupted or failed, and after an update of the calibrator.

        Args:
            stages: see ``train``.

        Returns:
            The run with its new calibration.

        Raises:
            RunError: the images are not those of the training, or another process is writing there.
            ImageError: the images cannot be read.
        """
        # What reads training data serves training and this alone.
        from denoisplit.core.training.completing import calibrate_again

        return attrs.evolve(self, bundle=calibrate_again(self.folder, self.vse, stages))

    def _clean_axes(self, clean: AnyArray | PathLike) -> str | None:
        """Axes of an array of clean channels; a file says them itself."""
        known = isinstance(clean, np.ndarray) and clean.ndim == self.spec.model.dimensions + 1
        return "c" + "zyx"[-self.spec.model.dimensions :] if known else None


def load(path: PathLike, *, device: str = AUTO) -> Run:
    """Open a run folder.

    Args:
        path: of the folder.
        device: where the network is to run: ``cpu``, ``cuda``, ``cuda:1``; ``auto`` takes a GPU if any.

    Raises:
        RunError: not a finished run, or no such device.
        PluginError: a component that it uses is not installed.
        ArgumentError: no path.
    """
    folder = RunFolder(path_of(path, "path"))
    vse, bundle = load_network(folder, device)
    if bundle.calibration_due:
        _LOG.warning(
            "%s: is not calibrated yet: predictions have no calibrated std, and verdicts are unknown. "
            "Finish it with 'denoisplit calibrate %s'",
            folder.path,
            folder.path,
        )
    return Run(folder=folder, vse=vse, bundle=bundle)
