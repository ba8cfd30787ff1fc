"""Intensities: statistics, mixed patches with noise, and the moments of that noise."""

import numpy as np

from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.images.degradation import Degradation, add_read_noise, shot_noise
from denoisplit.core.images.intensity_range import Clip, ceilings
from denoisplit.core.images.intensity_statistics import intensity_stats
from denoisplit.core.images.mixing import Mixing, mix, mixed_image, superimpose
from denoisplit.core.images.normalisation import Normalisation
from tests.golden.account import GoldenFile
from tests.golden.check_data import channels_first
from tests.golden.tolerance import Tolerance

DRAWS = 200_000
"""The file asks for so many at least."""
_ROUNDING = float(np.finfo(np.float32).eps)


def check_statistics(file: GoldenFile) -> None:
    """Means and standard deviations of every rule, ceilings, and patches made with them."""
    for dtype in (np.float64, np.float32):
        _rules(file, dtype, file.tolerance("statistics", np.dtype(dtype).name))
    _patches(file)


def _rules(file: GoldenFile, dtype: type[np.float64 | np.float32], within: Tolerance) -> None:
    clean = channels_first(file.given("data")).astype(dtype)
    noisy = clean + channels_first(file.given("noise"))[:, 1:].astype(dtype)
    channels = clean.shape[1]
    pooled, total = Normalisation(targets="pooled"), Normalisation(mixed="independent")
    for name, targets, mixing, chosen in (
        ("pooled_no_noise", clean, Mixing(), pooled),
        ("pooled_dependent_noise", noisy, Mixing(), pooled),
        ("per_channel_no_noise", clean, Mixing(), None),
        ("per_channel_dependent_noise", noisy, Mixing(), None),
        ("input_is_sum", clean, Mixing(mode="sum"), total),
    ):
        stats = intensity_stats(list(targets), mixing, normalisation=chosen, noiseless=list(clean))
        if not name.startswith("per_channel"):
            file.compare(f"values/{name}/mean", [stats.mixed_mean] * channels, within)
            file.compare(f"values/{name}/std", [stats.mixed_std] * channels, within)
        if name != "input_is_sum":
            file.compare(f"values/{name}/mean", stats.target_mean, within)
            file.compare(f"values/{name}/std", stats.target_std, within)
    quantile = file.meta["clip_quantile"]
    pooled_ceiling = ceilings(list(clean), Clip(quantile=quantile))
    assert len(set(pooled_ceiling)) == 1
    file.compare("clip_value_pooled", pooled_ceiling[0], within)
    own = ceilings(list(clean), Clip(quantile=quantile, per_channel=True))
    file.compare("clip_value_per_channel", own, within)


def _patches(file: GoldenFile) -> None:
    at = file.meta["patch"]
    rows, columns = (slice(at[k], at[k] + at["P"]) for k in ("row", "col"))
    clean = channels_first(file.arrays["data"])[at["frame"], :, rows, columns].astype(np.float32)
    noise = channels_first(file.arrays["noise"])[at["frame"], :, rows, columns]
    noisy = clean + noise[1:]
    within = file.tolerance("patches")
    # Targets are large numbers in single precision.
    file.compare("mean_input_target", noisy, Tolerance(_ROUNDING, within.atol))

    statistics = file.meta["values"]["pooled_dependent_noise"]
    mean, std = statistics["mean"][0], statistics["std"][0]
    dependent = MixedSource(noiseless=clean, noise=noise[1:].mean(axis=0, keepdims=True))
    independent = MixedSource(noiseless=clean, noise=noise[:1])
    for name, source in (
        ("mean_input_patch", dependent),
        ("mean_input_patch", None),  # the noisy channels themselves have dependent noise
        ("mean_input_patch_independent", independent),
    ):
        mixed = superimpose(noisy, source, Mixing(), axis=0)[0]
        file.compare(name, (mixed - mean) / std, within)

    # The stored patch of a sum has a defect of the reference, the mean subtracted from every channel.
    mean, std = (file.meta["values"]["input_is_sum"][key][0] for key in ("mean", "std"))
    mixed = mix(clean, Mixing(mode="sum"), axis=0)[0]
    file.compare("sum_input_patch", (mixed - len(clean) * mean) / std, within)


def check_moments(file: GoldenFile) -> None:
    """Moments of many draws, within five standard errors."""
    _poisson(file)
    for channels in file.meta["channels"]:
        _additive(file, channels, dependent=True)
        _additive(file, channels, dependent=False)


def _poisson(file: GoldenFile) -> None:
    levels, factors = file.given("level"), file.given("phi")
    shape = (len(levels), len(factors))
    means, variances, thirds = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for at in np.ndindex(shape):
        counts = np.full(DRAWS, levels[at[0]], np.float32)
        found = shot_noise(counts, float(factors[at[1]]), np.random.default_rng(at)).astype(np.float64)
        expected = file.arrays["poisson_mean"][at]
        means[at], variances[at] = found.mean(), found.var()
        thirds[at] = np.mean((found - expected) ** 3)
    variance = file.arrays["poisson_variance"]
    # Of n draws, variance and third central moment scatter by less than this.
    excess = np.divide(factors, levels[:, None], out=np.zeros(shape), where=levels[:, None] > 0)
    file.compare("poisson_mean", means, Tolerance(atol=5 * np.sqrt(variance / DRAWS)))
    scatter = variance * np.sqrt((2 + excess) / DRAWS)
    file.compare("poisson_variance", variances, Tolerance(atol=5 * scatter))
    scatter = np.sqrt((15 + 40 * excess + 15 * excess**2) * variance**3 / DRAWS)
    file.compare("poisson_third_central_moment", thirds, Tolerance(atol=6 * scatter))


def _additive(file: GoldenFile, channels: int, *, dependent: bool) -> None:
    kind = "dependent" if dependent else "independent"
    sigmas = file.given("sigma")
    side = int(np.ceil(np.sqrt(DRAWS)))
    clean = np.zeros((channels, side, side), np.float32)
    variances, covariances = [], []
    for number, sigma in enumerate(sigmas):
        degradation = Degradation(gaussian=float(sigma), dependent=dependent)
        field = add_read_noise(Field(name="f", observed=clean), degradation, Mixing(), seed=number)
        own = mixed_image(field, Mixing())[...].astype(np.float64).ravel()
        noise = field.observed[...].reshape(channels, -1).astype(np.float64)
        error = 5 / np.sqrt(own.size)
        assert (np.abs(noise.mean(1)) <= error * sigma).all()
        assert (np.abs(noise.var(1) - sigma**2) <= error * np.sqrt(2) * sigma**2).all()
        variances.append(own.var())
        covariances.append([np.cov(own, target)[0, 1] for target in noise])
    error = 5 / np.sqrt(clean[0].size)
    expected = file.arrays[f"{kind}_input_noise_variance_C{channels}"]
    within = Tolerance(rtol=error * float(np.sqrt(2)))
    file.compare(f"{kind}_input_noise_variance_C{channels}", variances, within)
    name = f"dependent_input_target_noise_covariance_C{channels}"
    common = file.arrays[name] if dependent else np.zeros(len(sigmas))
    spread = np.sqrt(expected * sigmas**2 + common**2)
    for target in np.transpose(covariances):
        if dependent:
            file.compare(name, target, Tolerance(atol=error * spread))
        assert (np.abs(target - common) <= error * spread).all()
