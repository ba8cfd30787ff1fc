"""Conformance suite for loggers."""

import csv
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Final

import numpy as np
import pytest

from denoisplit.core.errors import MissingPackageError
from denoisplit.core.training.logger import Logger
from denoisplit.testing.global_generators import leaving_generators_alone
from denoisplit.testing.suite import ComponentTests, not_examined, through_a_file

Curves = Mapping[str, Mapping[int, float]]
"""Numbers by name and step."""

_ABOUT: Final = {"channels": ["a", "b"], "training": {"steps": 6, "learning_rate": 1e-3, "compile": False}}
_ELSEWHERE: Final = "elsewhere"
_SERVED: Final = "mlflow"
"""Name of the logger that writes where its server is configured to be."""
_STEPS: Final = (2, 3, 6)
_NAMES: Final = ("learning_rate", "train_loss", "train_rate_0", "val_loss")


class LoggerTests(ComponentTests):
    """Laws of loggers: they record everything, go on where they stopped, and leave the training alone."""

    kind: ClassVar[str] = "logger"

    def logger(self, folder: Path) -> Logger:
        """The component with its simplest options."""
        try:
            made = self.target()(self.defaults(), folder=folder)
        except MissingPackageError as error:
            not_examined(str(error))
        assert isinstance(made, Logger), f"not a Logger (got {type(made)})"
        return made

    def read(self, folder: Path) -> Curves | None:
        """Return what was recorded; None where it cannot be read here."""
        reader = _READERS.get(self.name())
        return None if reader is None else reader(folder)

    def numbers(self, step: int) -> dict[str, float]:
        """Return the numbers of a validation."""
        return {name: (1 + place) / 8 + step for place, name in enumerate(_NAMES)}

    def validations(self, logger: Logger, steps: tuple[int, ...]) -> None:
        """Log some validations, each with a picture."""
        for step in steps:
            logger.values(step, self.numbers(step))
            if logger.takes_pictures:
                logger.picture(step, "validation", self.pixels(step))

    def pixels(self, step: int) -> Any:
        """A picture of a few pixels, wider than high."""
        return np.random.default_rng(step).integers(0, 256, (6, 9, 3), dtype=np.uint8)

    def expected(self, *steps: int) -> dict[str, dict[int, float]]:
        """Return the curves of validations at these steps."""
        return {name: {step: self.numbers(step)[name] for step in steps} for name in _NAMES}

    def test_nothing_is_begun_before_the_training(self) -> None:
        """A constructor writes nothing, and says whether pictures are worth drawing."""
        with _run_folder() as folder:
            logger = self.logger(folder / "run")
            assert not any(folder.iterdir()), "the constructor writes something"
            assert isinstance(logger.takes_pictures, bool), "takes_pictures is neither True nor False"

    def test_a_training_is_taken_down(self) -> None:
        """Every number of every validation."""
        with _run_folder() as folder:
            logger = self.logger(folder)
            logger.begin(_ABOUT, step=0)
            self.validations(logger, _STEPS)
            logger.end(finished=True)
            self._assert_read(folder, self.expected(*_STEPS))

    def test_what_it_writes_lies_in_the_folder_of_the_run(self) -> None:
        """And not in the working directory, where the next training would write, too."""
        with _run_folder() as folder:
            logger = self.logger(folder)
            logger.begin(_ABOUT, step=0)
            self.validations(logger, _STEPS)
            logger.end(finished=True)
            found = sorted(path.name for path in (folder.parent / _ELSEWHERE).iterdir())
            if found and self.name() == _SERVED:
                not_examined("a server of this machine has its files in the working directory")
            assert not found, f"writes {', '.join(found)} into the working directory"

    def test_a_training_that_goes_on_is_taken_down_once(self) -> None:
        """From a state that a file can hold; steps after the resume point are logged again."""
        with _run_folder() as folder:
            logger = self.logger(folder)
            logger.begin(_ABOUT, step=0)
            self.validations(logger, _STEPS[:1])
            state = through_a_file(logger.state_dict())
            self.validations(logger, _STEPS[1:2])
            logger.end(finished=False)
            resumed = self.logger(folder)
            resumed.load_state_dict(state)
            resumed.begin(_ABOUT, step=_STEPS[0])
            self.validations(resumed, _STEPS[1:])
            resumed.end(finished=True)
            self._assert_read(folder, self.expected(*_STEPS))

    def test_the_training_is_left_alone(self) -> None:
        """Global random numbers, the arguments and the spec are unchanged."""
        with _run_folder() as folder:
            pixels, numbers, about = self.pixels(1), self.numbers(2), {"training": {"steps": 6}}
            with leaving_generators_alone("logging"):
                logger = self.logger(folder)
                logger.begin(about, step=0)
                logger.values(2, numbers)
                if logger.takes_pictures:
                    logger.picture(2, "validation", pixels)
                logger.end(finished=True)
            assert numbers == self.numbers(2), "the numbers are changed"
            assert np.array_equal(pixels, self.pixels(1)), "the pixels are changed"
            assert about == {"training": {"steps": 6}}, "the spec is changed"

    def test_a_training_may_end_before_a_validation(self) -> None:
        """Also when it was interrupted."""
        with _run_folder() as folder:
            logger = self.logger(folder)
            logger.begin(_ABOUT, step=0)
            logger.end(finished=False)

    def _assert_read(self, folder: Path, expected: Curves) -> None:
        found = self.read(folder)
        if found is None:
            pytest.skip("nothing tells what was taken down: read() gives it")
        assert sorted(found) == sorted(expected), f"curves of {sorted(found)} instead of {sorted(expected)}"
        for name, points in expected.items():
            assert found[name] == pytest.approx(points, rel=1e-6), f"the curve of {name} is another one"


@contextmanager
def _run_folder() -> Iterator[Path]:
    """Context with the folder of a run and, beside it, another one as the working directory."""
    with TemporaryDirectory() as there:
        folder, elsewhere = Path(there) / "run", Path(there) / _ELSEWHERE
        folder.mkdir()
        elsewhere.mkdir()
        with chdir(elsewhere):
            yield folder


def _table(folder: Path) -> Curves:
    """Read ``metrics.csv``; a step that occurs twice has no number."""
    curves: dict[str, dict[int, float]] = {}
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            step = int(row.pop("step"))
            for name, text in row.items():
                points = curves.setdefault(name, {})
                points[step] = float("nan") if step in points else float(text)
    return curves


def _events(folder: Path) -> Curves:
    """Read what TensorBoard shows of a folder, and check that every point has a picture."""
    events = folder / "tensorboard"
    for file in sorted(events.iterdir()):  # of files of one second, the tenth would be read before the ninth
        start, _, number = file.name.rpartition(".")
        file.rename(events / f"{start}.{int(number):06}")
    reading: Any = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    found = reading.EventAccumulator(str(events), size_guidance={"images": 0, "scalars": 0}).Reload()
    curves: dict[str, dict[int, float]] = {}
    for name in found.Tags()["scalars"]:
        points = curves.setdefault(name, {})
        for event in found.Scalars(name):
            points[event.step] = float("nan") if event.step in points else event.value
    pictures = [event.step for name in found.Tags()["images"] for event in found.Images(name)]
    assert pictures == sorted(curves["val_loss"]), f"pictures of steps {pictures}"
    return curves


_READERS: Final[Mapping[str, Callable[[Path], Curves]]] = {"csv": _table, "tensorboard": _events}
"""Functions that read what built-in loggers recorded, by name."""
