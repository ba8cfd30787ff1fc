"""Prediction of many images, one file each, with a table of the outcomes."""

import csv
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Literal, TextIO

import attrs

from denoisplit.core.errors import DenoisplitError, ImageError, NoWorkersError, RunError
from denoisplit.core.prediction.files.items import Item
from denoisplit.core.prediction.files.spool import digest_of, file_identity, file_states
from denoisplit.core.prediction.outputs.result import Prediction
from denoisplit.core.prediction.progress import Progress, within
from denoisplit.core.storage.image_files import ImageInputs
from denoisplit.core.storage.write_guards import require_ours

TABLE: Final = "predictions.csv"
"""Name of the table in the folder of the results."""

COLUMNS: Final = ("file", "output", "state", "seconds", "verdict", "error", "settings")

_DIGITS: Final = 16
"""Number of digits of the digest in the table."""

State = Literal["done", "kept", "failed"]


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome for one image.

    Attributes:
        item: the image and the file of its result.
        state: ``done``, ``kept`` if the result existed before, or ``failed``.
        seconds: time that it took.
        prediction: the prediction; None unless it was made now.
        error: why it failed; empty otherwise.
    """

    item: Item
    state: State
    seconds: float = 0.0
    prediction: Prediction | None = attrs.field(default=None, repr=False)
    error: str = ""

    def row(self, origin: str) -> tuple[str, ...]:
        """Its row of the table."""
        verdict = "" if self.prediction is None else str(self.prediction.verdict)
        out = "" if self.state == "failed" else str(self.item.out)
        return (str(self.item.image), out, self.state, f"{self.seconds:.2f}", verdict, self.error, origin)


Predict = Callable[[Path, Path, Progress | None], Prediction]
"""A function that predicts an image into a file."""


def predict_items(
    predict: Predict,
    items: Sequence[Item],
    folder: Path,
    *,
    start: Callable[[], AbstractContextManager[object]] = nullcontext,
    inputs: Sequence[Path],
    settings: str,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    tell: Callable[[Outcome], None] = lambda _: None,
) -> tuple[Outcome, ...]:
    """Predict all images; one that fails is reported, and the others are done.

    Args:
        predict: predicts one image.
        items: images and files; see ``items.items``.
        folder: folder of the files, created if needed; ``predictions.csv`` is written there.
        start: starts the workers; called once before the first image.
        inputs: paths that are never overwritten, such as the run.
        settings: what a result depends on besides its image, in any words.
        overwrite: whether existing results may be replaced.
        resume: whether existing results are kept; those missing from the table are made again.
        progress: called with (done, total) over all images.
        tell: called with every outcome.

    Raises:
        ImageError: a result exists already, or the folder cannot be written; then nothing was done.
        RunError: a result would be, contain or lie in an input, or one to be kept is from another network,
            other settings or another image.
        DenoisplitError: the workers cannot start.
    """
    read = ImageInputs([*inputs, *(item.image for item in items)])
    for item in items:
        read.require_writable(item.out, overwrite=overwrite or resume)
    table_at = folder / TABLE
    require_ours(table_at, "table of predictions", lambda first: first.startswith(",".join(COLUMNS).encode()))
    if table_at.exists() and not (overwrite or resume):
        raise ImageError(f"{table_at}: exists already. Choose another --out, or add --resume or --overwrite.")
    kept = _kept(items, table_at, settings) if resume else frozenset()
    sizes = [0 if item in kept else max(1, _size(item.image)) for item in items]
    whole = max(1, sum(sizes))
    outcomes = []
    with start():
        pass
    with _opened(table_at, add=resume) as file:
        table = csv.writer(file, lineterminator="\n")
        if not file.tell():
            table.writerow(COLUMNS)
        before = 0
        for item, size in zip(items, sizes, strict=True):
            part = None if progress is None else within(progress, before, size, whole)
            origin = _origin(item, settings)
            outcome = _done(predict, item, part, keep=item in kept)
            outcomes.append(outcome)
            if outcome.state != "kept":
                table.writerow(outcome.row(origin))
                file.flush()
            before += size
            if progress is not None:
                progress(before, whole)
            tell(outcome)
    return tuple(outcomes)


def _kept(items: Sequence[Item], table: Path, settings: str) -> frozenset[Item]:
    """The images whose results exist.

    Raises:
        RunError: a result is from another network, other settings or another image.
    """
    made: dict[str, str] = {}
    if table.exists():
        with table.open(encoding="utf-8", newline="") as file:
            made = {row["output"]: row["settings"] for row in csv.DictReader(file) if row["state"] == "done"}
    kept = frozenset(item for item in items if item.out.exists() and str(item.out) in made)
    for item in kept:
        if made[str(item.out)] != _origin(item, settings):
            raise RunError(
                f"{item.out}: was predicted by another network, with other settings, or from another image "
                f"than {item.image} as it is now. Use those again, choose another --out, or add --overwrite "
                f"instead of --resume; remove it to predict it alone again."
            )
    return kept


def _origin(item: Item, settings: str) -> str:
    """What tells results of another network, other settings or another image apart."""
    try:
        return digest_of(settings, file_identity(item.image))[:_DIGITS]
    except OSError:  # reported when its turn comes
        return ""


def _done(predict: Predict, item: Item, progress: Progress | None, *, keep: bool) -> Outcome:
    if keep:
        return Outcome(item=item, state="kept")
    start = time.perf_counter()
    try:
        found = predict(item.image, item.out, progress)
    except NoWorkersError:
        raise  # it would be the same with every image
    except DenoisplitError as error:
        return Outcome(item=item, state="failed", seconds=time.perf_counter() - start, error=str(error))
    return Outcome(item=item, state="done", seconds=time.perf_counter() - start, prediction=found)


def _size(image: Path) -> int:
    """Bytes of an image: before it is opened, the best clue to how long it takes."""
    try:
        return sum(state.st_size for state in file_states(image))
    except OSError:  # reported when its turn comes
        return 0


def _opened(path: Path, *, add: bool) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a" if add else "w", encoding="utf-8", newline="")
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be written ({error.strerror or error}). Choose another --out."
        ) from error
