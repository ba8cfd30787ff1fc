"""The common interface of runs and sequences: prediction from files to files."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

from denoisplit.core.arrays import AnyArray
from denoisplit.core.given import path_of, paths_of, require, require_function
from denoisplit.core.images.bases import Image
from denoisplit.core.images.scaled import require_dtype
from denoisplit.core.prediction.chosen_executor import executor_to_start
from denoisplit.core.prediction.files.items import ENDING, items
from denoisplit.core.prediction.files.many import Outcome, predict_items
from denoisplit.core.prediction.files.spool import digest_of, network_identity
from denoisplit.core.prediction.kept_executor import Kept
from denoisplit.core.prediction.outputs.output_words import parse_outputs
from denoisplit.core.prediction.outputs.result import PathLike, Prediction
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.request import How, Request, request_of
from denoisplit.core.storage.run_folder import RunFolder


class Predictor(ABC):
    """Predicts images one after the other."""

    @property
    @abstractmethod
    def path(self) -> Path:
        """The folder in which it is stored."""

    @property
    @abstractmethod
    def networks(self) -> tuple[RunFolder, ...]:
        """The runs that it consists of."""

    @abstractmethod
    def predict_file(
        self, image: AnyArray | PathLike | Image, out: PathLike, *, dtype: str = "float32", **how: Unpack[How]
    ) -> Prediction:
        """Split and denoise an image into a file; see ``Run.predict_file``."""

    def predict_files(
        self,
        images: PathLike | Sequence[PathLike],
        out: PathLike,
        *,
        ending: str = ENDING,
        dtype: str = "float32",
        overwrite: bool = False,
        tell: Callable[[Outcome], None] = lambda _: None,
        **how: Unpack[How],
    ) -> tuple[Outcome, ...]:
        """Split and denoise many images into a folder, one file each; a failure does not stop the others.

        Args:
            images: files; folders; patterns such as ``cells/*.tif``; tables (.csv) with a column ``file``.
            out: folder of the results, which have the names of the images, and of ``predictions.csv``, which
                lists the outcome for each.
            ending: ending of the names of the results, which chooses their format.
            dtype: see ``predict_file``.
            overwrite: whether existing results are replaced.
            tell: called with every outcome.
            how: the other arguments of ``predict_file`` except ``labels``; ``resume`` also keeps existing
                results.

        Raises:
            ImageError: no image, two results of one name, an existing result, or a folder that cannot be
                written; then nothing was written.
            RunError: a result would be, contain or lie in an input or a run.
            DenoisplitError: invalid arguments.
        """
        request = request_of("predict_files", how)  # reports once what would fail for every image
        require_function(tell, "tell")
        require(isinstance(overwrite, bool), "overwrite", overwrite, "True or False")
        require_dtype(dtype)
        folder = path_of(out, "out")

        with Kept(executor_to_start(request.executor)) as executor:

            def predict(image: Path, file: Path, told: Progress | None) -> Prediction:
                return self.predict_file(
                    image, file, dtype=dtype, **(how | How(progress=told, executor=executor))
                )

            return predict_items(
                predict,
                items(paths_of(images, "images"), folder, ending),
                folder,
                start=lambda: executor.start(request.workers),
                inputs=[self.path],
                settings=self._settings(request, dtype),
                overwrite=overwrite,
                resume=request.resume,
                progress=request.progress,
                tell=tell,
            )

    def _settings(self, request: Request, dtype: str) -> str:
        """Digest of the networks and the request, without settings that change no pixel."""
        networks = (network_identity(run.weights, run.bundle) for run in self.networks)
        output = parse_outputs(request.output) if request.output is not None else ()
        words = [one.word for one in output]
        return digest_of(*networks, request.samples, request.seed, request.axes, words, dtype)
