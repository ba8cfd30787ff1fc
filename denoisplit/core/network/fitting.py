"""The fit of a noise model, and whether it did what ``NoiseModel.fit`` says."""

from collections.abc import Sequence

from denoisplit.core.network.interfaces import NoiseModel
from denoisplit.core.network.noise_fit import FitReport, NoisePairs


def fit_noise(model: NoiseModel, pairs: Sequence[NoisePairs], *, seed: int) -> tuple[FitReport, ...]:
    """Fit a noise model; see ``NoiseModel.fit``.

    Raises:
        TypeError: it returned something else, or still needs a fit.
    """
    found: object = model.fit(pairs, seed=seed)
    if not isinstance(found, tuple) or not all(isinstance(one, FitReport) for one in found):
        raise TypeError(f"fit returned {found!r:.80} instead of a tuple of FitReport, one per channel")
    if model.needs_fit:
        raise TypeError("it still needs a fit after its fit")
    return found
