"""Decimals and arrays of decimals, with the standard library alone and nothing of the package."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from denoisplit.core.arrays import AnyArray, Float64Array

DIGITS: Final = 40
TWO_PI: Final = 2 * Decimal("3.141592653589793238462643383279502884197169399375105820974944592307816406286")


def exact(values: AnyArray) -> Any:
    """Convert an array to decimals that equal the stored numbers, to the last bit."""
    return np.vectorize(lambda value: Decimal(float(value)), otypes=[object])(values)


def each(function: Callable[..., Decimal], *arrays: Any) -> Any:
    """Apply a function to every element of arrays, which are broadcast."""
    return np.vectorize(function, otypes=[object])(*arrays)


def rounded(values: Any) -> Float64Array:
    """Round to the nearest numbers of double precision."""
    found: Float64Array = np.asarray(values).astype(np.float64)
    return found


def stable(raw: Decimal) -> Decimal:
    """Return the stable variance (docs/method.md, section 1.6)."""
    return (raw.exp() if raw <= 0 else 1 + raw) + Decimal("1e-6")


def log_normal(x: Decimal, mean: Decimal, variance: Decimal) -> Decimal:
    """Return the logarithm of a normal density."""
    return -((x - mean) ** 2 / variance + (TWO_PI * variance).ln()) / 2


def kl_divergence(mean: Decimal, variance: Decimal, prior_mean: Decimal, prior_variance: Decimal) -> Decimal:
    """Return the divergence of two normal distributions, in closed form."""
    ratio = variance / prior_variance
    return (ratio + (mean - prior_mean) ** 2 / prior_variance - 1 - ratio.ln()) / 2


def with_free_bits(sums: Any, free_bits: Sequence[Decimal]) -> Any:
    """Return means over the batch [level] of sums [batch level], each at least the free bits."""
    raised = [[max(k, f) if f else k for k, f in zip(row, free_bits, strict=True)] for row in sums]
    return sum(np.array(raised, dtype=object)) / Decimal(len(sums))
