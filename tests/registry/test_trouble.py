"""Plugins in trouble, as whoever installed them meets them: real distributions, and a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import denoisplit
from tests.distributions import MANIFEST, Install, installer

ROOT = Path(denoisplit.__file__).parents[1]
SPY = "import pathlib\npathlib.Path(__file__).with_name('imported').touch()\n"
HOOK = SPY + (
    "from denoisplit import hookimpl\n"
    "@hookimpl\n"
    "def denoisplit_register(register):\n"
    "    register('calibrator', 'late', 'hooked.parts:Mine', summary='Known later.')\n"
)
FUTURE = 'plugin_api: ">=7,<8"\n'
SPEC = "preset: denoisplit\nchannels: [a, b]\ndata: {train: {use: folder, path: images}}\n"
LOADED = (
    "\nimport sys\n"
    "sys.stderr.write('LOADED ' + ' '.join(n for n in sys.modules if n == 'torch' or n.startswith('lab_')))"
)

TROUBLES = {
    "twin-a": ({"manifest": MANIFEST}, ""),
    "twin-b": ({"manifest": MANIFEST}, ""),
    "crash": ({"code": "import no_such_module"}, "ModuleNotFoundError: No module named 'no_such_module'"),
    "leaves": ({"code": "raise SystemExit(3)"}, "SystemExit: 3"),
    "no-entry": (
        {"target": "lab tools:"},
        "its entry point is no module (got no_entry = 'lab tools:'). Write",
    ),
    "future": (
        {"code": SPY, "manifest": FUTURE + "components: []\n"},
        "made for another plugin API (got >=7,<8, this denoisplit has 1.1). Update denoisplit",
    ),
    "future-hook": ({"code": HOOK, "manifest": FUTURE}, "made for another plugin API (got >=7,<8"),
    "misspelt": (
        {"code": HOOK.replace("denoisplit_register", "denoisplit_registre")},
        "unknown hook 'denoisplit_registre'",
    ),
    "wrong-argument": (
        {"code": HOOK.replace("(register)", "(registry)")},
        "Argument(s) {'registry'} are declared in the hookimpl but can not be found in the hookspec",
    ),
}
ROWS = {
    "wrong-keyword": ({"code": HOOK.replace("summary=", "sumary=")}, "unexpected keyword argument 'sumary'"),
    "thief": (
        {"manifest": MANIFEST.replace("{name}", "scale")},
        "offered by the packages denoisplit and thief. A built-in cannot be replaced; choose another name.",
    ),
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    return installer(tmp_path / "site", monkeypatch)


def python(site: Path, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that finds the distributions of ``site``."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), **environment},
        cwd=site.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def denoisplit_command(site: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "from denoisplit.cli import main; main(prog_name='denoisplit')"
    return python(site, code, *arguments, **environment)


@pytest.fixture
def troubled(install: Install, tmp_path: Path) -> Path:
    for name, (files, _) in {**TROUBLES, **ROWS}.items():
        install(name, **files)
    install("sound", manifest=MANIFEST.replace("{name}", "sound"))
    return tmp_path / "site"


def test_every_trouble_is_named_and_none_hides_the_others(troubled: Path) -> None:
    done = denoisplit_command(troubled, "plugins", "list")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    broken = {line.split()[2]: line for line in lines if line.startswith("broken plugin: ")}
    assert broken.keys() == {name for name, (_, message) in TROUBLES.items() if message}
    assert all(TROUBLES[name][1] in done.stdout for name in broken)
    rows = {line.split()[2]: line for line in lines if line.startswith("broken component: ")}
    assert rows.keys() == ROWS.keys()
    assert all(message in rows[name] for name, (_, message) in ROWS.items())
    offered = [line.split()[:2] for line in lines if line.startswith("  ")]
    assert all(["mine", twin] in offered for twin in ("twin-a", "twin-b"))
    assert ["sound", "sound"] in offered
    assert ["ladder", "denoisplit"] in offered


def test_a_spec_that_uses_none_of_them_hears_nothing_of_them(troubled: Path) -> None:
    spec = troubled.parent / "spec.yaml"
    spec.write_text(SPEC)
    done = denoisplit_command(troubled, "check", str(spec))
    assert (done.returncode, done.stderr) == (0, "")
    assert "use: denoisplit/scale" in done.stdout


def test_a_name_that_two_packages_offer_is_refused_in_one_line(troubled: Path) -> None:
    spec = troubled.parent / "spec.yaml"
    spec.write_text(SPEC)
    done = denoisplit_command(troubled, "check", str(spec), "--set", "calibrator={use: mine}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "offered by the packages twin-a and twin-b. Write twin-a/mine or twin-b/mine." in line


@pytest.mark.parametrize(
    "code",
    [
        "import denoisplit; denoisplit.__version__",
        "from denoisplit.cli import main; main(['--help'])",
        "from denoisplit.cli import main; main(['plugins', '--help'])",
        "from denoisplit.cli import main; main(['train', '--help'])",
    ],
)
def test_no_plugin_code_runs_before_components_are_asked_for(
    install: Install, tmp_path: Path, code: str
) -> None:
    hooked = install("hooked", code=HOOK)
    listed = install("listed", code=SPY, manifest=MANIFEST)
    assert python(tmp_path / "site", code).returncode == 0
    assert not (hooked / "imported").exists()
    assert not (listed / "imported").exists()


def test_only_a_hook_is_imported_for_a_list_and_only_when_its_plugin_api_fits(
    install: Install, tmp_path: Path
) -> None:
    hooked = install("hooked", code=HOOK, manifest='plugin_api: ">=1,<2"')
    listed = install("listed", code=SPY, manifest=MANIFEST)
    future = install("future", code=HOOK, manifest=FUTURE)
    assert denoisplit_command(tmp_path / "site", "plugins", "list").returncode == 0
    assert [(folder / "imported").exists() for folder in (hooked, listed, future)] == [True, False, False]


def test_disabled_plugins_run_no_code_and_are_not_mentioned(install: Install, tmp_path: Path) -> None:
    hooked = install("lab-hooked", code=HOOK)
    install("lab-crash", code="1 / 0")
    done = denoisplit_command(
        tmp_path / "site", "plugins", "list", DENOISPLIT_DISABLE_PLUGINS="lab_hooked, Lab-Crash"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "lab-" not in done.stdout
    assert not (hooked / "imported").exists()


def test_a_list_of_many_packages_imports_neither_torch_nor_them(install: Install, tmp_path: Path) -> None:
    for number in range(20):
        install(f"lab-{number}", code=SPY, manifest=MANIFEST)
    code = "from denoisplit.cli import main\nmain(['plugins', 'list'], standalone_mode=False)" + LOADED
    done = python(tmp_path / "site", code)
    assert sum(line.split()[:1] == ["mine"] for line in done.stdout.splitlines()) == 20
    assert done.stderr == "LOADED "


def test_a_package_that_was_removed_by_half_does_not_stop_the_others(
    install: Install, tmp_path: Path
) -> None:
    shutil.rmtree(install("no-code"))
    install("no-metadata", manifest=MANIFEST)
    (tmp_path / "site" / "no_metadata-1.2.dist-info" / "METADATA").unlink()
    install("sound", manifest=MANIFEST.replace("{name}", "sound"))
    done = denoisplit_command(tmp_path / "site", "plugins", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "broken plugin: no-code 1.2: BrokenPluginError: no_code: there is no package no_code" in done.stdout
    )
    assert "no-metadata unknown" in done.stdout
    assert "sound" in done.stdout
