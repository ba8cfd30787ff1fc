"""The sequential baseline: denoise first, then split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import attrs

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.scores import Scores
from denoisplit.core.devices import AUTO
from denoisplit.core.errors import RunError, quoted
from denoisplit.core.given import path_of
from denoisplit.core.images.bases import Image
from denoisplit.core.images.channel_names import MIXED
from denoisplit.core.prediction.outputs.result import PathLike, Prediction
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.request import How, Request, request_of
from denoisplit.core.runs.predictor import Predictor
from denoisplit.core.runs.run import Run, load
from denoisplit.core.staging import scratch
from denoisplit.core.storage.image_files import ImageInputs, file_of, files_among, open_given
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.sequence_folder import SequenceFolder
from denoisplit.core.verdict.judgement import of_two_steps


@attrs.frozen(kw_only=True)
class SequentialRun(Predictor):
    """A trained sequence, ready to predict: the denoiser of mixed images, then the splitter.

    Attributes:
        folder: folder of the sequence.
        denoiser: denoiser of the mixed image.
        splitter: splitter, trained on denoised images.
        scores: scores on fields with clean references, after a training; None for a sequence that was loaded.
    """

    folder: SequenceFolder
    denoiser: Run
    splitter: Run
    scores: Scores | None = None

    @property
    def path(self) -> Path:
        """The folder of the sequence."""
        return self.folder.path

    @property
    def networks(self) -> tuple[RunFolder, ...]:
        """The denoiser and the splitter."""
        return (self.denoiser.folder, self.splitter.folder)

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
        """Denoise a mixed image, then split the result.

        The std is the spread of the splitter alone, without the uncertainty of the denoiser.

        Args:
            image: array or file, in the counts of the noisy training images.
            samples: posterior samples of the splitter; None takes its spec's. The denoiser averages as many
                as in the training of the splitter.
            seed: seed of the latent noise of both; None takes those of their specs.
            tile: see ``Run.predict``.
            axes: see ``Run.predict``.
            output: outputs of the splitter; see ``Run.predict``.
            workers: see ``Run.predict``.
            labels: see ``Run.predict``.
            progress: called with (done, total), first for the denoiser, then for the splitter.

        Raises:
            DenoisplitError: see ``Run.predict``.
        """
        # Errors of the second step are found before the first.
        Request(samples=samples, output=output, labels=labels)
        denoised = self.denoiser.predict(
            image, seed=seed, tile=tile, axes=axes, output="mean", workers=workers, progress=progress
        )
        split = self.splitter.predict(
            denoised.to_image(),
            samples=samples,
            seed=seed,
            tile=tile,
            output=output,
            workers=workers,
            labels=labels,
            progress=progress,
        )
        verdict = of_two_steps(denoised.verdict, split.verdict)
        return attrs.evolve(split, verdict=verdict, read=(self.path, *files_among(image, labels)))

    def predict_file(
        self, image: AnyArray | PathLike | Image, out: PathLike, *, dtype: str = "float32", **how: Unpack[How]
    ) -> Prediction:
        """Do the same as ``predict``, tile by tile into a file, with the denoised image in a temporary file.

        Args:
            image: see ``Run.predict_file``.
            out: file to write.
            dtype: see ``Run.predict_file``.
            how: the other arguments of ``predict``.

        Raises:
            DenoisplitError: see ``Run.predict_file``.
        """
        request, file = request_of("predict_file", how), path_of(out, "out")
        ImageInputs([self.folder.path, *files_among(image, request.labels)]).require_other(file)
        with scratch(file_of(file)) as folder:
            between = folder / "denoised.ome.tif"
            first = How(seed=how.get("seed"), tile=how.get("tile"), axes=how.get("axes"), output="mean")
            first |= How(workers=how.get("workers", 1), progress=how.get("progress"))
            denoised = self.denoiser.predict_file(image, between, **first)
            then = how | How(axes=None)
            # Opened, it is identified by its pixels, which are the same when a killed prediction resumes.
            split = self.splitter.predict_file(open_given(between, None), out, dtype=dtype, **then)
        return attrs.evolve(split, verdict=of_two_steps(denoised.verdict, split.verdict))


def load_sequence(path: PathLike, *, device: str = AUTO) -> SequentialRun:
    """Open the folder of a sequence; ``device`` as for ``load``.

    Raises:
        RunError: not a sequence, not finished, or no such device.
        PluginError: a component that it uses is not installed.
    """
    folder = SequenceFolder(path_of(path, "path"))
    folder.require_begun()
    if not folder.splitter.bundle.is_file():
        words = ("denoisplit", "train-sequence", "DENOISE", "SPLIT", "--out", folder.path, "--resume")
        raise RunError(
            f"{folder.path}: the sequence is not finished (there is no {folder.splitter.bundle}). "
            f"Finish it with '{quoted(words)}'."
        )
    return SequentialRun(
        folder=folder,
        denoiser=load(folder.denoiser(MIXED).path, device=device),
        splitter=load(folder.splitter.path, device=device),
    )


def load_any(path: PathLike, *, device: str = AUTO) -> Run | SequentialRun:
    """Open a run folder or the folder of a sequence; ``device`` as for ``load``.

    Raises:
        RunError: neither, or no such device.
    """
    opened = load_sequence if SequenceFolder(path_of(path, "path")).record.is_file() else load
    return opened(path, device=device)
