"""What plugins may add beside components: commands and watchers of a training. Real distributions."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import denoisplit
from denoisplit.core.errors import TrainingError
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry.registry import installed_registry, load_registry
from denoisplit.core.training import fit
from denoisplit.core.training.watchers.watching import Moment
from tests.cli.refusals import run as command
from tests.distributions import MANIFEST, Install, installer

HOOKS = """
import pathlib
from denoisplit import hookimpl

pathlib.Path(__file__).with_name("imported").touch()

@hookimpl
def denoisplit_commands():
    return {"greet": "{package}.greeting:greet"}

@hookimpl
def denoisplit_watchers(out):
    from {package}.watching import Steps
    return [Steps(out)]

@hookimpl(optionalhook=True)
def denoisplit_of_the_future(something):
    raise RuntimeError
"""
GREETING = """
import click

@click.command()
@click.argument("name")
def greet(name):
    click.echo(f"{package} greets {name}")
"""
WATCHING = """
from denoisplit import Watcher

class Steps(Watcher):
    def __init__(self, out):
        self.out = out
    def ended(self, now):
        (self.out / "steps.txt").write_text(str(now.step))
"""
SPEC = """
preset: denoisplit
channels: [a, b]
data:
  train: {use: simulated, fields: 2, size: 32, seed: 1}
  validation: {use: simulated, fields: 1, size: 32, seed: 2}
model:
  encoder: {levels: 1, width: 2, blocks: 1}
  decoder: {latent_channels: 2}
  noise_model: {use: gaussian}
training: {steps: 2, batch: 1, patch: 16}
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    installed_registry.cache_clear()
    yield installer(tmp_path / "site", monkeypatch)
    installed_registry.cache_clear()


def hooked(install: Install, package: str, hooks: str = HOOKS) -> Path:
    """A package with a manifest, which names the module of its hooks."""
    rows = "".join(f"  {line}\n" for line in MANIFEST.strip().splitlines())
    folder = install(package, manifest=f"hooks: {package}.hooks\ncomponents:\n{rows}")
    for name, code in (("hooks", hooks), ("greeting", GREETING), ("watching", WATCHING)):
        (folder / f"{name}.py").write_text(code.replace("{package}", package))
    return folder


def test_a_plugin_adds_a_command(install: Install) -> None:
    folder = hooked(install, "polite")
    assert "polite" in command("plugins", "list").output
    assert command("--help").exit_code == 0
    assert not (folder / "imported").exists()
    done = command("greet", "you")
    assert (done.exit_code, done.output) == (0, "polite greets you\n")
    assert "No such command 'great'" in command("great").output


def test_a_module_with_hooks_alone_adds_a_command(install: Install) -> None:
    folder = install("alone", code=HOOKS.replace("{package}", "alone"))
    (folder / "greeting.py").write_text(GREETING.replace("{package}", "alone"))
    assert command("greet", "you").output == "alone greets you\n"
    assert load_registry().broken == ()


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("greeting:greet", "greeting:great", "command greet of rude: rude.greeting:great cannot be imported"),
        ("greeting:greet", "greeting:click", "is not a click command"),
    ],
)
def test_a_command_that_cannot_be_had_is_one_line(
    install: Install, before: str, after: str, problem: str
) -> None:
    hooked(install, "rude", HOOKS.replace(before, after))
    done = command("greet", "you")
    assert done.exit_code == 2
    assert problem in done.output
    assert "Traceback" not in done.output


def test_a_command_of_two_packages_is_refused_and_names_both(install: Install) -> None:
    hooked(install, "one")
    hooked(install, "two")
    done = command("greet", "you")
    assert done.exit_code == 2
    assert "command greet: offered by the packages one and two." in done.output


@pytest.mark.parametrize(
    "hooks", ["1 / 0", HOOKS.replace("(out)", "(nothing)"), HOOKS.replace("return", "1 / 0;")]
)
def test_hooks_that_fail_are_told_and_stop_nobody_else(
    install: Install, caplog: pytest.LogCaptureFixture, hooks: str
) -> None:
    hooked(install, "crash", hooks)
    hooked(install, "polite")
    with caplog.at_level(logging.WARNING, "denoisplit"):
        assert command("greet", "you").output == "polite greets you\n"
    assert "package crash: " in caplog.text
    assert [row.package for row in load_registry().components("calibrator") if row.name == "mine"] == [
        "crash",
        "polite",
    ]


def test_a_plugin_looks_on_at_a_training(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hooked(install, "looker")
    hooked(install, "wrong", HOOKS.replace("[Steps(out)]", "['steps']"))
    (tmp_path / "spec.yaml").write_text(SPEC)

    def one_step(vse: VSE, learning: object, begun: object, watchers: Sequence[Any], device: object) -> None:
        """As training ends for those who look on, without the minute that it takes."""
        for watcher in watchers[1:]:
            watcher.ended(Moment(step=7, steps=7, vse=vse, learning_rate=1e-3))
        raise TrainingError("enough")

    monkeypatch.setattr(fit, "optimise", one_step)
    with caplog.at_level(logging.WARNING, "denoisplit"), pytest.raises(TrainingError, match="enough"):
        denoisplit.train(tmp_path / "spec.yaml", tmp_path / "run")
    assert (tmp_path / "run" / "steps.txt").read_text() == "7"
    assert "package wrong: gives no denoisplit.Watcher (got 'steps')" in caplog.text


FAILING = """
from denoisplit.core.training.watchers.watching import RememberingWatcher

class Steps(RememberingWatcher):
    key = "steps of a plugin"
    def __init__(self, out):
        self.out, self.seen = out, 0
    def stepped(self, now, loss):
        self.seen += 1
        if self.seen > 1:
            raise RuntimeError("disk of the dashboard is full")
        (self.out / "steps.txt").write_text(str(now.step))
    def state_dict(self):
        return {"seen": self.seen}
    def load_state_dict(self, state):
        self.seen = state["seen"]
"""


def test_a_watcher_that_fails_is_left_out_and_the_training_goes_on(
    install: Install, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = hooked(install, "looker")
    (folder / "watching.py").write_text(FAILING)
    (tmp_path / "spec.yaml").write_text(SPEC)
    with caplog.at_level(logging.WARNING, "denoisplit"):
        run = denoisplit.train(tmp_path / "spec.yaml", tmp_path / "run", overrides=["training.steps=3"])
    assert run.bundle.steps == 3
    assert (run.path / "steps.txt").read_text() == "1"
    told = "package looker: its watcher Steps fails (RuntimeError: disk of the dashboard is full)"
    assert caplog.text.count(told) == 1
