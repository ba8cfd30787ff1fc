"""Modules that register when they are imported: named in a spec or with ``--plugin``, stored in a run."""

import importlib
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import denoisplit
from denoisplit.cli import main
from denoisplit.core.errors import PluginError, SpecError
from denoisplit.core.network.composer import compose
from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.modules import import_plugin_module
from denoisplit.core.spec import component_versions, load_spec, parse_spec, resolve, to_yaml
from denoisplit.core.spec.chosen import Chosen
from denoisplit.core.storage.bundle import Bundle, load_bundle, save_bundle
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training import fit
from tests.network.small import statistics

MODULE = '''
import attrs
import denoisplit
from denoisplit.core.network.interfaces import Calibrator

@denoisplit.register("calibrator", "of_my_module")
class Mine(Calibrator):
    """Mine."""

    @attrs.frozen
    class Options:
        pass

    def __init__(self, options): ...
    def fit(self, mean, std, truth): ...
    def apply(self, calibration, std): return std
    def interval(self, calibration, mean, std, level): ...
'''
SPEC = """
preset: denoisplit
channels: [one, two]
data: {train: {use: simulated}}
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
  noise_model: {use: gaussian}
calibrator: {use: of_my_module}
training: {patch: 16}
"""


@pytest.fixture(autouse=True)
def _session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has imported no plugin module."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    new_process()
    yield
    new_process()


def new_process() -> None:
    installed_registry.cache_clear()
    for name in ("my_module", "my_helper"):
        sys.modules.pop(name, None)


def written(folder: Path, *, plugins: str = "", module: str = MODULE) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "my_module.py").write_text(module)
    spec = folder / "spec.yaml"
    spec.write_text(SPEC + plugins)
    return spec


def run_command(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def stored(folder: Path, spec_file: Path) -> RunFolder:
    """An untrained network on disk."""
    spec, stats, run = load_spec(spec_file), statistics(2), RunFolder(folder)
    vse = compose(spec.model, stats, channels=spec.channels, patch=spec.training.patch)
    run.path.mkdir()
    bundle = Bundle(
        spec=spec,
        statistics=stats,
        noise_reports=(),
        calibration=None,
        components=component_versions(spec),
        data_fingerprint="00ff",
        versions={"denoisplit": "1"},
        steps=1,
        best_step=1,
        best_loss=0.5,
    )
    save_bundle(run, vse, bundle)
    return run


@pytest.mark.parametrize("given", ["my_module.py", "./my_module.py", "my_module"])
def test_a_spec_names_a_module_beside_it(tmp_path: Path, given: str) -> None:
    spec = load_spec(written(tmp_path / "here", plugins=f"plugins: [{given}]\n"))
    assert spec.calibrator.component.qualified == "notebook/of_my_module"
    assert spec.plugins == (str(tmp_path / "here" / "my_module.py"),)
    assert resolve(parse_spec(to_yaml(spec)), installed_registry()) == spec


def test_a_command_takes_a_module_and_a_spec_without_one_knows_whether_it_needs_it(tmp_path: Path) -> None:
    spec = written(tmp_path)
    refused = run_command("check", spec)
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    taken = run_command("check", spec, "--plugin", tmp_path / "my_module.py")
    assert taken.exit_code == 0, taken.output
    assert f"- {tmp_path}/my_module.py" in taken.stdout
    other = run_command(
        "check", spec, "--set", "calibrator={use: scale}", "--plugin", tmp_path / "my_module.py"
    )
    assert "my_module" not in other.stdout
    assert "plugins" not in other.stdout


def test_a_module_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    listed = run_command("plugins", "list", "--kind", "calibrator", "--plugin", "my_module")
    assert "of_my_module  notebook source-" in " ".join(listed.stdout.split()).replace(
        "module notebook", "module  notebook"
    )
    assert load_spec(tmp_path / "spec.yaml").plugins == ("my_module",)


@pytest.mark.parametrize(
    ("given", "module", "message"),
    [
        ("~nobody-here/a.py", MODULE, "~nobody-here/a.py: no home folder is known for this user (got "),
        ("gone.py", MODULE, "gone.py: no such plugin module (looked for "),
        ("gone_module", MODULE, "gone_module: no such plugin module (neither installed nor a file "),
        ("notes.ipynb/x.ipynb", MODULE, "Save the notebook as a script (.py)"),
        ("my-module", MODULE, "not a name (got 'my-module')"),
        (
            "my_module.py",
            "x = 1\n1 / 0\n",
            "the plugin module fails (ZeroDivisionError, line 2: division by zero)",
        ),
        ("my_module.py", "def (", "the plugin module fails (SyntaxError"),
        ("my_module.py", "raise SystemExit", "the plugin module fails (SystemExit"),
        ("my_module.py", MODULE.replace("of_my_module", "scale"), "A built-in cannot be replaced"),
        ("my_module.py", MODULE.replace('"calibrator"', '"calibrater"'), "Did you mean calibrator?"),
    ],
)
def test_what_is_wrong_with_a_module_is_one_line(
    tmp_path: Path, given: str, module: str, message: str
) -> None:
    text = SPEC.replace("of_my_module", "scale") + f"plugins: [{given!r}]\n"
    written(tmp_path, module=module).write_text(text)
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / "spec.yaml")
    (problem,) = caught.value.problems
    assert message in problem
    assert problem.startswith(f"{tmp_path}/spec.yaml:11:11 $.plugins[0]: ")
    if "/" not in given:
        refused = run_command("plugins", "list", "--plugin", tmp_path / given)
        assert refused.exit_code == 2
        assert len(refused.stderr.splitlines()) == 1


def test_a_run_starts_no_code_of_a_file_that_only_the_run_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [*sys.path]
    run = stored(tmp_path / "run", written(tmp_path / "here", plugins="plugins: [my_module.py]\n"))
    sys.path[:] = before
    file = tmp_path / "here" / "my_module.py"
    beside = run.path / "my_module.py"
    beside.write_text(MODULE)
    description = run.bundle.read_text()
    for named, meant in ((str(file), file), ("my_module.py", beside), ("my_module", beside)):
        new_process()
        monkeypatch.chdir(file.parent)
        run.bundle.write_text(re.sub(r'"sha256": "\w+",', "", description).replace(str(file), named))
        with pytest.raises(
            PluginError, match=f"trust it, add --plugin {meant}, or import it first"
        ) as caught:
            load_bundle(run)
        assert "my_module" not in sys.modules
        assert len(str(caught.value).splitlines()) == 1
    run.bundle.write_text(description)
    sys.path.append(str(file.parent))
    importlib.import_module("my_module")
    assert load_bundle(run)[1].spec.plugins == (str(file),)


def test_a_run_names_all_files_that_it_waits_for_at_once(tmp_path: Path) -> None:
    spec = written(tmp_path / "here", plugins="plugins: [my_module.py, my_helper.py]\n")
    files = [spec.parent / "my_module.py", spec.parent / "my_helper.py"]
    files[1].write_text("ANSWER = 42\n")
    run = stored(tmp_path / "run", spec)
    new_process()
    with pytest.raises(PluginError, match=f"add --plugin {files[0]} --plugin {files[1]}, or import"):
        load_bundle(run)
    import_plugin_module(str(files[0]), installed_registry())
    assert load_bundle(run)[1].spec.plugins == (str(files[0]),)
    assert "my_helper" not in sys.modules


@pytest.mark.parametrize("gone", [True, False], ids=["moved", "copied"])
def test_a_file_under_another_name_has_the_components_of_a_run(tmp_path: Path, gone: bool) -> None:
    spec = written(tmp_path / "here", plugins="plugins: [my_module.py]\n")
    run = stored(tmp_path / "run", spec)
    new_process()
    other = tmp_path / "my_camera.py"
    other.write_text(MODULE)
    if gone:
        (spec.parent / "my_module.py").unlink()
    import_plugin_module(str(other), installed_registry())
    assert load_bundle(run)[1].spec.plugins == (str(other),)
    assert "my_module" not in sys.modules


@pytest.mark.parametrize("gone", [True, False])
def test_a_run_opens_without_the_module_of_its_training(tmp_path: Path, gone: bool) -> None:
    module = """
import denoisplit
from denoisplit.plugins.optimizers.adamw import AdamW

@denoisplit.register("optimizer", "of_my_module")
class Mine(AdamW):
    pass
"""
    spec = written(tmp_path / "here", plugins="plugins: [my_module.py]\n", module=module)
    text = spec.read_text().replace("calibrator: {use: of_my_module}\n", "")
    spec.write_text(text.replace("{patch: 16}", "{patch: 16, optimizer: of_my_module}"))
    run = stored(tmp_path / "run", spec)
    new_process()
    file = spec.parent / "my_module.py"
    if gone:
        file.unlink()
    opened = load_bundle(run)[1].spec
    optimizer = opened.training.optimizer
    assert isinstance(optimizer, Chosen)
    assert opened.plugins == ()
    assert "my_module" not in sys.modules
    reason = re.escape(
        f"{run.path}: needs optimizer notebook/of_my_module, which a plugin module registered. {file}"
    )
    with pytest.raises(PluginError, match=reason) as caught:
        optimizer.component.load()
    assert len(str(caught.value).splitlines()) == 1


def test_a_run_says_which_module_is_missing(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", written(tmp_path / "here", plugins="plugins: [my_module.py]\n"))
    new_process()
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(PluginError) as caught:
        denoisplit.load(run.path)
    assert str(caught.value).startswith(
        f"{run.path}: needs calibrator notebook/of_my_module, which a plugin module registered. "
        f"{tmp_path}/here/my_module.py: no such plugin module (looked for "
    )
    assert len(str(caught.value).splitlines()) == 1

    import_plugin_module(str(tmp_path / "there" / "my_module.py"), installed_registry())
    assert load_bundle(run)[1].spec.plugins == (str(tmp_path / "there" / "my_module.py"),)


def test_another_class_under_the_name_is_told_and_the_same_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = written(tmp_path, plugins="plugins: [my_module.py]\n")
    run = stored(tmp_path / "run", spec)
    with caplog.at_level(logging.WARNING):
        written(tmp_path, module=MODULE + "\nUNRELATED = 1\n")
        load_bundle(run)
        assert caplog.messages == []
        written(tmp_path, module=MODULE.replace("return std", "return 2 * std"))
        load_bundle(run)
    (line,) = caplog.messages
    assert line.startswith(f"{run.path}: calibrator notebook/of_my_module is another class than the one")
    assert len(line.splitlines()) == 1


def test_a_base_of_the_same_module_belongs_to_the_class(tmp_path: Path) -> None:
    based = MODULE.replace("@denoisplit", "class Base:\n    factor = 1\n\n@denoisplit").replace(
        "(Calibrator)", "(Base, Calibrator)"
    )
    versions = set()
    for text in (based, based.replace("factor = 1", "factor = 2"), based):
        (tmp_path / "my_module.py").write_text(text)
        import_plugin_module(str(tmp_path / "my_module.py"), installed_registry())
        versions.add(installed_registry().find("calibrator", "of_my_module").version)
    assert len(versions) == 2


def test_modules_beside_a_module_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "my_helper.py").write_text(MODULE)
    (tmp_path / "my_module.py").write_text("import my_helper\n")
    name = import_plugin_module(str(tmp_path / "my_module.py"), installed_registry())
    spec = resolve(parse_spec(SPEC), installed_registry())
    assert spec.plugins == (name,)


def test_a_file_with_the_name_of_another_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text(MODULE)
    with pytest.raises(PluginError, match="another module is called json, choose another name"):
        import_plugin_module(str(tmp_path / "json.py"), installed_registry())


def test_the_schema_of_every_run_of_a_session_has_the_components_that_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class EnoughError(Exception):
        pass

    def enough(*_: object) -> None:
        raise EnoughError

    monkeypatch.setattr(fit, "rehearse", lambda *_, **__: None)
    monkeypatch.setattr(fit, "optimise", enough)
    small = ["data={train: {use: simulated, fields: 2, size: 32}, validation_fraction: 0.5}"]
    alone = [*small, "calibrator={use: scale}"]
    for option, overrides in (("", alone), ("colour", small), ("", alone), ("flavour", small)):
        new_process()
        module = MODULE.replace("pass", f"{option}: int = 1") if option else MODULE
        spec = written(tmp_path, plugins="plugins: [my_module.py]\n" if option else "", module=module)
        run = RunFolder(tmp_path / f"run-{option}-{len(list(tmp_path.iterdir()))}")
        with pytest.raises(EnoughError):
            denoisplit.train(spec, run.path, overrides=overrides)
        schema = run.schema.read_text()
        assert {name for name in ("colour", "flavour") if f'"{name}"' in schema} == {option} - {""}
