"""Likelihoods: the Gaussian with pooled log-variances, and mixtures along the signal."""

from decimal import Decimal
from typing import Any, Final

import numpy as np

from denoisplit.core.arrays import AnyArray
from tools.golden.exact import each, exact, log_normal, rounded
from tools.golden.files import GoldenNumbers

CHANNELS: Final = 2
POOLED: Final = {"pixelwise": (), "channelwise": (2, 3), "global": (1, 2, 3)}
"""Axes [b c y x] over which a log-variance is averaged."""

FLOOR: Final = Decimal("1e-10")
"""The reference takes ln(p + 1e-10) of a mixture."""


def gaussian() -> GoldenNumbers:
    """Compute every pooling of log-variances, before they are bounded from below (section 2.1)."""
    rng = np.random.default_rng(21)
    output = rng.normal(0, 1, (2, 2 * CHANNELS, 4, 3)).astype(np.float32)
    output[:, CHANNELS:] = rng.normal(-5, 2, (2, CHANNELS, 4, 3))
    image = rng.normal(0, 1, (2, CHANNELS, 4, 3)).astype(np.float32)
    x, mean, raw = exact(image), exact(output[:, :CHANNELS]), exact(output[:, CHANNELS:])
    arrays: dict[str, AnyArray] = {"o": output, "x": image, "ll_none": rounded(-((mean - x) ** 2) / 2)}
    for mode, axes in POOLED.items():
        count = Decimal(int(np.prod([raw.shape[axis] for axis in axes])))
        pooled = raw.sum(axes, keepdims=True) / count if axes else raw
        for bound, used in (("nolb", pooled), ("lb5", each(lambda v: max(v, Decimal(-5)), pooled))):
            arrays[f"logvar_{mode}_{bound}"] = rounded(used)
            arrays[f"ll_{mode}_{bound}"] = rounded(each(log_normal, x, mean, each(Decimal.exp, used)))
    tolerance = {"float64": "atol 1e-9, rtol 1e-12", "float32": "rtol 1e-5, atol 1e-5"}
    what = "Gaussian log-likelihood maps, 4 modes, with/without the lower bound -5"
    return GoldenNumbers("losses/gaussian_log_likelihood", what, tolerance, arrays, {"C": CHANNELS})


def mixture() -> tuple[GoldenNumbers, GoldenNumbers]:
    """Compute a file in the exchange format, its components, and densities far in the tails (section 4.1)."""
    k, d, low, high, floor = 3, 2, 100.0, 900.0, 50.0
    rng = np.random.default_rng(41)
    weight = rng.normal(0, 1, (3 * k, d)).astype(np.float32)
    weight[:k] *= 20
    weight[k : 2 * k, 0] += 4
    weight[k : 2 * k, 1] = np.log(high - low)
    signal = np.linspace(50, 1000, 8)
    steps = np.array([-1200, -200, -60, -20, -5, 0, 3, 12, 45, 150, 900])
    observation = signal[:, None] + steps
    file = {
        "trained_weight": weight,
        "min_signal": np.array([low], np.float32),
        "max_signal": np.array([high], np.float32),
        "min_sigma": np.array(floor),
    }
    mu, variance, share = _components(
        exact(weight).reshape(3, k, d), exact((signal - low) / (high - low)), floor
    )
    mu = mu + exact(signal)
    x = exact(observation)
    logs = [each(log_normal, x, mu[i, :, None], variance[i, :, None]) for i in range(k)]
    density = sum(share[i, :, None] * each(Decimal.exp, log) for i, log in enumerate(logs))
    log_density = rounded(each(Decimal.ln, density))
    arrays = {
        "weight": weight,
        "signal": signal,
        "observation": observation,
        "mu": rounded(mu),
        "sigma": rounded(each(Decimal.sqrt, variance)),
        "alpha": rounded(share),
        "log_p": rounded(each(Decimal.ln, density + FLOOR)),
        "exact_log_prob": log_density,
        "floor_binds": (log_density < float(FLOOR.ln()) + 7).astype(np.uint8),
    }
    name = "noise_models/files/mixture.npz"
    meta = {
        "parameter_file": name, "K": k, "D": d, "min_signal": low, "max_signal": high, "min_sigma": floor,
    }  # fmt: skip
    tolerance = {
        "float64": "rtol 1e-9 (mu, sigma, alpha, exact_log_prob), atol 1e-7 (log_p)",
        "float32": "mu rtol 1e-5; sigma rtol 2e-6; alpha atol 2e-6; log_p atol 3e-4",
    }
    what = "parameter file in the exchange format, K=3, D=2"
    table = "Gaussian-mixture noise model K=3, D=2: component parameters and log densities incl. far tails"
    return (
        GoldenNumbers(name.removesuffix(".npz"), what, {}, file),
        GoldenNumbers("noise_models/mixture_table", table, tolerance, arrays, meta),
    )


def _components(weight: Any, t: Any, floor: float) -> tuple[Any, Any, Any]:
    """Return means minus the signal, variances and weights [k s] for coefficients [3 k d] at t."""
    powers = np.stack([t**j if j else np.full(t.shape, Decimal(1)) for j in range(weight.shape[-1])])
    means = weight[0] @ powers
    variance = each(lambda v: max(v, Decimal(floor)), each(Decimal.exp, weight[1]) @ powers)
    logits = each(Decimal.exp, weight[2] @ powers)
    share = logits / logits.sum(0)
    return means - (share * means).sum(0), variance, share
