"""``denoisplit plugins check``."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner, Result

import denoisplit
from denoisplit.cli import main
from denoisplit.core.network.interfaces import Calibrator
from denoisplit.core.registry import KINDS, installed_registry, load_registry
from denoisplit.core.registry.manager import BUILTIN
from denoisplit.plugins.calibrators.scale import Scale
from denoisplit.testing import CalibratorTests, examine, suite_for
from tests.testing.broken import DropsABin


class OnlyTwice(CalibratorTests):
    """A suite of a plugin's own, with one law more."""

    def test_it_is_a_calibrator(self) -> None:
        assert isinstance(self.calibrator(self.smallest()), Calibrator)


class Documented(Scale):
    """A calibrator with an option whose values nobody can guess."""

    @attrs.frozen
    class Options:
        """Options.

        Attributes:
            table: of factors.
        """

        table: Path = Path("table.csv")


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    installed_registry.cache_clear()
    yield
    installed_registry.cache_clear()


def check(*words: str) -> Result:
    return CliRunner().invoke(main, ["plugins", "check", *words])


def test_a_component_that_obeys_passes_with_every_law_named() -> None:
    result = check("by_field")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("calibrator denoisplit/by_field ")
    assert "  holds           no bin is dropped (2d, 3d)" in lines
    assert re.fullmatch(r"\d+ laws hold, 0 fail, 1 do not apply, 0 not examined\.", lines[-1])
    assert len(lines) == 2 + sum(
        name.startswith("test_") for name in dir(suite_for("calibrator", "by_field"))
    )


def test_a_broken_component_fails_with_one_line_per_law() -> None:
    denoisplit.register("calibrator", "bins", summary="Drops a bin.")(DropsABin)
    result = check("bins")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if "no bin is dropped" in line]
    assert line.startswith(
        "  fails           no bin is dropped (2d, 3d): errors of the pixels in bin 9 of 10"
    )
    assert "Traceback" not in result.output


def test_what_does_not_apply_says_why() -> None:
    result = check("ladder_3d_to_2d")
    assert result.exit_code == 0, result.output
    assert "does not apply  features have the declared shapes (2d): model.dimensions: " in result.stdout


def test_what_was_not_examined_says_what_is_missing_and_fails_where_all_is_wanted() -> None:
    denoisplit.register("calibrator", "documented", summary="Has an option of its own.")(Documented)
    result = check("documented")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("  not examined  ")]
    assert "every option has an effect: no other values are taken, or known, of the options" in line
    assert re.search(r" 0 fail, \d+ do not apply, 1 not examined\.$", result.stdout.strip())
    assert check("documented", "--strict").exit_code == 1
    assert check("scale", "--strict").exit_code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_examined_by_name_and_as_a_class(kind: str) -> None:
    row = next(row for row in load_registry().components(kind) if row.package == BUILTIN)
    for component in (row.load(), row.qualified):
        suite: Any = suite_for(kind, component)
        assert suite().target() is row.load()
        assert suite().smallest() is not None
    if kind == "dataset":
        suite = suite_for(kind, installed_registry().find(kind, "folder").load())
        assert {one.outcome for one in examine(suite)} <= {"holds", "not examined", "does not apply"}


def test_a_suite_of_the_plugin_can_be_named() -> None:
    result = check("scale", "--suite", f"{__name__}:OnlyTwice")
    assert "  holds           it is a calibrator" in result.stdout.splitlines()
    wrong = check("scale", "--suite", f"{__name__}:Path")
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith(f"{__name__}:Path: not a suite")


def test_names_of_several_kinds_need_the_kind() -> None:
    result = check("ladder")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.endswith(
        "several kinds have a component of this name (got ladder: encoder, decoder). Add --kind."
    )


@pytest.mark.parametrize("words", [("nothing",), ("nothing", "--kind", "encoder")])
def test_unknown_names_are_one_line(words: tuple[str, ...]) -> None:
    result = check(*words)
    assert result.exit_code == 2
    assert "nothing" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_component_that_cannot_be_built_is_no_traceback() -> None:
    class Unbuildable(Scale):
        def __init__(self, options: Scale.Options) -> None:
            raise RuntimeError("no camera attached")

    denoisplit.register("calibrator", "unbuildable", summary="Fails.")(Unbuildable)
    result = check("unbuildable")
    assert result.exit_code == 1
    assert "RuntimeError: no camera attached" in result.stdout
    assert "Traceback" not in result.output


@pytest.mark.parametrize("package", ["pytest", "hypothesis"])
def test_missing_packages_are_one_clear_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def without(name: str, *rest: Any) -> Any:
        return None if name == package else found(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    result = check("scale")
    assert result.exit_code == 2
    assert result.stderr == (
        f"denoisplit.testing: packages are missing (got no {package}). "
        f"Run: pip install 'denoisplit[testing]'.\n"
    )


def test_importing_the_package_of_the_suites_needs_neither(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.modules.update(pytest=None, hypothesis=None, torch=None); "
        "import denoisplit.testing; dir(denoisplit.testing)"
    )
    root = Path(denoisplit.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
