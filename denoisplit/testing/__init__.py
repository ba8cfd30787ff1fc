"""Conformance suites for components, to inherit in pytest, and strategies for hypothesis.

    from denoisplit.testing import NoiseModelTests

    class TestMyCamera(NoiseModelTests):
        component = MyCamera

Needs the extra ``denoisplit[testing]`` (pytest and hypothesis); importing this package alone does not.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from denoisplit.core.errors import MissingPackageError

if TYPE_CHECKING:
    from denoisplit.testing.augmentations import AugmentationTests
    from denoisplit.testing.calibrators import CalibratorTests
    from denoisplit.testing.datasets import DatasetTests
    from denoisplit.testing.decoders import DecoderTests
    from denoisplit.testing.encoders import EncoderTests
    from denoisplit.testing.examination import Verdict, examine, suite_for, suite_named
    from denoisplit.testing.executors import ExecutorTests
    from denoisplit.testing.image_formats import ImageFormatTests
    from denoisplit.testing.kl_schemes import KLSchemeTests
    from denoisplit.testing.loggers import LoggerTests
    from denoisplit.testing.metrics import MetricTests
    from denoisplit.testing.noise_models import NoiseModelTests
    from denoisplit.testing.objectives import ObjectiveTests
    from denoisplit.testing.optimizers import OptimizerTests
    from denoisplit.testing.schedules import ScheduleTests
    from denoisplit.testing.suite import ComponentTests

__all__ = [
    "AugmentationTests",
    "CalibratorTests",
    "ComponentTests",
    "DatasetTests",
    "DecoderTests",
    "EncoderTests",
    "ExecutorTests",
    "ImageFormatTests",
    "KLSchemeTests",
    "LoggerTests",
    "MetricTests",
    "NoiseModelTests",
    "ObjectiveTests",
    "OptimizerTests",
    "ScheduleTests",
    "Verdict",
    "examine",
    "require_packages",
    "suite_for",
    "suite_named",
]

_HOMES: Final[Mapping[str, str]] = {
    "AugmentationTests": "augmentations",
    "CalibratorTests": "calibrators",
    "ComponentTests": "suite",
    "DatasetTests": "datasets",
    "DecoderTests": "decoders",
    "EncoderTests": "encoders",
    "ExecutorTests": "executors",
    "ImageFormatTests": "image_formats",
    "KLSchemeTests": "kl_schemes",
    "LoggerTests": "loggers",
    "MetricTests": "metrics",
    "NoiseModelTests": "noise_models",
    "ObjectiveTests": "objectives",
    "OptimizerTests": "optimizers",
    "ScheduleTests": "schedules",
    "Verdict": "examination",
    "examine": "examination",
    "suite_for": "examination",
    "suite_named": "examination",
}
"""The module of each public name."""

_PACKAGES: Final = ("pytest", "hypothesis")


def require_packages() -> None:
    """Check that the packages that the suites need are installed.

    Raises:
        MissingPackageError: packages are missing; names them.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f"denoisplit.testing: packages are missing (got no {' and no '.join(missing)}). "
            f"Run: pip install 'denoisplit[testing]'."
        )


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name == "strategies":
        require_packages()
        return importlib.import_module(f"{__name__}.strategies")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}. It has {', '.join(__all__)}.")
    require_packages()
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
