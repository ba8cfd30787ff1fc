"""Third-party packages, found through their metadata."""

import json
import sys
from pathlib import Path

import pytest

from denoisplit.core.errors import BrokenPluginError, DuplicateNameError, UnknownComponentError
from denoisplit.core.registry.registry import Registry, load_registry
from tests.distributions import MANIFEST, Install, installer

HOOK = """
    from denoisplit import hookimpl

    @hookimpl
    def denoisplit_register(register):
        register("calibrator", "mine", "hooked.parts:Mine", summary="Known later.", status="experimental")
"""
PARTS = """
import attrs
from denoisplit.core.network.interfaces import Calibrator

class Mine(Calibrator):
    @attrs.frozen
    class Options:
        pass

    def __init__(self, options): ...
    def fit(self, mean, std, truth): ...
    def apply(self, calibration, std): ...
    def interval(self, calibration, mean, std, level): ...
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    return installer(tmp_path / "site", monkeypatch)


def only_broken(registry: Registry) -> str:
    (plugin,) = registry.broken
    return plugin.error


def test_a_manifest_is_read_without_importing_the_package(install: Install) -> None:
    install("my-lab", code="raise RuntimeError('imported')", manifest=MANIFEST)
    registry = load_registry()
    row = registry.find("calibrator", "mine")
    assert (row.qualified, row.version, row.target) == ("my-lab/mine", "1.2", "my_lab.parts:Mine")
    assert registry.broken == ()
    assert "my_lab" not in sys.modules


def test_a_component_loads_under_its_bare_and_its_qualified_name(install: Install) -> None:
    (install("lab_load", manifest=MANIFEST) / "parts.py").write_text(PARTS)
    registry = load_registry()
    for name in ("mine", "lab-load/mine", "lab_load/mine", "Lab.Load/mine"):
        assert registry.find("calibrator", name).load().__name__ == "Mine"


def test_a_hook_implementation_registers_what_it_knows_at_run_time(install: Install) -> None:
    install("hooked", code=HOOK)
    row = load_registry().find("calibrator", "hooked/mine")
    assert (row.summary, row.status) == ("Known later.", "experimental")


@pytest.mark.parametrize(
    ("code", "manifest", "target", "message"),
    [
        ("import no_such_module", "", "", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "", "", "SystemExit: 3"),
        ("", "", "", "offers neither a registry.yaml nor the hook denoisplit_register"),
        ("", "", "gone_package", "there is no package gone_package"),
        (
            HOOK.replace("denoisplit_register", "denoisplit_registre"),
            "",
            "",
            "unknown hook 'denoisplit_registre'",
        ),
        ("", "kind: calibrator", "", "expected a list of components (got a mapping)"),
    ],
)
def test_a_broken_plugin_is_listed_and_never_stops_the_others(
    install: Install, code: str, manifest: str, target: str, message: str
) -> None:
    install("bad", code=code, manifest=manifest, target=target)
    install("good", manifest=MANIFEST)
    sys.modules.pop("bad", None)
    registry = load_registry()
    assert message in only_broken(registry)
    assert registry.broken[0].package == "bad"
    assert "Traceback" in registry.broken[0].traceback
    assert registry.find("calibrator", "mine").package == "good"
    assert registry.find("encoder", "ladder").package == "denoisplit"


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("calibrator", "calibrater", "calibrater bad/mine: unknown kind (got 'calibrater'). Use one of enc"),
        ("mine", "Mine", "calibrator bad/Mine: not a valid name (got 'Mine')"),
        ("bad.parts:", "bad.parts.", "(got 'bad.parts.Mine'). Write package.module:Class"),
        ("Calibrator of bad.", " ", "the summary is empty"),
        ("stable", "stale", "unknown status (got 'stale')"),
        ("mine", "sound", "calibrator sound: offered twice by the package bad"),
        ("mine", "scale", "offered by the packages denoisplit and bad. A built-in cannot be replaced"),
    ],
)
@pytest.mark.parametrize("by", ["manifest", "hook"])
def test_a_wrong_row_costs_that_row_and_names_its_line(
    install: Install, by: str, before: str, after: str, problem: str
) -> None:
    fields = {
        "kind": "calibrator",
        "name": "mine",
        "target": "bad.parts:Mine",
        "summary": "Calibrator of bad.",
        "status": "stable",
    }
    wrong = {key: after if value == before else value.replace(before, after) for key, value in fields.items()}
    wrong = {key: wrong[key] if key != "target" or "parts" in before else fields[key] for key in fields}
    rows = [{**fields, "name": "sound"}, wrong, {**fields, "name": "second"}]
    if by == "manifest":
        install(
            "bad",
            manifest="\n".join(f"- {json.dumps(row)}" for row in rows).replace("{", "{{").replace("}", "}}"),
        )
        place = "registry.yaml:2:3: "
    else:
        calls = "\n".join(f"    register(**{row!r})" for row in rows)
        head = "from denoisplit import hookimpl\n@hookimpl\ndef denoisplit_register(register):\n"
        install("bad", code=head + calls)
        place = "__init__.py:5: "
    registry = load_registry()
    (told,) = registry.broken
    assert (told.component, told.traceback) == (True, "")
    assert problem in told.error
    assert place in told.error or "offered" in problem
    assert {"sound", "second"} <= {row.name for row in registry.components() if row.package == "bad"}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (MANIFEST.replace("name:", "nam:"), "registry.yaml:7:3: unknown key nam (allowed: kind, name, "),
        (MANIFEST.replace("name:", "nam:"), "registry.yaml:6:3: name is missing. Add it."),
        (MANIFEST + "  since: 0.1\n", "registry.yaml:10:10: since must be text (got 0.1)"),
        ("- mine\n", "registry.yaml:6:3: expected a component (got 'mine')"),
    ],
)
def test_a_row_of_another_form_costs_that_row(install: Install, row: str, problem: str) -> None:
    install("bad", manifest=MANIFEST.replace("{name}", "sound") + row.lstrip())
    registry = load_registry()
    assert problem in only_broken(registry)
    assert registry.find("calibrator", "sound").package == "bad"


def test_the_traceback_of_a_broken_plugin_names_its_line(install: Install) -> None:
    install("crash", code="def help():\n    return 1 / 0\nhelp()\n")
    (plugin,) = load_registry().broken
    assert "ZeroDivisionError" in plugin.error
    assert "line 2, in help" in plugin.traceback


def test_a_name_that_two_packages_offer_has_to_be_qualified(install: Install) -> None:
    install("lab-a", manifest=MANIFEST)
    install("lab-b", manifest=MANIFEST)
    registry = load_registry()
    assert registry.broken == ()
    with pytest.raises(
        DuplicateNameError, match=r"packages lab-a and lab-b\. Write lab-a/mine or lab-b/mine"
    ):
        registry.find("calibrator", "mine")
    assert registry.find("calibrator", "lab-b/mine").package == "lab-b"


def test_a_plugin_cannot_pass_for_the_builtins(install: Install) -> None:
    install("thief", manifest=MANIFEST)
    info = install("other").parent / "thief-1.2.dist-info" / "METADATA"
    info.write_text("Metadata-Version: 2.1\nName: denoisplit\nVersion: 9\n")
    assert any("the package name denoisplit is taken" in plugin.error for plugin in load_registry().broken)


def test_disabled_plugins_are_neither_listed_nor_imported(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("lab-off", code="raise RuntimeError", manifest="")
    install("lab-on", manifest=MANIFEST)
    install("lab-out", manifest=MANIFEST)
    monkeypatch.setenv("DENOISPLIT_DISABLE_PLUGINS", "lab_off, Lab-Out")
    registry = load_registry()
    assert registry.broken == ()
    assert registry.find("calibrator", "mine").package == "lab-on"


def test_an_unknown_name_mentions_broken_plugins(install: Install) -> None:
    install("crash2", code="1 / 0")
    registry = load_registry()
    twice = Registry(registry.components(), registry.broken * 2)
    with pytest.raises(
        UnknownComponentError, match=r"Broken plugins: crash2 \(see denoisplit plugins list\)"
    ):
        twice.find("calibrator", "mine")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("1 / 0", r"cannot be imported \(ZeroDivisionError: division by zero\)\. Update or remove"),
        ("", r"cannot be imported \(AttributeError"),
        ("class Mine: ...", r"not a subclass of denoisplit\.core\.network\.interfaces:Calibrator"),
        (PARTS.replace("def apply", "def aply"), r"the class is abstract\. Implement apply"),
        (PARTS.replace("Options:", "Settings:"), r"has no attrs class Options"),
    ],
)
def test_a_class_that_breaks_the_contract_says_so_when_loaded(
    install: Install, parts: str, message: str
) -> None:
    sys.modules.pop("lab_contract", None)
    sys.modules.pop("lab_contract.parts", None)
    (install("lab-contract", manifest=MANIFEST) / "parts.py").write_text(parts)
    row = load_registry().find("calibrator", "mine")
    with pytest.raises(
        BrokenPluginError, match=f"calibrator lab-contract/mine: lab_contract.parts:Mine.*{message}"
    ):
        row.load()
