"""Examination of a component with the suite of its kind, law by law, without running pytest.

The laws are the very test methods that pytest would run.
"""

import importlib
import inspect
import itertools
import logging
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast

import attrs
import pytest

from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.testing.augmentations import AugmentationTests
from denoisplit.testing.calibrator_estimates import OwnCalibratorTests
from denoisplit.testing.calibrators import CalibratorTests
from denoisplit.testing.datasets import DatasetTests
from denoisplit.testing.decoders import DecoderTests
from denoisplit.testing.encoders import EncoderTests
from denoisplit.testing.executors import ExecutorTests
from denoisplit.testing.image_formats import ImageFormatTests
from denoisplit.testing.kl_schemes import KLSchemeTests
from denoisplit.testing.loggers import LoggerTests
from denoisplit.testing.metrics import MetricTests
from denoisplit.testing.microscope_formats import MADE_BY_OTHERS
from denoisplit.testing.noise_models import NoiseModelTests
from denoisplit.testing.objectives import ObjectiveTests
from denoisplit.testing.optimizers import OptimizerTests
from denoisplit.testing.schedules import ScheduleTests
from denoisplit.testing.suite import NOT_EXAMINED, ComponentTests

logger = logging.getLogger(__name__)

SUITES: Final[Mapping[str, type[ComponentTests]]] = {
    suite.kind: suite
    for suite in (
        EncoderTests,
        DecoderTests,
        NoiseModelTests,
        KLSchemeTests,
        CalibratorTests,
        ImageFormatTests,
        DatasetTests,
        MetricTests,
        AugmentationTests,
        ObjectiveTests,
        ExecutorTests,
        OptimizerTests,
        ScheduleTests,
        LoggerTests,
    )
}
"""The suite of every kind."""

_PREFIX: Final = "test_"

Outcome = Literal["holds", "fails", "does not apply", "not examined"]


@attrs.frozen(kw_only=True)
class Law:
    """A law with one choice of its parameters.

    Attributes:
        name: name of the test method, without ``test_``.
        case: the parameters as pytest shows them, for example ``3d``; empty for none.
        run: function that raises an error where the law does not hold.
        file: source file of the component, whose lines errors name; empty where there is none.
    """

    name: str
    case: str
    run: Callable[[], None]
    file: str

    @property
    def words(self) -> str:
        """The law in plain words."""
        return self.name.replace("_", " ")


@attrs.frozen(kw_only=True)
class Verdict:
    """Outcome of a law for a component.

    Attributes:
        law: the law in plain words.
        case: the parameters as pytest shows them; empty for none.
        outcome: ``holds``, ``fails``, ``does not apply`` to such a component, or ``not examined`` because
            something is missing.
        reason: why it does not hold, one line; empty where it holds.
    """

    law: str
    case: str
    outcome: Outcome
    reason: str = ""


def suite_for(
    kind: str, component: type[Any] | str, suite: type[ComponentTests] | None = None
) -> type[ComponentTests]:
    """Return a suite for a component, to assign to a name that begins with ``Test`` or to ``examine``.

    Args:
        kind: kind of the component.
        component: the class, or its name in the registry.
        suite: suite to inherit from; None for that of the kind, or of a read-only format of denoisplit.

    Example:
        >>> [one.law for one in examine(suite_for("schedule", "constant")) if one.outcome == "fails"]
        []
    """
    usual = SUITES[kind] if kind != ImageFormatTests.kind else _suite_of_format(component)
    if usual is CalibratorTests and _is_own(kind, component):
        usual = OwnCalibratorTests
    made = type(f"Test_{kind}", (suite or usual,), {"component": component})
    return cast(type[ComponentTests], made)


def _is_own(kind: str, component: type[Any] | str) -> bool:
    """Whether a component belongs to denoisplit."""
    if isinstance(component, str):
        component = installed_registry().find(kind, component).load()
    return component.__module__.startswith("denoisplit.plugins.")


def _suite_of_format(component: type[Any] | str) -> type[ComponentTests]:
    for name, suite in MADE_BY_OTHERS.items():
        row = installed_registry().find(ImageFormatTests.kind, f"{BUILTIN}/{name}")
        own = f"{component.__module__}:{component.__qualname__}" if isinstance(component, type) else component
        if own in (row.target, row.name, row.qualified):
            return suite
    return ImageFormatTests


def suite_named(target: str) -> type[ComponentTests]:
    """Return the suite that ``package.module:Class`` stands for.

    Raises:
        BrokenPluginError: it cannot be imported, or is not a suite.
    """
    module, _, name = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:
        raise BrokenPluginError(
            f"{target}: the suite cannot be imported ({type(error).__name__}: {error}). "
            f"Write package.module:Class."
        ) from error
    if not (isinstance(found, type) and issubclass(found, ComponentTests)):
        raise BrokenPluginError(f"{target}: not a suite (got {found!r}). Derive it from denoisplit.testing.")
    return found


def laws(suite: type[ComponentTests]) -> Iterator[Law]:
    """Yield every law of a suite with every choice of its parameters, in the order of the suite."""
    for owner in reversed(suite.__mro__):
        for name in vars(owner):
            wanted = name.startswith(_PREFIX) and callable(getattr(suite, name))
            if wanted and name not in _names_above(owner):
                yield from _cases(suite, name)


def examine(suite: type[ComponentTests]) -> Iterator[Verdict]:
    """Try every law; the first example that breaks a law is its reason."""
    for law in laws(suite):
        yield verdict(law)


def verdict(law: Law) -> Verdict:
    """Try one law."""
    outcome: Outcome = "holds"
    reason = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            law.run()
    except pytest.skip.Exception as skipped:
        reason = _line(skipped, law.file)
        outcome = "not examined" if reason.startswith(NOT_EXAMINED) else "does not apply"
        reason = reason.removeprefix(NOT_EXAMINED)
    except (Exception, pytest.fail.Exception) as error:
        logger.debug("%s (%s) fails", law.words, law.case, exc_info=True)
        outcome, reason = "fails", _line(error, law.file)
    return Verdict(law=law.words, case=law.case, outcome=outcome, reason=reason)


def _names_above(owner: type) -> set[str]:
    return {name for base in owner.__mro__[1:] for name in vars(base)}


def _cases(suite: type[ComponentTests], name: str) -> Iterator[Law]:
    """One law per choice of the parameters that ``pytest.mark.parametrize`` lists."""
    marks = [mark for mark in getattr(getattr(suite, name), "pytestmark", ()) if mark.name == "parametrize"]
    axes = [_choices(mark) for mark in marks]
    for choice in itertools.product(*axes):
        given: dict[str, Any] = {}
        for arguments, _ in choice:
            given |= arguments
        case = "-".join(label for _, label in choice)
        run, file = _bound(suite, name, given), _source(suite)
        yield Law(name=name.removeprefix(_PREFIX), case=case, run=run, file=file)


def _source(suite: type[ComponentTests]) -> str:
    try:
        return inspect.getsourcefile(suite().target()) or ""
    except (OSError, TypeError):  # typed at a prompt
        return ""


def _choices(mark: Any) -> list[tuple[dict[str, Any], str]]:
    names, values = mark.args[:2]
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    several = [value if len(names) > 1 else (value,) for value in values]
    given = [dict(zip(names, each, strict=True)) for each in several]
    labels = mark.kwargs.get("ids")
    if not isinstance(labels, list | tuple):
        labels = ["-".join(str(value) for value in each) for each in several]
    return list(zip(given, labels, strict=True))


def _bound(suite: type[ComponentTests], name: str, given: dict[str, Any]) -> Callable[[], None]:
    def run() -> None:
        getattr(suite(), name)(**given)

    return run


def _line(error: BaseException, file: str) -> str:
    """Return the first line of an error, and the line of the component; of several errors, the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = (str(error).strip().splitlines() or ["no reason given"])[0]
    own_words = isinstance(error, AssertionError | pytest.skip.Exception | pytest.fail.Exception)
    return text if own_words else f"{type(error).__name__}: {text}{_place(error, file)}"


def _place(error: BaseException, file: str) -> str:
    """The last line of a file that an error came through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" ({Path(file).name}:{lines[-1]})" if lines else ""
