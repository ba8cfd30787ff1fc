"""Divergences between latents: variances, level sums, free bits and the weight of the rate."""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import numpy as np

from denoisplit.core.arrays import AnyArray
from tools.golden.exact import each, exact, kl_divergence, log_normal, rounded, stable, with_free_bits
from tools.golden.files import GoldenNumbers

FREE_BITS: Final = (0.0, 0.5, 1.0, 30.0)
SHAPES: Final = ((2, 4, 4), (3, 4, 2), (3, 2, 2))
PATCH: Final = 16


def variances() -> GoldenNumbers:
    """Compute the stable variance and the plain one, with and without the upper clip (section 1.6)."""
    raw = np.concatenate([np.linspace(-30, 30, 49), [-1e-9, 0.0, 1e-9, 20.0, 20.5]])
    numbers = exact(raw)
    found = each(stable, numbers)
    clipped = each(lambda r: stable(min(r, Decimal(20))), numbers)
    arrays = {
        "raw": raw,
        "var": rounded(found),
        "std": rounded(each(Decimal.sqrt, found)),
        "logvar": rounded(each(Decimal.ln, found)),
        "var_after_clip20": rounded(clipped),
        "naive_var": rounded(each(Decimal.exp, numbers)),
    }
    tolerance = {"float64": "rtol 1e-12", "float32": "rtol 1e-6 on var"}
    return GoldenNumbers("losses/stable_variance", "stable-variance transform table", tolerance, arrays)


def reductions() -> GoldenNumbers:
    """Compute both reductions of level sums, with collapsed and negative levels (sections 3.1 to 3.3)."""
    rng = np.random.default_rng(31)
    cases: list[dict[str, Any]] = [
        {"P": 128, "latent_shapes": [[128, 64, 64], [128, 32, 32]]},
        {"P": 32, "latent_shapes": [[5, 16, 16], [7, 8, 8], [3, 4, 4]]},
    ]
    arrays: dict[str, AnyArray] = {}
    for number, case in enumerate(cases):
        shapes = case["latent_shapes"]
        sums = rng.normal(20, 60, (4, len(shapes)))
        sums[0, -1] = 0.25
        arrays[f"K_{number}"], arrays[f"free_bits_{number}"] = sums, np.array(FREE_BITS)
        losses = [
            _losses(exact(sums), [math.prod(s) for s in shapes], case["P"] ** 2, free) for free in FREE_BITS
        ]
        for column, name in enumerate(("denoisplit", "musplit")):
            arrays[f"{name}_{number}"] = rounded([row[column] for row in losses])
    what = "denoiSplit and muSplit KL reductions with free bits from given level sums"
    return GoldenNumbers("losses/kl_from_levels", what, {"rtol": 1e-12}, arrays, {"cases": cases})


def distributions() -> GoldenNumbers:
    """Compute samples, divergences and losses of three levels; the top has its own prior (section 3.7)."""
    rng = np.random.default_rng(7)
    pixels = PATCH**2
    arrays: dict[str, AnyArray] = {}
    kinds: dict[str, Callable[[Decimal], Decimal]] = {"stable": stable, "naive": Decimal.exp}
    for kind, variance in kinds.items():
        sums: dict[str, list[Any]] = {"mc": [], "an": []}
        for level, shape in enumerate(SHAPES):
            names = ("q_mean", "q_raw", "p_mean", "p_raw", "eps")
            given = [rng.normal(size=(3, *shape)).astype(np.float32) for _ in names]
            if level == len(SHAPES) - 1:
                given[2:4] = [array[:1] for array in given[2:4]]
            arrays |= {f"{name}_{kind}_{level}": array for name, array in zip(names, given, strict=True)}
            mean, raw, prior_mean, prior_raw, eps = (exact(array) for array in given)
            v, prior_v = each(variance, raw), each(variance, prior_raw)
            z = mean + each(Decimal.sqrt, v) * eps
            estimate = each(log_normal, z, mean, v) - each(log_normal, z, prior_mean, prior_v)
            arrays[f"z_{kind}_{level}"] = rounded(z)
            arrays[f"kl_spatial_mc_{kind}_{level}"] = rounded(estimate.sum(1))
            arrays[f"kl_channel_mc_{kind}_{level}"] = rounded(estimate.sum((2, 3)))
            sums["mc"].append(estimate.sum((1, 2, 3)))
            sums["an"].append(each(kl_divergence, mean, v, prior_mean, prior_v).sum((1, 2, 3)))
        for name, found in sums.items():
            table = np.stack(found, 1)
            sizes = [math.prod(shape) for shape in SHAPES]
            arrays[f"K_{name}_{kind}"] = rounded(table)
            losses = [_losses(table, sizes, pixels, free) for free in (0.0, 1.0)]
            arrays[f"loss_{name}_{kind}"] = rounded([row[column] for column in (0, 1) for row in losses])
    meta = {
        "P": PATCH,
        "latent_shapes": SHAPES,
        "loss_order": ["denoisplit f=0.0", "denoisplit f=1.0", "musplit f=0.0", "musplit f=1.0"],
    }
    what = "per-level KL (single-sample and closed form) from given Gaussian parameters, then four losses"
    tolerance = {"float64": "rtol 1e-9, atol 1e-9", "float32": "rtol 1e-4, atol 1e-3"}
    return GoldenNumbers("losses/kl_from_distributions", what, tolerance, arrays, meta)


def annealing() -> GoldenNumbers:
    """Compute the weight of the rate, epoch by epoch (section 3.5)."""
    configs: list[dict[str, Any]] = [
        {"annealing": False, "start": 0, "time": 10, "weight": 0.5},
        {"annealing": True, "start": -1, "time": 10, "weight": None},
        {"annealing": True, "start": 3, "time": 4, "weight": 0.25},
    ]
    epochs = range(16)
    rows = []
    for config in configs:
        target = Decimal(str(config["weight"] or 1))
        shares = [Decimal(epoch - config["start"]) / config["time"] for epoch in epochs]
        ramp = [min(max(share, Decimal(0)), Decimal(1)) for share in shares]
        rows.append([target * (share if config["annealing"] else 1) for share in ramp])
    meta = {"configs": configs, "epochs": list(epochs)}
    what = "KL weight for epochs 0..15"
    return GoldenNumbers("losses/kl_annealing", what, {"atol": 1e-12}, {"beta": rounded(rows)}, meta)


def _losses(sums: Any, sizes: list[int], pixels: int, free_bits: float) -> tuple[Decimal, Decimal]:
    """Return the rates of denoiSplit and muSplit for sums [batch level] over levels of given sizes."""
    free, counts = Decimal(free_bits), np.array([Decimal(n) for n in sizes], dtype=object)
    whole = with_free_bits(sums, [free] * len(sizes)).sum() / pixels
    return whole, with_free_bits(sums / counts, [free] * len(sizes)).sum() / len(sizes)
