"""The kinds of components and their bases."""

import importlib
from collections.abc import Mapping
from typing import Final

BASES: Final[Mapping[str, str]] = {
    "encoder": "denoisplit.core.network.interfaces:Encoder",
    "decoder": "denoisplit.core.network.interfaces:Decoder",
    "noise_model": "denoisplit.core.network.interfaces:NoiseModel",
    "kl_scheme": "denoisplit.core.network.interfaces:KLScheme",
    "calibrator": "denoisplit.core.network.interfaces:Calibrator",
    "image_format": "denoisplit.core.images.bases:ImageFormat",
    "dataset": "denoisplit.core.images.bases:Dataset",
    "metric": "denoisplit.core.assessment.metric:Metric",
    "augmentation": "denoisplit.core.images.augmentation:Augmentation",
    "objective": "denoisplit.core.network.objective_terms:ObjectiveTerm",
    "executor": "denoisplit.core.prediction.executor:Executor",
    "optimizer": "denoisplit.core.training.optimizer:Optimizer",
    "schedule": "denoisplit.core.training.schedule:Schedule",
    "logger": "denoisplit.core.training.logger:Logger",
}
"""The abstract base of every kind, as text: some bases import torch, which a list must not do."""

FAMILIES: Final[Mapping[str, str]] = {
    **BASES,
    "calibrator": "denoisplit.core.network.interfaces:AnyCalibrator",
}
"""The class that a component of each kind must derive from; some kinds have several types of components."""

GIVEN: Final[Mapping[str, tuple[str, ...]]] = {
    BASES["encoder"]: ("spatial_rank", "in_channels"),
    BASES["decoder"]: ("feature_shapes", "out_maps", "patch"),
    BASES["noise_model"]: ("statistics",),
    BASES["dataset"]: ("channels",),
    "denoisplit.core.images.file_dataset:FileDataset": ("channels", "formats"),
    BASES["objective"]: ("statistics", "mixing"),
    BASES["logger"]: ("folder",),
}
"""What the constructors of classes with a base are given besides the options, where that is anything."""


def given(loaded: type) -> tuple[str, ...]:
    """The names of what the constructor of a component is given besides its options."""
    names = (f"{base.__module__}:{base.__qualname__}" for base in loaded.__mro__)
    return next((GIVEN[name] for name in names if name in GIVEN), ())


def imported(target: str) -> object:
    """Import the object that ``package.module:Name`` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
