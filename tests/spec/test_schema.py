"""The JSON Schema of a spec accepts what resolving accepts, and refuses mistakes."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

import denoisplit
from denoisplit.core.documents import plain, read_document
from denoisplit.core.errors import SpecError
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import (
    parse_spec,
    preset_names,
    preset_text,
    resolve,
    spec_schema,
    to_yaml,
    unstructure,
)
from denoisplit.core.spec.records import ResolvedSpec
from tests.e2e.specs import TINY
from tests.spec.fakes import REGISTRY, SPEC
from tests.spec.test_round_trip import specs

ROOT = Path(denoisplit.__file__).parents[1]
SHIPPED = [
    # the spec of a package needs that package installed
    *(p for p in sorted((ROOT / "examples").rglob("*.yaml")) if not (p.parent / "pyproject.toml").exists()),
    *sorted((ROOT / "denoisplit" / "cli").glob("*.yaml")),
]
DATA = "data: {train: {use: folder, path: images}}\n"
PRESET = f"preset: denoisplit\nchannels: [a, b]\n{DATA}"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    schema, problems = spec_schema(installed_registry())
    assert problems == ()
    return schema


@pytest.fixture(scope="module")
def installed(schema: dict[str, Any]) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(schema)


FAKES = jsonschema.Draft7Validator(spec_schema(REGISTRY)[0])


def read(text: str) -> Any:
    return plain(read_document(text, "text"))


def is_spec(path: Path) -> bool:
    return "spec_version" in path.read_text(encoding="utf-8")


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator.check_schema(FAKES.schema)


@pytest.mark.parametrize("path", [path for path in SHIPPED if is_spec(path)], ids=lambda path: path.name)
def test_shipped_specs_are_accepted(installed: jsonschema.Draft7Validator, path: Path) -> None:
    installed.validate(read(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_accepted_in_full_by_name_and_resolved(
    installed: jsonschema.Draft7Validator, name: str
) -> None:
    full = read(preset_text(name))
    installed.validate({**full, "data": {**full.get("data", {}), **read(DATA)["data"]}})
    installed.validate(read(f"preset: {name}\n{DATA}"))
    installed.validate(read(to_yaml(resolve(parse_spec(f"preset: {name}\n{DATA}"), installed_registry()))))


@settings(max_examples=60)
@given(specs())
def test_every_spec_that_resolves_is_accepted(spec: ResolvedSpec) -> None:
    FAKES.validate(unstructure(spec))


@pytest.mark.parametrize(
    "change",
    [
        "",
        "model: {encoder: {levels: 3}}",
        "model: {encoder: {use: ladder}}",
        "model: {encoder: {use: denoisplit/ladder, levels: 3}}",
        "model: {encoder: {use: unet, pools: 3}, decoder: {use: unet}}",
        "model: {noise_model: {use: gaussian, log_variance_floor: null}}",
        "model: {noise_model: [{use: gaussian}, {use: gaussian_mixture, path: [a.npz]}]}",
        "model: {noise_model: {use: scmos, gain: gain.tif, offset: 100, read_noise: [a.tif, b.tif]}}",
        "model: {noise_model: {use: scmos, gain: 2.1, read_noise: null}}",
        "model: {kl_scheme: {free_bits: [1, 0.5]}}",
        "model: {decoder: {latent_channels: [8, 4]}}",
        "model: {encoder: {strides: [[1, 2, 2]]}}",
        "region_calibrator: {use: region}",
        "region_calibrator: null",
        "training: {patch: [3, 8, 8], channel_weights: [0, 2]}",
        "training: {steps: 3, learning_rate: 1, channel_weights: [1, 0.5]}",
        "training: {optimizer: {use: adamw, weight_decay: 0.01}, schedule: constant}",
        "training: {optimizer: sgd, schedule: {use: cosine, warmup: 10}}",
        "training: {optimizer: denoisplit/sgd, schedule: plateau, plateau_patience: 3}",
        "data: {train: {use: simulated}, validation: null, mixing: {alpha: [[0, 1], [1, 0]]}}",
    ],
)
def test_what_resolves_is_accepted(installed: jsonschema.Draft7Validator, change: str) -> None:
    text = f"{change}\npreset: denoisplit\nchannels: [a, b]\n" + ("" if change.startswith("data") else DATA)
    resolve(parse_spec(text), installed_registry())
    installed.validate(read(text))


@pytest.mark.parametrize(
    "text",
    [
        PRESET.replace("denoisplit", "denoisplt"),
        PRESET + "modle: {}",
        PRESET + "model: {encoder: {use: laddr}}",
        PRESET + "model: {encoder: {use: 3}}",
        PRESET + "model: {encoder: {use: scale}}",
        PRESET + "model: {encoder: {level: 3}}",
        PRESET + "model: {encoder: {levels: 0}}",
        PRESET + "model: {encoder: {levels: '3'}}",
        PRESET + "model: {encoder: {levels: true}}",
        PRESET + "model: {encoder: {levels: 2.5}}",
        PRESET + "model: {encoder: {dropout: 1}}",
        PRESET + "model: {encoder: {binning: 3}}",
        PRESET + "model: {encoder: {strides: [[0, 2]]}}",
        PRESET + "model: {encoder: {strides: [[]]}}",
        PRESET + "model: {encoder: {use: unet, levels: 3}}",
        PRESET + "model: {decoder: {latent_channels: 0}}",
        PRESET + "model: {decoder: {latent_channels: []}}",
        PRESET + "model: {decoder: {clip: 0}}",
        PRESET + "model: {noise_model: {use: gaussian, log_variance: voxel}}",
        PRESET + "model: {noise_model: [{use: gaussian}, {log_variance: pixel}]}",
        PRESET + "model: {noise_model: {path: []}}",
        PRESET + "model: {noise_model: {use: weighted, mixture: {component: 1}}}",
        PRESET + "model: {kl_scheme: {free_bits: -1}}",
        PRESET + "model: {kl_scheme: {free_bits: [1, -1]}}",
        PRESET + "model: {dimensions: 4}",
        PRESET + "calibrator: {use: scale, factor: 2}",
        PRESET + "training: {steps: 0}",
        PRESET + "training: {stepz: 3}",
        PRESET + "training: {schedule: linear}",
        PRESET + "training: {optimizer: adamm}",
        PRESET + "training: {optimizer: {use: adamw, weight_decay: -1}}",
        PRESET + "training: {schedule: {use: adamw}}",
        PRESET + "model: {encoder: ladder}",
        PRESET + "training: {augment: 1}",
        PRESET + "prediction: {seed: -1}",
        PRESET + "spec_version: 2",
        PRESET + "region_calibrator: {use: scale}",
        PRESET + "training: {patch: 1}",
        PRESET + "training: {patch: []}",
        PRESET + "training: {channel_weights: [-1, 1]}",
        PRESET + "training: {channel_weights: [0, 0]}",
        "preset: denoisplit\nchannels: [a]\ndata: {train: {use: simulated}, mixing: {alpha: [[0, -1]]}}\n",
        "preset: denoisplit\nchannels: [a, a]\n" + DATA,
        'preset: denoisplit\nchannels: [a, "b\\t"]\n' + DATA,
        "preset: denoisplit\nchannels: []\n" + DATA,
        "preset: denoisplit\nchannels: [a, 2]\n" + DATA,
        "preset: denoisplit\nchannels: [a, b]\n",
        "preset: denoisplit\ndata: {train: {path: images}}",
        "preset: denoisplit\ndata: {train: {use: folder}}",
        "preset: denoisplit\ndata: {train: {use: simulated, structures: [moons]}}",
        "preset: denoisplit\ndata: {train: {use: simulated}, mixing: {alpha: [[0, 1, 2], [0, 1]]}}",
        "channels: [a, b]\n" + DATA,
        "channels: [a]\nmodel: {encoder: {levels: 3}}\n" + DATA,
    ],
)
def test_mistakes_are_refused_as_resolving_does(installed: jsonschema.Draft7Validator, text: str) -> None:
    with pytest.raises(SpecError):
        resolve(parse_spec(text), installed_registry())
    assert not installed.is_valid(read(text))


def test_a_component_has_one_alternative_per_name_with_the_name_as_constant(
    schema: dict[str, Any],
) -> None:
    branches = schema["definitions"]["calibrator"]["oneOf"]
    names = [branch["properties"]["use"]["const"] for branch in branches]
    built_in = [row for row in installed_registry().components("calibrator") if row.package == "denoisplit"]
    assert {row.name for row in built_in} | {row.qualified for row in built_in} <= set(names)
    assert len(set(names)) == len(names)


def test_options_carry_meaning_and_default(schema: dict[str, Any]) -> None:
    training = schema["definitions"]["denoisplit.core.spec.training.TrainingSpec"]
    assert training["properties"]["steps"] == {
        "description": "optimiser steps.",
        "default": 40000,
        "type": "integer",
        "minimum": 1,
        "maximum": 10**9,
    }


def test_a_component_without_options_and_one_spec_of_the_tests_are_accepted(
    installed: jsonschema.Draft7Validator,
) -> None:
    FAKES.validate(read(SPEC))
    installed.validate(read(TINY))
