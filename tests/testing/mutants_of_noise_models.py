"""Mutants of noise models."""

from typing import Any

import torch

from tests.testing.mutants import Mutant, after, around, replaced

INTEGRAL = "the_density_integrates_to_one"
MEAN = "the_mean_is_the_signal_or_a_declared_bias_away"
VARIANCE = "the_variance_is_that_of_the_density"
DENSITY = "samples_agree_with_the_density"
MOMENTS = "samples_have_the_declared_mean_and_variance"
BACK = "far_away_is_unlikely_and_has_a_gradient"
MAPS = "predicted_maps_have_an_effect"
CHANNELS = "images_of_other_channels_are_refused"
SHARE = "the_variance_of_the_signal_is_a_share_of_every_pixel"
GAUSSIAN = "noise_models.gaussian:Gaussian"
MIXTURE = "noise_models.gaussian_mixture"
WEIGHTED = "noise_models.weighted:Weighted"
SPREAD = "noise_models.spread_mixture:SpreadMixture"
HISTOGRAM = "noise_models.histogram"
BINNED = "noise_models.binned_gaussian:BinnedGaussian"
CAMERA = "noise_models.poisson_gaussian"
SCMOS = "noise_models.scmos"

NEGATED = after(lambda value: -value)
NOTHING = replaced(lambda *_: None)
DOUBLED = after(lambda value: 2 * value)


def no_log_variance(old: Any, residual: Any, mixture: Any) -> Any:
    return (mixture.log_weight - 0.5 * (residual - mixture.shift).square() / mixture.variance).logsumexp(0)


NOISE_MUTANTS = (
    Mutant("noise_model/gaussian", "sign", f"{GAUSSIAN}.log_prob", NEGATED, BACK),
    Mutant("noise_model/gaussian", "scale", f"{GAUSSIAN}.variance", DOUBLED, VARIANCE),
    Mutant(
        "noise_model/gaussian",
        "dropped log of the scale",
        f"{GAUSSIAN}.log_prob",
        around(lambda old, self, y, s, extra=None: old(self, y, s, extra) + self._scale(s).log()),
        INTEGRAL,
    ),
    Mutant(
        "noise_model/gaussian",
        "dropped noise",
        f"{GAUSSIAN}.sample",
        around(lambda old, self, s, generator, extra=None: s + 0.5 * (old(self, s, generator, extra) - s)),
        DENSITY,
    ),
    Mutant("noise_model/gaussian_mixture", "sign", f"{MIXTURE}:log_density", NEGATED, BACK),
    Mutant("noise_model/gaussian_mixture", "scale", f"{MIXTURE}:total_variance", DOUBLED, VARIANCE),
    Mutant(
        "noise_model/gaussian_mixture",
        "dropped log of the variance",
        f"{MIXTURE}:log_density",
        around(no_log_variance),
        INTEGRAL,
    ),
    Mutant(
        "noise_model/gaussian_mixture",
        "dropped mean",
        f"{MIXTURE}:draw",
        after(lambda residual: residual + 30),
        MOMENTS,
    ),
    Mutant(
        "noise_model/gaussian_mixture",
        "repeated observation",
        f"{MIXTURE}:of_same_channels",
        replaced(lambda observation, signal: (observation.float(), signal.float())),
        CHANNELS,
    ),
    Mutant("noise_model/histogram", "repeated signal", f"{HISTOGRAM}:require_channels", NOTHING, CHANNELS),
    Mutant("noise_model/weighted", "sign", f"{WEIGHTED}.log_prob", NEGATED, BACK),
    Mutant("noise_model/weighted", "scale", f"{WEIGHTED}.variance", DOUBLED, MOMENTS),
    Mutant(
        "noise_model/weighted",
        "dropped predicted maps",
        f"{WEIGHTED}.log_prob",
        around(lambda old, self, y, s, extra=None: old(self, y, s, torch.zeros_like(s))),
        MAPS,
    ),
    Mutant("noise_model/spread_mixture", "sign", f"{SPREAD}.log_prob", NEGATED, BACK),
    Mutant(
        "noise_model/spread_mixture",
        "noise alone",
        f"{SPREAD}.variance",
        around(lambda old, self, s, extra=None: self.noise.variance(s)),
        SHARE,
    ),
    Mutant(
        "noise_model/spread_mixture",
        "dropped variance of the signal",
        f"{SPREAD}.sample",
        around(lambda old, self, s, generator, extra=None: self.noise.sample(s, generator)),
        MOMENTS,
    ),
    Mutant(
        "noise_model/spread_mixture",
        "averaged over the image",
        f"{SPREAD}.signal_variance",
        after(lambda variance: variance.mean((-2, -1), keepdim=True).expand_as(variance)),
        SHARE,
    ),
    Mutant(
        "noise_model/histogram",
        "sign of the bias",
        f"{HISTOGRAM}:Histogram.bias",
        after(lambda bias: -bias - 1),
        MEAN,
    ),
    Mutant(
        "noise_model/histogram",
        "scale",
        f"{HISTOGRAM}:mean_and_variance",
        after(lambda pair: (pair[0], 2 * pair[1])),
        VARIANCE,
    ),
    Mutant(
        "noise_model/histogram",
        "dropped width of a bin",
        f"{HISTOGRAM}:log_density",
        around(lambda old, y, s, tables: old(y, s, tables) + tables.width.log().max()),
        INTEGRAL,
    ),
    Mutant(
        "noise_model/binned_gaussian",
        "sign of the bias",
        f"{BINNED}.bias",
        after(lambda bias: -bias - 1),
        MEAN,
    ),
    Mutant("noise_model/binned_gaussian", "scale", f"{BINNED}.variance", DOUBLED, VARIANCE),
    Mutant(
        "noise_model/binned_gaussian",
        "dropped log of the scale",
        f"{BINNED}.log_prob",
        around(lambda old, self, y, s, extra=None: old(self, y, s, extra) + self._bias_and_std(s)[1].log()),
        INTEGRAL,
    ),
    Mutant("noise_model/poisson_gaussian", "sign", f"{CAMERA}:log_density", NEGATED, BACK),
    Mutant(
        "noise_model/poisson_gaussian",
        "scale by the gain",
        f"{CAMERA}:log_density",
        around(lambda old, y, s, camera: old(y, s, camera) + camera.gain.log()),
        INTEGRAL,
    ),
    Mutant(
        "noise_model/poisson_gaussian",
        "dropped shot noise",
        f"{CAMERA}:variance",
        replaced(lambda signal, camera: camera.read_noise.square().expand_as(signal)),
        VARIANCE,
    ),
    Mutant(
        "noise_model/poisson_gaussian",
        "dropped offset",
        f"{CAMERA}:draw",
        around(lambda old, signal, camera, generator: old(signal, camera, generator) - camera.offset),
        MOMENTS,
    ),
    Mutant("noise_model/scmos", "sign", f"{SCMOS}:log_density", NEGATED, BACK),
    Mutant(
        "noise_model/scmos",
        "dropped shot noise",
        f"{SCMOS}:variance",
        replaced(lambda signal, camera: camera.read_noise.square().expand_as(signal)),
        VARIANCE,
    ),
    Mutant(
        "noise_model/scmos",
        "dropped offset",
        f"{SCMOS}:draw",
        around(lambda old, signal, camera, generator: old(signal, camera, generator) - camera.offset),
        MOMENTS,
    ),
)
