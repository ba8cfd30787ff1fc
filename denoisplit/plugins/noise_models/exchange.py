"""The exchange format of mixture noise models (PN2V, denoiSplit, CAREamics): one ``.npz`` per channel."""

from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.numpy_files import read_npz

PAIRS = ("signal", "observation")
KEYS = ("trained_weight", "min_signal", "max_signal", "min_sigma")


@attrs.frozen
class ChannelMixture:
    """The mixture of one channel.

    Attributes:
        weight: [3K D] polynomial coefficients; K rows of means, K of log-variances, K of logits.
        min_signal: signal at t = 0, counts.
        max_signal: signal at t = 1, counts.
        variance_floor: smallest variance of a component, counts squared (``min_sigma`` in the file).
    """

    weight: npt.NDArray[np.float64]
    min_signal: float
    max_signal: float
    variance_floor: float


def read_mixture(path: Path) -> ChannelMixture:
    """Read one channel.

    Raises:
        NoiseModelError: no such file, another format, or numbers that do not form a mixture.
    """
    try:
        content = read_npz(path)
    except (OSError, ValueError) as error:
        raise NoiseModelError(
            f"noise model {path}: not a readable .npz file ({error}). "
            f"Give the path of a mixture noise model, or leave out `path` to fit one."
        ) from error
    missing = [key for key in KEYS if key not in content]
    if missing and all(key in content for key in PAIRS):
        raise NoiseModelError(
            f"noise model {path}: holds pairs of signal and observation, not a noise model that was "
            f"fitted to them. Fit one, which also tells whether the two are exchanged, and give its file."
        )
    if missing:
        raise NoiseModelError(
            f"noise model {path}: keys are missing (got none of {', '.join(missing)}). "
            f"Give a file in the exchange format of PN2V, denoiSplit or CAREamics."
        )
    if wrong := [key for key in KEYS if content[key].dtype.kind not in "fiu"]:
        raise NoiseModelError(
            f"noise model {path}: {', '.join(wrong)} must be numbers (got {content[wrong[0]].dtype}). "
            f"Write the file again."
        )
    weight = np.asarray(content["trained_weight"], dtype=np.float64)
    if weight.ndim != 2 or len(weight) % 3 or not weight.size:
        raise NoiseModelError(
            f"noise model {path}: trained_weight must have 3 rows per component (got shape {weight.shape}). "
            f"Give a Gaussian-mixture noise model, not a histogram."
        )
    numbers = [np.asarray(content[key], dtype=np.float64).reshape(-1) for key in KEYS[1:]]
    if any(len(n) != 1 for n in numbers):
        raise NoiseModelError(
            f"noise model {path}: {', '.join(KEYS[1:])} must be one number each. Write it again."
        )
    low, high, floor = (float(n[0]) for n in numbers)
    if low > high:
        raise NoiseModelError(
            f"noise model {path}: needs min_signal < max_signal, and the two are exchanged (got {low} and "
            f"{high}). Fit the noise model again, or exchange them if nothing else is wrong with the file."
        )
    if not (
        np.isfinite(weight).all() and np.isfinite([low, high]).all() and low < high and 0 < floor < np.inf
    ):
        raise NoiseModelError(
            f"noise model {path}: needs finite weights, min_signal < max_signal and min_sigma > 0 "
            f"(got {low}, {high}, {floor}). Fit the noise model again."
        )
    return ChannelMixture(weight, low, high, floor)


def write_mixture(path: Path, mixture: ChannelMixture) -> None:
    """Write one channel; PN2V, denoiSplit and CAREamics read the file."""
    with path.open("wb") as file:  # a file object keeps numpy from appending a suffix
        np.savez(
            file,
            trained_weight=mixture.weight.astype(np.float32),
            min_signal=np.array([mixture.min_signal], dtype=np.float32),
            max_signal=np.array([mixture.max_signal], dtype=np.float32),
            min_sigma=np.array(mixture.variance_floor),
        )
