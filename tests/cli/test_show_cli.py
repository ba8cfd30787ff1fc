"""``denoisplit plugins show``."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from denoisplit.cli import main
from denoisplit.core.registry import installed_registry
from tests.distributions import MANIFEST, Install, installer


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    installed_registry.cache_clear()
    yield installer(tmp_path / "site", monkeypatch)
    installed_registry.cache_clear()


def show(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plugins", "show", *arguments])


def shown(*arguments: str) -> list[dict[str, Any]]:
    result = show(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    components: list[dict[str, Any]] = json.loads(result.stdout)["components"]
    return components


def test_the_code_begins_at_the_line_that_is_named() -> None:
    (scale,) = shown("scale")
    row = installed_registry().find("calibrator", "scale")
    assert scale["file"] == inspect.getsourcefile(row.load())
    line = Path(scale["file"]).read_text(encoding="utf-8").splitlines()[scale["line"] - 1]
    assert line.startswith("class Scale(")


def test_a_name_of_several_kinds_shows_them_all_and_kind_chooses() -> None:
    assert [component["kind"] for component in shown("ladder")] == ["encoder", "decoder"]
    assert [component["kind"] for component in shown("denoisplit/ladder", "--kind", "decoder")] == ["decoder"]


def test_options_come_with_type_bounds_unit_default_and_meaning() -> None:
    (simulated,) = shown("simulated")
    options = {option.pop("name"): option for option in simulated["options"]}
    assert options["psf"] == {
        "type": "a number",
        "bounds": ["> 0"],
        "needed": False,
        "default": 1.3,
        "unit": "pixels",
        "meaning": "standard deviation of the point-spread function, pixels.",
    }
    assert options["haze"]["bounds"] == [">= 0", "<= 1"]
    assert options["camera"]["type"] == "one of poisson, em"
    (folder,) = shown("folder")
    needed = [option for option in folder["options"] if option["needed"]]
    assert [option["name"] for option in needed] == ["path"]


def test_bounds_of_validators_of_their_own_are_shown_too() -> None:
    (scheme,) = shown("denoisplit", "--kind", "kl_scheme")
    bounds = {option["name"]: option["bounds"] for option in scheme["options"]}
    assert bounds["free_bits"] == [">= 0", "length >= 1"]


def test_the_text_has_everything_a_reader_asks_for() -> None:
    text = show("gaussian_mixture").stdout
    assert text.startswith("noise_model denoisplit/gaussian_mixture ")
    assert "  source: Prakash et al., Fully unsupervised probabilistic Noise2Void, ISBI 2020\n" in text
    assert re.search(r"\n  file: .*gaussian_mixture\.py:\d+\n", text)
    assert "\n    variance_floor [counts squared]: a number or null, > 0; default null\n" in text
    assert max(map(len, text.splitlines())) < 160
    assert "  no options\n" in show("scale").stdout


def test_an_unknown_name_offers_a_close_one() -> None:
    result = show("gausian")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "component gausian: not installed. Did you mean gaussian? See denoisplit plugins list.\n"
    )
    assert "encoder scale: not installed." in show("scale", "--kind", "encoder").stderr


def test_a_broken_component_is_shown_with_what_is_wrong_and_no_traceback(install: Install) -> None:
    (install("show-bad", manifest=MANIFEST) / "parts.py").write_text("1 / 0")
    result = show("mine")
    assert result.exit_code == 2
    assert result.stdout.startswith("calibrator show-bad/mine 1.2\n  Calibrator of show_bad.\n")
    assert (
        "  broken: calibrator show-bad/mine: show_bad.parts:Mine cannot be imported (ZeroDivisionError"
        in (result.stdout)
    )
    assert "Traceback" not in result.output


def test_a_deprecated_component_names_what_replaces_it(install: Install) -> None:
    (
        install("show-old", manifest=MANIFEST + "  status: deprecated\n  replaced_by: scale\n") / "parts.py"
    ).touch()
    assert "  replaced by: scale\n" in show("mine").stdout
    listed = CliRunner().invoke(main, ["plugins", "list", "--kind", "calibrator"]).stdout
    assert "Calibrator of show_old. [deprecated] use scale\n" in listed
