"""The fit of a noise model to pairs of a training, by code of its author."""

from collections.abc import Sequence

import attrs

from denoisplit.core.network.camera_noise import CameraNoiseModel
from denoisplit.core.network.fitting import fit_noise
from denoisplit.core.network.interfaces import NoiseModel
from denoisplit.core.network.noise_fit import FitReport, NoisePairs
from denoisplit.core.registry.blame import blaming
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.core.spec.records import ResolvedSpec, components
from denoisplit.core.training.data.prepare import PreparedData, noise_pairs


def pairs_for(model: NoiseModel, spec: ResolvedSpec, data: PreparedData) -> tuple[NoisePairs, ...]:
    """Return the pairs for the fit of a noise model, one entry per channel; none if it needs no fit."""
    if not model.needs_fit:
        return ()
    camera = isinstance(model, CameraNoiseModel)
    found = noise_pairs(spec.data, data.conditioned, spec.channels, seed=spec.training.seed, places=camera)
    return tuple(attrs.evolve(one, channel=name) for one, name in zip(found, spec.channels, strict=True))


def fitted(model: NoiseModel, spec: ResolvedSpec, pairs: Sequence[NoisePairs]) -> tuple[FitReport, ...]:
    """Fit the noise model of a spec to the pairs of every channel, and return its reports.

    Raises:
        NoiseModelError: the pairs cannot be right.
        BrokenPluginError: its fit fails, or does not do what ``NoiseModel.fit`` says.
    """
    rows = [row for row in components(spec) if row.kind == "noise_model"]
    rows.sort(key=lambda row: row.package == BUILTIN)  # in doubt, none of ours is to blame
    with blaming(rows, "cannot be fitted"):
        return fit_noise(model, pairs, seed=spec.training.seed)
