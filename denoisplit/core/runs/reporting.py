"""Writing of the reports on a run, and on the prediction of an image."""

from pathlib import Path
from typing import Final

from denoisplit.core.errors import ImageError, RunError
from denoisplit.core.given import is_whole, require
from denoisplit.core.images.bases import Image
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.offers import Calibrated
from denoisplit.core.prediction.outputs.result import Prediction
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.report.image_page import image_page
from denoisplit.core.report.page import ENDING, is_report, rendered
from denoisplit.core.report.run_page import run_page
from denoisplit.core.runs.image_findings import image_findings
from denoisplit.core.runs.run_findings import Extent, run_findings
from denoisplit.core.spec.records import MOST_SAMPLES, ResolvedSpec
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.write_guards import is_same, require_apart, require_ours
from denoisplit.core.training.data.prepare import EvaluationData, evaluation_data

LEAST_SIDE: Final = 16
"""Least number of pixels a side that a report looks at."""


def require_report(path: Path, folder: RunFolder, *inputs: Path) -> None:
    """Check that a report may be written under a name.

    Raises:
        RunError: it does not end in .html; it is or lies in an input or a run, unless it is the report of
            this run; or another file has this name.
    """
    if path.suffix.lower() != ENDING:
        raise RunError(f"{path}: a report is an HTML page. Choose a name that ends in {ENDING}.")
    if not is_same(path, folder.report):
        require_apart(path, folder.path, *inputs)
    require_ours(path, "report", is_report)


def named_images(spec: ResolvedSpec, ceiling: tuple[float, ...] | None, folder: Path) -> EvaluationData:
    """Read images that somebody just named for a report, so that they must be there.

    Args:
        spec: names the images.
        ceiling: that of the run.
        folder: the run folder, where relative paths start.

    Raises:
        ImageError: they cannot be read.
    """
    try:
        return evaluation_data(spec, ceiling=ceiling)
    except ImageError as error:
        raise ImageError(f"{error} A relative path in --set starts in {folder.resolve()}.") from error


def write_report(
    folder: RunFolder,
    vse: VSE,
    bundle: Bundle,
    path: Path,
    extent: Extent,
    progress: Progress,
    data: EvaluationData | None = None,
) -> None:
    """Write the report on a run; see ``Run.report``. ``data`` are the held-out images, if they are read."""
    require_report(path, folder)
    found = run_findings(folder, vse, bundle, extent, progress, data)
    known = Calibrated.of(bundle.spec.calibrator, bundle.calibration)
    write_text(path, rendered(run_page(found, None if known is None else known.interval)))


def write_image_report(
    folder: RunFolder,
    vse: VSE,
    bundle: Bundle,
    image: Image,
    prediction: Prediction,
    path: Path,
    *,
    seed: int | None,
    progress: Progress,
) -> None:
    """Write the report on the prediction of an image; see ``Run.report_prediction``."""
    require_report(path, folder, *prediction.read)
    found = image_findings(folder, vse, bundle, image, prediction, seed, progress)
    write_text(path, rendered(image_page(found)))


def extent_of(
    bundle: Bundle, *, samples: int | None = None, fields: int | None = None, side: int | None = None
) -> Extent:
    """How much a report looks at; None takes what is quick.

    Raises:
        ArgumentError: not a whole number, too small, or too many samples.
    """
    usual = Extent()
    for name, given, least in (("samples", samples, 1), ("fields", fields, 1), ("side", side, LEAST_SIDE)):
        allowed = given is None or (is_whole(given) and int(given) >= least)
        require(allowed, name, given, f"a whole number of at least {least}")
    few = samples is None or samples <= MOST_SAMPLES
    require(few, "samples", samples, f"a whole number of at most {MOST_SAMPLES}")
    return Extent(
        samples=min(usual.samples, bundle.spec.prediction.samples) if samples is None else samples,
        fields=usual.fields if fields is None else fields,
        side=usual.side if side is None else side,
    )
