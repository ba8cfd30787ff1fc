"""``denoisplit schema``, and the header of the specs that are written."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from denoisplit.cli import main
from denoisplit.core.documents import plain, read_document
from denoisplit.core.registry import installed_registry
from denoisplit.core.storage.run_folder import RunFolder
from tests.distributions import MANIFEST, Install, installer
from tests.e2e.experiment import Experiment
from tests.registry.test_plugins import PARTS

HEADER = "# yaml-language-server: $schema="
SPEC = "preset: denoisplit\nchannels: [a, b]\ndata: {train: {use: folder, path: images}}\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    installed_registry.cache_clear()
    yield installer(tmp_path / "site", monkeypatch)
    installed_registry.cache_clear()


def accepts(schema: Path, text: str) -> bool:
    validator = jsonschema.Draft7Validator(json.loads(schema.read_text(encoding="utf-8")))
    return validator.is_valid(plain(read_document(text, "text")))


def test_the_options_of_a_plugin_are_in_the_schema_and_a_broken_one_is_left_out(
    install: Install, tmp_path: Path
) -> None:
    options = "@attrs.frozen\n    class Options:\n        strength: int = 3\n"
    parts = PARTS.replace("@attrs.frozen\n    class Options:\n        pass\n", options)
    (install("schema-good", manifest=MANIFEST) / "parts.py").write_text(parts)
    broken = install("schema-bad", manifest=MANIFEST.replace("{name}", "bad"))
    (broken / "parts.py").write_text("1 / 0")
    out = tmp_path / "spec.schema.json"
    result = CliRunner().invoke(main, ["schema", "--out", str(out)])
    assert (result.exit_code, result.stdout) == (0, f"Schema: {out}\n")
    assert result.stderr.startswith(
        "Left out: calibrator schema-bad/bad: schema_bad.parts:Mine cannot be imported"
    )
    assert len(result.stderr.splitlines()) == 1
    for use in ("mine", "schema-good/mine"):
        assert accepts(out, SPEC + f"calibrator: {{use: {use}, strength: 4}}")
        assert not accepts(out, SPEC + f"calibrator: {{use: {use}, strength: strong}}")
        assert not accepts(out, SPEC + f"calibrator: {{use: {use}, strenght: 4}}")
    assert not accepts(out, SPEC + "calibrator: {use: bad}")
    assert json.loads(CliRunner().invoke(main, ["schema"]).stdout) == json.loads(
        out.read_text(encoding="utf-8")
    )


def test_a_checked_spec_carries_the_header(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    printed = CliRunner().invoke(main, ["check", str(file)]).stdout
    assert f"{HEADER}spec.schema.json\n" in printed


def test_the_spec_of_a_run_has_its_schema_beside_it(experiment: Experiment) -> None:
    run = RunFolder(experiment.run)
    text = run.spec.read_text(encoding="utf-8")
    assert text.splitlines()[0].startswith(HEADER)
    named = text.splitlines()[0].removeprefix(HEADER)
    assert run.spec.with_name(named) == run.schema
    assert accepts(run.schema, text)
    assert not accepts(run.schema, text.replace("use: denoisplit/ladder", "use: denoisplit/laddr"))
