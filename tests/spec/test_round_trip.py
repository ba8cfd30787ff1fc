"""Law 10: a resolved spec, written and resolved again, is the same spec."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.errors import SpecError
from denoisplit.core.images.channel_names import name_fault
from denoisplit.core.spec import parse_spec, resolve, resolve_plain, to_yaml, unstructure
from denoisplit.core.spec.records import (
    MOST_SAMPLES,
    Chosen,
    Clip,
    DataSpec,
    Degradation,
    Mixing,
    ModelSpec,
    PredictionSpec,
    ResolvedSpec,
    TrainingSpec,
)
from tests.spec.fakes import REGISTRY, SPEC

FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-300, max_value=1e300)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TEXT = WORDS | st.sampled_from(
    ["${HOME}", "$${A} $$${B}", "no", "1e3", "0x1F", "null", "~", "", "a: b", "- x", "#"]
)
NAMES = TEXT.filter(lambda name: not name_fault(name))
"""Of channels."""

PATHS = st.text("ab/. $${}é", min_size=1, max_size=8).map(lambda text: Path("/data") / text.lstrip("/"))


def chosen(kind: str, name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Chosen]:
    options = REGISTRY.find(kind, name).load().Options
    component = REGISTRY.find(kind, name)
    return st.builds(options, **fields).map(lambda made: Chosen(component=component, options=made))


COUNT = st.integers(1, 10**9)
FOLDERS = chosen(
    "dataset",
    "folder",
    path=PATHS,
    extra=st.lists(PATHS, max_size=2).map(tuple),
    label=TEXT,
    limit=st.none() | COUNT,
)
LAYERS = {
    "levels": st.integers(2, 9),
    "width": COUNT | st.lists(COUNT, min_size=1, max_size=3).map(tuple),
    "dropout": st.floats(0, 1),
    "gated": st.booleans(),
}
MIXTURES = chosen(
    "noise_model",
    "mixture",
    components=COUNT,
    mode=st.sampled_from(["pixel", "global"]),
    table=st.dictionaries(WORDS, FINITE, max_size=2),
    pair=st.tuples(FINITE, st.integers()),
)
NOISE_MODELS = MIXTURES | chosen("noise_model", "gaussian")


@st.composite
def specs(draw: st.DrawFn) -> ResolvedSpec:
    channels = tuple(draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)))
    count = len(channels)
    per_channel = st.lists(NOISE_MODELS, min_size=count, max_size=count).map(tuple)
    ranges = st.just(()) | st.lists(st.tuples(POSITIVE, POSITIVE), min_size=count, max_size=count).map(tuple)
    weights = st.just(()) | st.lists(POSITIVE, min_size=count, max_size=count).map(tuple)
    calibrators = chosen("calibrator", "scale") | chosen("calibrator", "bounded", low=st.floats(-9, 0.5))
    return ResolvedSpec(
        channels=channels,
        data=DataSpec(
            train=draw(FOLDERS),
            validation=draw(st.none() | FOLDERS),
            validation_fraction=draw(st.floats(0.01, 0.99)),
            mixing=draw(
                st.builds(Mixing, mode=st.sampled_from(["mean", "sum"]), offset=FINITE, alpha=ranges)
            ),
            degradation=draw(st.builds(Degradation, gaussian=POSITIVE, fresh=st.booleans())),
            clip=draw(st.builds(Clip, per_channel=st.booleans())),
        ),
        model=ModelSpec(
            encoder=draw(chosen("encoder", "ladder", **LAYERS)),
            decoder=draw(chosen("decoder", "ladder", **LAYERS)),
            noise_model=draw(NOISE_MODELS | per_channel),
            kl_scheme=draw(chosen("kl_scheme", "denoisplit", free_bits=st.floats(0, 9), weight=POSITIVE)),
        ),
        calibrator=draw(calibrators),
        training=TrainingSpec(
            steps=draw(COUNT),
            learning_rate=draw(POSITIVE),
            channel_weights=draw(weights),
            augment=draw(st.booleans()),
        ),
        prediction=PredictionSpec(samples=draw(st.integers(1, MOST_SAMPLES))),
    )


@settings(max_examples=60)
@given(specs())
def test_resolving_what_was_written_gives_the_same_spec(spec: ResolvedSpec) -> None:
    assert resolve(parse_spec(to_yaml(spec)), REGISTRY) == spec
    assert resolve_plain(unstructure(spec), registry=REGISTRY) == spec


@pytest.mark.parametrize("mark", ["\n", "\r\n", "\x85", "\u2028", "\u2029", "\t"])
def test_names_with_line_breaks_are_refused_with_their_place(mark: str) -> None:
    first, rest = SPEC.split("channels: [", 1)
    name = json.dumps(f"a{mark}b")  # as YAML writes it, too
    text = f"{first}channels: [{name}, {rest}"
    with pytest.raises(SpecError) as caught:
        resolve(parse_spec(text, name="odd.yaml"), REGISTRY)
    place = f"odd.yaml:{len(first.splitlines()) + 1}:12 $.channels[0]"
    assert caught.value.problems[0].startswith(f"{place}: the name has characters that files cannot hold")


@pytest.mark.parametrize("mark", ["\ufeff", "${HOME}"])
def test_odd_names_survive(mark: str) -> None:
    spec = resolve(parse_spec(SPEC, folder=Path("/lab")), REGISTRY)
    odd = attrs.evolve(spec, channels=(f"a{mark}", f"{mark} b{mark}{mark}c", *spec.channels[2:]))
    assert resolve(parse_spec(to_yaml(odd)), REGISTRY) == odd


def test_the_written_spec_has_every_default_and_qualified_names() -> None:
    spec = resolve(parse_spec(SPEC, folder=Path("/lab")), REGISTRY)
    plain = unstructure(spec)
    assert yaml.safe_load(to_yaml(spec)) == plain
    assert list(plain)[:2] == ["spec_version", "channels"]
    assert plain["model"]["kl_scheme"] == {"use": "lab/denoisplit", "free_bits": 0.5, "weight": 1.0}
    assert plain["data"]["train"]["path"] == "/lab/data/train"
    assert plain["prediction"] == {"samples": 50, "seed": 0, "tile": 0, "noise": "box_muller"}
