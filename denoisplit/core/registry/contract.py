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


def imported(target: str) -> object:
    """Import the object that ``package.module:Name`` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
