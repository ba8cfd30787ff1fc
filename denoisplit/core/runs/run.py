"""A trained model, ready to predict."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Unpack

import attrs
import numpy as np

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.scores import EvaluatedField, Scores
from denoisplit.core.devices import AUTO
from denoisplit.core.errors import quoted
from denoisplit.core.exporting.about import Words, about_of
from denoisplit.core.exporting.exported import Exported
from denoisplit.core.given import path_of, require, require_function
from denoisplit.core.hypertext import facts
from denoisplit.core.images.bases import Field, Image
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.files.splitting import predict_image
from denoisplit.core.prediction.network_of import load_network
from denoisplit.core.prediction.notebook_bar import notebook_bar
from denoisplit.core.prediction.outputs.result import PathLike, Prediction
from denoisplit.core.prediction.precision_cost import PrecisionCost, check_precision
from denoisplit.core.prediction.progress import Progress, Stages
from denoisplit.core.prediction.request import Request
from denoisplit.core.prediction.samples.sums_over import sum_intervals
from denoisplit.core.runs import after_training
from denoisplit.core.runs.evaluation import evaluate_run
from denoisplit.core.runs.reports import Reports
from denoisplit.core.spec.records import Chosen, ResolvedSpec
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.image_files import files_among, open_given
from denoisplit.core.storage.run_folder import RunFolder

_LOG: Final = logging.getLogger("denoisplit.runs")


@attrs.frozen(kw_only=True)
class Run(Reports):
    """A trained model, ready to predict.

    Attributes:
        folder: folder of the run.
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
        """The resolved spec of its training."""
        return self.bundle.spec

    def _repr_html_(self) -> str:
        """What the run is, for notebooks."""
        bundle = self.bundle
        rows = (
            ("run", str(self.path)),
            ("channels", ", ".join(self.spec.channels)),
            ("trained", f"{bundle.steps:,} steps; the weights are those of step {bundle.best_step:,}"),
            ("calibrated", "no" if bundle.calibration is None else bundle.calibration.component),
            *((kind.replace("_", " "), name) for kind, name, _ in bundle.components),
            *((("report", str(self.folder.report)),) if self.folder.report.is_file() else ()),
        )
        return facts(rows)

    def on(self, spec: ResolvedSpec) -> "Run":
        """The same network with the data, prediction and metrics of another spec."""
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
                ``data.clip`` of the spec are applied to it; the prediction is then without background.
            samples: posterior samples; None takes the spec's. ``auto`` chooses enough to keep the Monte Carlo
                error of the mean below 2 % of the intensity scale, ``auto:0.01`` below 1 %.
            seed: seed of the latent noise; None takes the spec's.
            tile: side of the area that one pass predicts; None takes the spec's. Does not change the result.
            axes: meaning of the axes of the array or file, letters of ``stczyx``.
            output: images to return: ``mean``, ``std``, ``total_std``, ``calibrated_std``, ``samples``,
                ``chi_square``, ``quantile=LEVEL``, ``interval=LEVEL``, ``calibrated_interval=LEVEL``; None
                returns mean, std and calibrated std, if available.
            workers: tiles predicted at the same time. Does not change the result.
            labels: label image (0: no region) of the shape of the image without channels, or of one of its
                planes or stacks, as an array or file; gives ``Prediction.sums`` over its regions.
            progress: called with (done, total) after every sample of every tile, in whichever thread made it.
                An exception that it raises stops the prediction there and reaches the caller.

        Raises:
            ImageError, ChannelCountError: the image or the labels cannot be used; the message says why.
            SpecError: numbers out of range, too few samples for the output, or an unknown output.
            ArgumentError: an argument of a wrong type.
            CalibrationError: a calibrated output, but a run without calibration.
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
        """Measure the cost of the network's precision on an image: predict it in float32, too, and compare.

        Both predictions use the same latent noise and only the 512 x 512 pixels in the middle; of a series,
        only the middle image.

        Args:
            image: see ``predict``.
            clean: the true channels [c (z) y x], array or file, in the units of the prediction.
            samples: posterior samples; None takes 16.
            seed: see ``predict``.
            tile: see ``predict``.
            axes: meaning of the axes of the mixed image.
            progress: called with (done, total).

        Raises:
            SpecError: the network runs in float32 already, or fewer than two samples.
            ImageError, ChannelCountError: an image cannot be used; the message says why.
        """
        require(progress is None or callable(progress), "progress", progress, "a function")
        return check_precision(
            self.vse,
            self.bundle,
            open_given(image, axes),
            clean=None if clean is None else open_given(clean, self._clean_axes(clean), mixed=False),
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
        """Score the network and the trivial methods on fields with a clean reference.

        Example::

            _, fields = evaluation_fields(run.spec)
            scores, evaluated = run.evaluate(fields, samples=20)

        Returns the scores and what was scored. ``core.training.data.prepare`` gives the fields. ``metrics``
        are names of scores, None for the usual ones and those of the spec, and ``further_metrics`` come in
        addition. ``labels`` are label images [(z) y x], one per field, whose regions' sums are assessed, too.

        Raises:
            ImageError: a field without a clean reference, or labels that do not fit the fields.
            SpecError: an unknown score.
            MissingPackageError: a score needs a package that is not installed.
            ArgumentError: an argument of a wrong type.
        """
        require(progress is None or callable(progress), "progress", progress, "a function")
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

    def calibrate(self, *, stages: Stages = notebook_bar) -> "Run":
        """Calibrate again on the held-out images of the spec, and store the result and a new report.

        Meant for runs whose calibration was interrupted or failed, and after an update of the calibrator. The
        former calibration is replaced when the new one is complete. The report, ``report.html`` in the run
        folder, is written as after a training: if it fails, the log says so.

        Args:
            stages: see ``train``.

        Returns:
            The run with its new calibration.

        Raises:
            RunError: the images are not those of the training, or another process is writing to the folder.
            ImageError: the images cannot be read.
        """
        # Imported here, as nothing else in this module needs the training data.
        from denoisplit.core.training.calibration.completing import calibrate_again

        require_function(stages, "stages")
        found = attrs.evolve(self, bundle=calibrate_again(self.folder, self.vse, stages))
        after_training.report_after_training(found.folder, found.vse, found.bundle, stages)
        return found

    def export(self, out: PathLike, file_format: str, **words: Unpack[Words]) -> Exported:
        """Write the network to a file that other programs run without denoisplit.

        Its inputs are the mixed image and latent noise; its outputs are one posterior sample of the signal
        and the log-variance of the noise model. The file is compared with the network before it appears.

        Args:
            out: file to write; a former export is replaced.
            file_format: ``bioimageio`` (.zip), ``onnx`` (.onnx) or ``torch`` (.pt2).
            words: for ``bioimageio``, what only people know: ``license`` and ``authors``, which it needs,
                ``title``, ``description`` and ``image``.

        Raises:
            ExportError: this network, or these words, cannot be written in this format.
            MissingPackageError: the format needs packages that are not installed.
            ImageError: the image cannot be used.
            RunError: the file would lie in a run, or another file has its name.
            ArgumentError: an argument of a wrong type.
        """
        from denoisplit.core.exporting.exports import export  # imports much that nothing else needs

        return export(self.vse, self.bundle, path_of(out, "out"), file_format, about_of(**words))

    def _clean_axes(self, clean: AnyArray | PathLike) -> str | None:
        """Axes of an array of clean channels; files state theirs."""
        known = isinstance(clean, np.ndarray) and clean.ndim == self.spec.model.dimensions + 1
        return "c" + "zyx"[-self.spec.model.dimensions :] if known else None


def load(path: PathLike, *, device: str = AUTO) -> Run:
    """Open a run folder.

    Example::

        prediction = load("runs/first").predict("mixed.tif", samples=20)
        prediction.mean, prediction.std  # arrays with a channel axis

    Args:
        path: the run folder.
        device: device of the network: ``cpu``, ``cuda``, ``cuda:1``; ``auto`` takes a GPU if there is one.

    Raises:
        RunError: not a finished run, or no such device.
        PluginError: a component that it uses is not installed.
        ArgumentError: not a path.
    """
    folder = RunFolder(path_of(path, "path"))
    vse, bundle = load_network(folder, device)
    if bundle.calibration_due:
        _LOG.warning(
            "%s: is not calibrated yet: predictions have no calibrated std, and verdicts are unknown. "
            "Finish it with '%s'",
            *(folder.path, quoted(("denoisplit", "calibrate", folder.path))),
        )
    return Run(folder=folder, vse=vse, bundle=bundle)
