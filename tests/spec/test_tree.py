"""Reading YAML, presets and overrides."""

from pathlib import Path

import pytest

from denoisplit.core.documents import plain, read_document
from denoisplit.core.errors import SpecError
from denoisplit.core.registry.registry import load_registry
from denoisplit.core.spec import ResolvedSpec, load_spec, parse_spec, preset_names, read_spec

DATA = "data: {train: {use: folder, path: data}}\n"


def values(text: str, *overrides: str) -> object:
    return plain(parse_spec(text, overrides).root)


def problems(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, overrides, name="spec.yaml")
    return caught.value.problems


def test_numbers_and_words_follow_yaml_1_2() -> None:
    text = "[1e-3, no, on, 0o17, 010, 1_000, 12:30:00, 2020-01-01, ~, True]"
    expected = [1e-3, "no", "on", 15, 10, "1_000", "12:30:00", "2020-01-01", None, True]
    assert plain(read_document(text, "x")) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "spec.yaml: the spec is empty."),
        ("# only a comment\n", "spec.yaml: the spec is empty."),
        ("null", "spec.yaml: the spec is empty."),
        ("- a\n", "spec.yaml:1:1: expected a mapping (got a list)."),
        ("hello", "spec.yaml:1:1: expected a mapping (got 'hello')."),
        ("a: 1\nb: [1,\n", "spec.yaml:3:1: not valid YAML ("),
        ("a: 1\n---\nb: 2\n", "spec.yaml:2:1: not valid YAML ("),
        ("a: !!python/name:os.system x\n", "spec.yaml:1:4: not valid YAML ("),
        ("a: \x00", "spec.yaml: not valid YAML ("),
        ("a: " + "9" * 5000, "spec.yaml: not valid YAML ("),
        ("a: &a [*a]\n", "spec.yaml:1:4: a value contains itself."),
        ("1: a\n", "spec.yaml:1:1: a key must be text (got 1)."),
        ("a: 1\nb: {c: 1, c: 2}\n", "spec.yaml:2:11: duplicate key c (first at spec.yaml:2:5)."),
    ],
)
def test_what_is_not_a_spec_is_refused_with_its_place(text: str, problem: str) -> None:
    (found,) = problems(text)
    assert found.startswith(problem)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.yaml: cannot be read \(No such file"):
        read_spec(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(SpecError, match=r"binary\.yaml: not text"):
        read_spec(tmp_path / "binary.yaml")


def test_overrides_win_and_create_what_is_missing() -> None:
    assert values("a: {b: 1, c: 2}", "a.b=[x, 3]", "d.e=1e-3", "a.f=x=y") == {
        "a": {"b": ["x", 3], "c": 2, "f": "x=y"},
        "d": {"e": 1e-3},
    }


def test_another_component_drops_the_options_of_the_former() -> None:
    text = "m: {use: old, width: 3}"
    assert values(text, "m.depth=1") == {"m": {"use": "old", "width": 3, "depth": 1}}
    assert values(text, "m.use=denoisplit/old") == {"m": {"use": "denoisplit/old", "width": 3}}
    for overrides in (("m.use=new", "m.depth=1"), ("m.depth=1", "m.use=new")):
        assert values(text, *overrides) == {"m": {"use": "new", "depth": 1}}


def test_an_override_with_another_component_replaces_the_options_of_preset_and_file() -> None:
    text = "preset: denoisplit\nmodel: {noise_model: {fit_steps: 3}}"
    model = values(text, "model.noise_model={use: gaussian, std: 2.0}")
    assert isinstance(model, dict)
    assert model["model"]["noise_model"] == {"use": "gaussian", "std": 2.0}
    kept = values(text, "model.noise_model.components=1")
    assert isinstance(kept, dict)
    assert kept["model"]["noise_model"]["fit_steps"] == 3
    assert kept["model"]["noise_model"]["coefficients"] == 2


def test_an_override_may_choose_the_preset() -> None:
    hdn = values("preset: denoisplit\nmodel: {encoder: {width: 5}}", "preset=hdn")
    assert isinstance(hdn, dict)
    assert hdn["model"]["encoder"] == {
        "use": "ladder",
        "levels": 6,
        "width": 5,
        "blocks": 5,
        "dropout": 0.2,
    }


def test_malformed_overrides_are_all_reported() -> None:
    assert problems("a: 1", "a", "a..b=1", "=1", "a=[", "b=2") == (
        "--set a: not of the form a.b=c. Write the path of a key, =, and its value.",
        "--set a..b=1: not of the form a.b=c. Write the path of a key, =, and its value.",
        "--set =1: not of the form a.b=c. Write the path of a key, =, and its value.",
        (
            "--set a=[: not valid YAML (expected the node content, but found '<stream end>'). "
            "Correct the syntax."
        ),
    )


def test_the_user_wins_over_the_preset() -> None:
    spec = parse_spec("preset: hdn\nchannels: [a]\nmodel: {encoder: {levels: 3}}\n", ["preset=musplit"]).root
    tree = plain(spec)
    assert isinstance(tree, dict)
    assert tree["channels"] == ["a"]
    assert tree["model"]["encoder"] == {
        "use": "ladder",
        "levels": 3,
        "width": 64,
        "blocks": 1,
        "dropout": 0.1,
    }
    assert tree["model"]["kl_scheme"]["use"] == "musplit"


def test_an_unknown_preset_lists_the_known_ones() -> None:
    assert problems("preset: denoisplt\n") == (
        (
            "spec.yaml:1:9 $.preset: no such preset (got 'denoisplt'). Did you mean denoisplit? "
            "Use one of altered-musplit, denoisplit, denoisplit-regular, hdn, microsplit, "
            "microsplit-regular, musplit, musplit-deep, musplit-lean, musplit-regular."
        ),
    )


def preset(name: str, tmp_path: Path) -> ResolvedSpec:
    file = tmp_path / "spec.yaml"
    file.write_text(f"preset: {name}\n{DATA}")
    return load_spec(file)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_complete_but_for_the_data(name: str, tmp_path: Path) -> None:
    with_context = name.endswith(("-regular", "-lean", "-deep"))
    encoder = load_registry().find("encoder", "lateral_context" if with_context else "ladder")
    assert preset(name, tmp_path).model.encoder.component == encoder


@pytest.mark.parametrize(
    ("name", "kl_scheme", "noise_model", "patch", "patience"),
    [
        ("denoisplit", "denoisplit", "gaussian_mixture", 128, (30, 200)),
        ("altered-musplit", "denoisplit", "gaussian", 128, (30, 200)),
        ("musplit", "musplit", "gaussian", 64, (30, 200)),
        ("microsplit", "microsplit", "weighted", 128, (30, 200)),
        ("hdn", "denoisplit", "gaussian_mixture", 128, (15, 100)),
        ("musplit-regular", "musplit", "gaussian", 64, (15, 100)),
        ("musplit-lean", "musplit", "gaussian", 64, (15, 100)),
        ("musplit-deep", "musplit", "gaussian", 64, (15, 100)),
        ("denoisplit-regular", "denoisplit", "gaussian_mixture", 64, (15, 100)),
        ("microsplit-regular", "microsplit", "weighted", 64, (30, 200)),
    ],
)
def test_presets_have_the_values_of_the_papers(
    name: str, kl_scheme: str, noise_model: str, patch: int, patience: tuple[int, int], tmp_path: Path
) -> None:
    spec = preset(name, tmp_path)
    assert not isinstance(spec.model.noise_model, tuple)
    assert spec.model.kl_scheme.component.name == kl_scheme
    assert spec.model.noise_model.component.name == noise_model
    training = spec.training
    assert (training.patch, training.plateau_patience, training.stop_patience) == (patch, *patience)
    assert (training.batch, training.learning_rate, training.gradient_clip) == (32, 1e-3, 0.5)


def test_the_denoising_preset_is_the_network_of_the_hdn_paper(tmp_path: Path) -> None:
    spec = preset("hdn", tmp_path)
    encoder, decoder, kl = (
        part.options for part in (spec.model.encoder, spec.model.decoder, spec.model.kl_scheme)
    )
    assert len(spec.channels) == 1
    assert (encoder.levels, encoder.width, encoder.blocks, encoder.dropout) == (6, 32, 5, 0.2)
    assert (decoder.latent_channels, decoder.blocks, decoder.dropout, decoder.clip) == (32, 5, 0.2, None)
    assert decoder.naive_variance
    assert not decoder.normalise_latents
    assert kl.analytic
