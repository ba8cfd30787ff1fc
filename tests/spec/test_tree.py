"""Reading YAML, presets and overrides."""

import os
import time
from pathlib import Path

import pytest

from denoisplit.core.documents import plain, read_document
from denoisplit.core.errors import SpecError, did_you_mean
from denoisplit.core.spec import parse_spec, preset_names, read_spec


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
    ("text", "advice"),
    [
        ("a: *.tif", "Put a text that begins with * or & in quotes."),
        ("a:\n\tb: 1", "Indent with spaces, not with tabs."),
        ('a: "C:\\Users"', r"In double quotes, write / or \\ instead of \."),
        ("a: @b", "Put this text in quotes."),
        ("a: b: c", "Put a text with a colon and a space in quotes, and indent keys alike."),
        ("a: [1,", "Correct the syntax."),
    ],
)
def test_the_mend_of_a_usual_slip_of_yaml_is_named(text: str, advice: str) -> None:
    (found,) = problems(text)
    assert found.endswith(f"). {advice}")


def test_a_word_is_proposed_only_if_it_is_like_the_one_that_was_written() -> None:
    assert did_you_mean("ssim", ("loss", "psnr")) == ""
    assert did_you_mean("max", ("mean", "sum")) == ""
    assert did_you_mean("psnrr", ("loss", "psnr")) == " Did you mean psnr?"


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
        ("a: !!python/name:os.system x\n", "spec.yaml:1:4: unknown tag (got tag:yaml.org,2002:python/name"),
        ("a: !!bool perhaps\n", "spec.yaml:1:4: not a value of !!bool (got 'perhaps')."),
        ("a: !!int b\n", "spec.yaml:1:4: not a value of !!int (got 'b')."),
        ("a: !!str [b]\n", "spec.yaml:1:4: unknown tag (got tag:yaml.org,2002:str)."),
        ("a: \x00", "spec.yaml: not valid YAML ("),
        ("a: " + "9" * 5000, "spec.yaml:1:4: not a value of !!int ("),
        (
            "a: !!python/object:os.system {}\n",
            "spec.yaml:1:4: unknown tag (got tag:yaml.org,2002:python/object:",
        ),
        ("a: !mine [1]\n", "spec.yaml:1:4: unknown tag (got !mine)."),
        ("a: !!binary aGVsbG8=\n", "spec.yaml:1:4: "),
        ("[" * 300 + "]" * 300, "spec.yaml:1:102: values are nested too deeply ("),
        ("a: &a [*a]\n", "spec.yaml:1:4: a value contains itself."),
        ("1: a\n", "spec.yaml:1:1: a key must be text (got 1)."),
        ("a: &x {c: 1}\nb: {<<: *x}\n", "spec.yaml:2:5: YAML 1.2 does not merge mappings (got <<)."),
        ("a: 1\nb: {c: 1, c: 2}\n", "spec.yaml:2:11: duplicate key c (first at spec.yaml:2:5)."),
    ],
)
def test_what_is_not_a_spec_is_refused_with_its_place(text: str, problem: str) -> None:
    (found,) = problems(text)
    assert found.startswith(problem)


def test_aliases_that_stand_for_a_thousand_million_values_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    begun = time.process_time()
    (found,) = problems("\n".join(lines))
    assert "aliases repeat too much" in found
    assert time.process_time() - begun < 1
    assert values("a: &a {b: [1, 2]}\nc: *a\nd: *a\n") == {key: {"b": [1, 2]} for key in "acd"}


def test_a_pipe_or_a_device_is_no_spec(tmp_path: Path) -> None:
    """Opening the one waits for ever, and the other has no end."""
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, kind in ((tmp_path / "pipe.yaml", "a named pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(SpecError, match=rf"{path}: not a file \(got {kind}\)"):
            read_spec(path)
    (tmp_path / "large.yaml").write_bytes(b"#" * 2**23)
    with pytest.raises(SpecError, match=r"large\.yaml: too large"):
        read_spec(tmp_path / "large.yaml")


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
            f"Use one of {', '.join(preset_names())}."
        ),
    )
