"""``denoisplit plugins list``."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from denoisplit.cli import main
from denoisplit.core.registry import installed_registry
from tests.distributions import MANIFEST, Install, installer


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    installed_registry.cache_clear()
    yield installer(tmp_path / "site", monkeypatch)
    installed_registry.cache_clear()


def listed(*options: str) -> str:
    result = CliRunner().invoke(main, ["plugins", "list", *options])
    assert result.exit_code == 0
    return result.stdout


def test_the_table_shows_builtins_plugins_and_what_is_broken(install: Install) -> None:
    install("cli-good", manifest=MANIFEST)
    install("cli-bad", "0.3", code="1 / 0")
    lines = listed().splitlines()
    assert any(line.split()[:3] == ["mine", "cli-good", "1.2"] for line in lines)
    assert any(line.split()[:2] == ["ladder", "denoisplit"] for line in lines)
    assert "broken plugin: cli-bad 0.3: ZeroDivisionError: division by zero" in lines
    assert "    Traceback (most recent call last):" in lines


def test_one_kind_only(install: Install) -> None:
    install("cli-one", manifest=MANIFEST)
    lines = listed("--kind", "calibrator").splitlines()
    assert lines[0] == "calibrator"
    names = [line.split()[0] for line in lines[1:]]
    assert {"mine", "scale"} <= set(names)
    assert names == sorted(names)
    assert "ladder" not in names


def test_json_has_every_field(install: Install) -> None:
    install("cli-json", manifest=MANIFEST)
    install("cli-json-bad", "0.3", code="1 / 0")
    listing = json.loads(listed("--json", "--kind", "calibrator"))
    (mine,) = [row for row in listing["components"] if row["name"] == "mine"]
    assert mine == {
        "qualified": "cli-json/mine",
        "kind": "calibrator",
        "name": "mine",
        "target": "cli_json.parts:Mine",
        "package": "cli-json",
        "version": "1.2",
        "summary": "Calibrator of cli_json.",
        "source": "",
        "since": "",
        "status": "stable",
        "replaced_by": "",
    }
    (broken,) = listing["broken"]
    assert (broken["package"], broken["version"]) == ("cli-json-bad", "0.3")
    assert "Traceback" in broken["traceback"]
