"""Reports of a run. What writes them is imported when it is needed, as nothing else needs its libraries."""

from pathlib import Path

from denoisplit.core.arrays import AnyArray
from denoisplit.core.given import path_of, require
from denoisplit.core.images.bases import Image
from denoisplit.core.prediction.outputs.result import PathLike, Prediction
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.runs.into_files import IntoFiles
from denoisplit.core.storage.image_files import open_given


class Reports(IntoFiles):
    """A run that writes reports on itself and on its predictions."""

    def report(
        self,
        path: PathLike | None = None,
        *,
        samples: int | None = None,
        fields: int | None = None,
        side: int | None = None,
        progress: Progress | None = None,
    ) -> Path:
        """Write a report on the run: one HTML page that needs nothing else.

        It says what the run was trained on, shows predictions of some held-out fields, and checks accuracy,
        uncertainty and noise. Nothing is trained or fitted. Images that cannot be read any more are missing
        from it, with the reason.

        Args:
            path: the file, which ends in .html; None writes ``report.html`` in the run folder.
            samples: posterior samples of each field; None takes 16, or the spec's if these are fewer.
            fields: largest number of held-out fields; None takes 3.
            side: pixels a side of the centres that are looked at; None takes 176.
            progress: called with (done, total).

        Returns:
            The path.

        Raises:
            RunError: the file is, contains or lies in an input or another run, or is something else.
            ArgumentError: a number out of range, or an argument of a wrong type.
        """
        from denoisplit.core.runs.reporting import extent_of, write_report

        file = self.folder.report if path is None else path_of(path, "path")
        require(progress is None or callable(progress), "progress", progress, "a function")
        extent = extent_of(self.bundle, samples=samples, fields=fields, side=side)
        write_report(self.folder, self.vse, self.bundle, file, extent, progress or _unheard)
        return file

    def report_prediction(
        self,
        prediction: Prediction,
        image: AnyArray | PathLike | Image,
        path: PathLike,
        *,
        axes: str | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
    ) -> Path:
        """Write a report on the prediction of an image: one HTML page that needs nothing else.

        It shows the part of the image with most contrast: mixed image, samples, mean, std and interval; and
        the verdict, chi-square and provenance. Samples of this part are drawn again, the same ones.

        Args:
            prediction: what ``predict`` or ``predict_file`` of this run gave.
            image: the predicted image.
            path: the file, which ends in .html.
            axes: see ``predict``.
            seed: the seed of the prediction; None for that of the spec.
            progress: called with (done, total).

        Returns:
            The path.

        Raises:
            RunError: the file is, contains or lies in an input or a run, or is something else.
            ArgumentError: an argument of a wrong type.
            ImageError: the image cannot be read, or has other sides than the prediction.
        """
        from denoisplit.core.runs.reporting import write_image_report

        require(isinstance(prediction, Prediction), "prediction", prediction, "a prediction of this run")
        require(progress is None or callable(progress), "progress", progress, "a function")
        file = path_of(path, "path")
        opened = open_given(image, axes)
        told = progress or _unheard
        write_image_report(
            self.folder, self.vse, self.bundle, opened, prediction, file, seed=seed, progress=told
        )
        return file


def _unheard(done: int, total: int) -> None:
    """Progress that nobody follows."""
    del done, total
