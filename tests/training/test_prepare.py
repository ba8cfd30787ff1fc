"""From a spec to training data: who is held out, what noise models are fitted to, what calibrates."""

import math

import attrs
import numpy as np
import pytest

from denoisplit.core.errors import ImageError, NoiseModelError, SpecError
from denoisplit.core.images.bases import Field, MixedSource
from denoisplit.core.network.composer import compose
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.outputs.posterior import predict
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import ResolvedSpec, parse_spec, resolve
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.training.data.prepare import evaluation_fields, noise_pairs, prepare, require_clean
from denoisplit.core.training.fit import _sampler
from tests.calibrating import calibrate

SPEC = """
preset: denoisplit
channels: [filaments, puncta]
data: {train: {use: simulated, fields: 4, size: 20, seed: 1, structures: [filaments, puncta]}}
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}, noise_model: {use: gaussian}}
training: {patch: 16}
prediction: {samples: 2}
"""
OTHER = "{use: simulated, fields: 2, size: 20, seed: 2, structures: [filaments, puncta]}"


def spec(*overrides: str) -> ResolvedSpec:
    return resolve(parse_spec(SPEC, overrides), installed_registry())


def names(fields: tuple[Field, ...]) -> list[str]:
    return [field.name for field in fields]


def test_a_share_of_the_fields_is_held_out_when_no_validation_is_named() -> None:
    data = prepare(spec("data.validation_fraction=0.5"))
    assert len(data.train) == len(data.validation) == 2
    assert sorted(names(data.train + data.validation)) == [f"simulated 1-{i}" for i in range(4)]
    again = prepare(spec("data.validation_fraction=0.5"))
    assert names(again.train) == names(data.train)
    assert again.fingerprint == data.fingerprint
    pixels = np.stack([field.observed for field in data.train])
    assert data.statistics.target_mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), rel=1e-5)
    assert data.statistics.target_std == pytest.approx(pixels.std((0, 2, 3)).tolist(), rel=1e-5)


def test_a_named_validation_set_leaves_all_fields_to_training() -> None:
    data = prepare(spec(f"data.validation={OTHER}"))
    assert (len(data.train), names(data.validation)) == (4, ["simulated 2-0", "simulated 2-1"])


def test_the_same_field_in_both_splits_is_refused() -> None:
    same = OTHER.replace("seed: 2", "seed: 1")
    with pytest.raises(ImageError, match=r"train field 'simulated 1-0' and validation field .* same pixels"):
        prepare(spec(f"data.validation={same}"))


def test_evaluation_takes_the_test_data_or_else_the_validation_data() -> None:
    split, fields = evaluation_fields(spec(f"data.test={OTHER}"))
    assert (split, names(fields)) == ("test", ["simulated 2-0", "simulated 2-1"])
    chosen = spec("data.validation_fraction=0.5")
    split, fields = evaluation_fields(chosen)
    assert (split, names(fields)) == ("validation", names(prepare(chosen).validation))


def test_degraded_data_has_clean_references_everywhere_and_frozen_noise_for_what_is_measured() -> None:
    plain = prepare(spec())
    chosen = spec(f"data.test={OTHER}", "data.degradation={gaussian: 40, poisson: 2}")
    data = prepare(chosen)
    for field, before in zip(data.train + data.validation, plain.train + plain.validation, strict=True):
        assert field.clean is not None
        np.testing.assert_array_equal(field.clean, before.clean)
        added = field.observed[...] - before.observed[...]
        assert added.std() == pytest.approx(math.sqrt(40**2 + 2 * before.observed[...].mean()), rel=0.2)
    _, test = evaluation_fields(chosen)
    assert test[0].clean is not None
    assert (test[0].observed[...] - test[0].clean[...]).std() > 30
    again = prepare(chosen)
    np.testing.assert_array_equal(again.train[0].observed, data.train[0].observed)
    assert again.statistics == data.statistics
    assert data.fingerprint == plain.fingerprint
    pixels = np.stack([field.observed for field in data.train])
    assert data.statistics.target_std == pytest.approx(pixels.std((0, 2, 3)).tolist(), rel=1e-5)


def test_fresh_noise_leaves_the_training_fields_as_they_are() -> None:
    frozen, fresh = (
        prepare(spec("data.degradation.gaussian=40", f"data.degradation.fresh={value}"))
        for value in ("false", "true")
    )
    assert frozen.fresh is None
    assert fresh.fresh is not None
    assert fresh.statistics == frozen.statistics
    clean = prepare(spec()).statistics
    assert frozen.statistics.target_mean == clean.target_mean, "taken before additive noise"
    assert min(frozen.statistics.target_std) > max(clean.target_std)
    step = _sampler(spec("data.degradation.gaussian=40"), fresh, 0).batch(0).targets
    bare = _sampler(spec(), prepare(spec()), 0).batch(0).targets
    assert (step - bare).std() == pytest.approx(40, rel=0.05)
    for given, before, kept in zip(fresh.train, prepare(spec()).train, fresh.conditioned, strict=True):
        np.testing.assert_array_equal(given.observed, before.observed)
        assert not np.array_equal(kept.observed, before.observed)
    for one, other in zip(fresh.conditioned, frozen.train, strict=True):
        np.testing.assert_array_equal(one.observed, other.observed)


def test_every_split_is_cut_off_where_the_training_fields_are() -> None:
    plain = prepare(spec())
    pixels = np.concatenate([field.observed[...].ravel() for field in plain.train])
    ceiling = float(np.quantile(pixels, 0.9))
    chosen = spec("data.clip.quantile=0.9", f"data.test={OTHER}")
    data = prepare(chosen)
    assert data.fitted.ceiling == pytest.approx((ceiling, ceiling), rel=1e-6)
    _, test = evaluation_fields(chosen)
    for field in data.train + data.validation + test:
        assert field.observed[...].max() == pytest.approx(ceiling, rel=1e-6)
        assert field.clean is not None
        assert field.clean[...].max() <= ceiling * (1 + 1e-6)


def test_a_rule_of_the_reference_sets_test_fields_aside() -> None:
    rule = ("data.train.fields=10", "data.split={rule: test_first, test_fraction: 0.2}")
    chosen = spec(*rule, "data.validation_fraction=0.1")
    data = prepare(chosen)
    everything = [f"simulated 1-{i}" for i in range(10)]
    assert (names(data.test), names(data.validation), names(data.train)) == (
        everything[:2],
        everything[2:3],
        everything[3:],
    )
    assert evaluation_fields(chosen)[0] == "test"
    assert names(evaluation_fields(chosen)[1]) == names(data.test)
    with pytest.raises(SpecError, match=r"\$\.data: split divides the training fields"):
        spec(*rule, f"data.validation={OTHER}")


def test_ranges_of_weights_need_one_entry_per_channel() -> None:
    assert spec("data.mixing.alpha=[[0.2, 0.8], [0.8, 0.2]]").data.mixing.alpha == ((0.2, 0.8), (0.8, 0.2))
    with pytest.raises(
        SpecError, match=r"data\.mixing\.alpha=\[\[0\.2, 0\.8\]\]: expected 2 entries, one per"
    ):
        spec("data.mixing.alpha=[[0.2, 0.8]]")


def test_noise_models_are_fitted_to_the_best_there_is() -> None:
    plain = spec().data
    fields = prepare(spec("data.train.repeats=2")).train
    unclean = [attrs.evolve(field, clean=None) for field in fields]
    bare = [attrs.evolve(field, repeats=None) for field in unclean]
    for given, origin in ((fields, "repeats"), (bare, "bootstrap")):
        pairs = noise_pairs(plain, given, ("a", "b"), seed=0)
        assert [one.origin for one in pairs] == [origin, origin]
    clean = [attrs.evolve(field, repeats=None) for field in fields]
    (first, second) = noise_pairs(plain, clean, ("a", "b"), seed=0)
    assert first.origin == "clean reference"
    for channel, pairs_of_one in enumerate((first, second)):
        expected = np.concatenate([(f.observed[channel]).ravel() for f in fields])
        assert sorted(pairs_of_one.observation) == sorted(expected)
    asked = attrs.evolve(plain, noise_pairs="bootstrap")
    assert noise_pairs(asked, fields, ("a", "b"), seed=0)[0].origin == "bootstrap"


@pytest.mark.parametrize("source", ["repeats", "clean"])
def test_noise_pairs_that_the_data_does_not_have_are_refused(source: str) -> None:
    chosen = spec(f"data.noise_pairs={source}").data
    bare = [attrs.evolve(field, clean=None, repeats=None) for field in prepare(spec()).train]
    with pytest.raises(NoiseModelError, match=rf"\$\.data\.noise_pairs: no training field has {source}"):
        noise_pairs(chosen, bare, ("a", "b"), seed=0)


def test_fields_without_truth_are_left_out_of_an_evaluation() -> None:
    first, *others = prepare(spec()).train
    bare = attrs.evolve(first, clean=None)
    assert require_clean([bare, *others], "run") == tuple(others)
    with pytest.raises(ImageError, match=r"run: none of the 1 fields has a clean reference\. Name"):
        require_clean([bare], "run")


@pytest.fixture
def vse() -> VSE:
    chosen = spec()
    statistics = prepare(chosen).statistics
    return compose(chosen.model, statistics, channels=chosen.channels, patch=16).eval()


def test_the_factor_maps_the_spread_to_the_error(vse: VSE) -> None:
    chosen = spec("prediction.samples=5", "prediction.seed=3")
    small, large = prepare(chosen).validation[0], prepare(spec("data.train.size=30")).validation[0]
    calibration = calibrate(vse, chosen, [small, large])
    assert calibration is not None
    for channel in range(2):
        scores = []
        for field in (small, large):
            assert field.clean is not None
            posterior = predict(vse, field.observed[...].mean(0), PredictionSpec(samples=5, seed=3))
            assert posterior.std is not None
            scores += list(
                np.square((field.clean - posterior.mean)[channel] / posterior.std[channel]).ravel()
            )
        assert calibration.parameters["factor"][channel] == pytest.approx(
            math.sqrt(np.mean(scores)), rel=1e-3
        )


def test_calibration_looks_at_the_mixed_image_that_the_field_has(vse: VSE) -> None:
    field, other = prepare(spec()).train[:2]
    source = MixedSource(noiseless=other.observed, noise=np.zeros_like(field.observed[:1]))
    own = calibrate(vse, spec(), [attrs.evolve(field, mixed_source=source)])
    assert own == calibrate(vse, spec(), [attrs.evolve(field, observed=other.observed)])
    assert own != calibrate(vse, spec(), [field])
