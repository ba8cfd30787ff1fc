"""Loggers whose packages are not installed, tried with stand-ins that record what is called."""

import importlib.machinery
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from denoisplit.core.errors import MissingPackageError
from denoisplit.core.registry import load_registry
from denoisplit.plugins.loggers.mlflow import MLflow
from denoisplit.plugins.loggers.wandb import Wandb
from denoisplit.testing import suite_for
from denoisplit.testing.examination import laws, verdict

PIXELS = np.zeros((4, 5, 3), dtype=np.uint8)
Said = list[tuple[str, Any]]


def module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None)
    vars(made).update(members)
    return made


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Said:
    """What is called of the package wandb."""
    said: Said = []

    class Run:
        def __init__(self, **given: Any) -> None:
            said.append(("init", given))
            self.id = given["id"] or "new"

        def define_metric(self, name: str, **given: Any) -> None:
            said.append(("define_metric", (name, given)))

        def log(self, numbers: dict[str, Any]) -> None:
            said.append(("log", numbers))

        def finish(self, exit_code: int) -> None:
            said.append(("finish", exit_code))

    stand_in = module(
        "wandb",
        init=Run,
        setup=lambda settings: said.append(("setup", settings)),
        Settings=lambda **given: given,
        Image=lambda pixels, caption: ("image", pixels.shape, caption),
    )
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    return said


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Said:
    """What is called of the package mlflow."""
    said: Said = []
    experiments: dict[str, str] = {}

    class Client:
        def __init__(self, tracking_uri: str | None) -> None:
            said.append(("client", tracking_uri))

        def get_experiment_by_name(self, name: str) -> Any:
            return SimpleNamespace(experiment_id=experiments[name]) if name in experiments else None

        def create_experiment(self, name: str) -> str:
            said.append(("create_experiment", name))
            return experiments.setdefault(name, "7")

        def create_run(self, experiment: str, run_name: str) -> Any:
            said.append(("create_run", (experiment, run_name)))
            return SimpleNamespace(info=SimpleNamespace(run_id="run"))

        def __getattr__(self, name: str) -> Callable[..., None]:
            def record(run: str, *given: Any, **named: Any) -> None:
                said.append((name, (run, *given, *named.items())))

            return record

    entities = module(
        "mlflow.entities", Metric=lambda *given: given[:2] + given[3:], Param=lambda *given: given
    )
    monkeypatch.setitem(sys.modules, "mlflow", module("mlflow", MlflowClient=Client, entities=entities))
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    return said


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_the_laws_of_loggers_hold(request: pytest.FixtureRequest, name: str) -> None:
    request.getfixturevalue(name)
    found = [verdict(law) for law in laws(suite_for("logger", f"denoisplit/{name}"))]
    assert {one.outcome for one in found} <= {"holds", "does not apply"}, found


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_missing_package_is_one_line_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda one: None if one == name else found(one))
    cls = load_registry().find("logger", name).load()
    with pytest.raises(MissingPackageError) as caught:
        cls(cls.Options(), folder=tmp_path)
    assert str(caught.value) == (
        f"training.loggers: {name} needs the package {name}, which is not installed. "
        f"Install it with: pip install 'denoisplit[{name}]'."
    )


def test_a_run_of_wandb(tmp_path: Path, wandb: Said) -> None:
    options = Wandb.Options(project="cells", entity="lab", mode="offline")
    logger = Wandb(options, folder=tmp_path / "first")
    logger.begin({"channels": ["a"]}, step=0)
    logger.values(30, {"val_loss": 2.5})
    logger.picture(30, "validation", PIXELS)
    logger.end(finished=True)
    given = dict(wandb)["init"]
    assert (given["project"], given["entity"], given["name"]) == ("cells", "lab", "first")
    assert (given["mode"], given["dir"], given["config"]) == (
        "offline",
        str(tmp_path / "first"),
        {"channels": ["a"]},
    )
    assert wandb[0] == ("setup", {"silent": True})
    assert [one for one in wandb if one[0] == "log"] == [
        ("log", {"step": 30, "val_loss": 2.5}),
        ("log", {"step": 30, "validation": ("image", (4, 5, 3), "step 30")}),
    ]
    assert ("define_metric", ("*", {"step_metric": "step"})) in wandb
    assert wandb[-1] == ("finish", 0)


def test_uploads_without_end_are_told(tmp_path: Path, wandb: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = Wandb(Wandb.Options(), folder=tmp_path)
    logger.begin({}, step=0)
    monkeypatch.setattr("denoisplit.plugins.loggers.wandb._UPLOAD_SECONDS", 0.01)
    released = Event()
    monkeypatch.setattr(logger._run, "finish", lambda exit_code: released.wait())
    with pytest.raises(TimeoutError, match=r"not confirmed within 0\.01 s: run wandb sync"):
        logger.end(finished=True)
    released.set()
    assert wandb[-1][0] == "define_metric"


def test_a_training_that_goes_on_is_the_same_run_of_wandb(tmp_path: Path, wandb: Said) -> None:
    first = Wandb(Wandb.Options(name="mine"), folder=tmp_path)
    first.begin({}, step=0)
    state = first.state_dict()
    first.end(finished=False)
    assert wandb[-1] == ("finish", 1)
    second = Wandb(Wandb.Options(), folder=tmp_path)
    second.load_state_dict(state)
    second.begin({}, step=20)
    begun = [given for call, given in wandb if call == "init"]
    assert [one["id"] for one in begun] == [None, "new"]
    assert [one["name"] for one in begun] == ["mine", tmp_path.name]
    assert {one["resume"] for one in begun} == {"allow"}


def test_a_run_of_mlflow(tmp_path: Path, mlflow: Said) -> None:
    logger = MLflow(MLflow.Options(server="http://here", experiment="cells"), folder=tmp_path / "first")
    logger.begin({"channels": ["a"], "training": {"steps": 6, "note": "x" * 900}}, step=0)
    logger.values(30, {"val_loss": 2.5})
    logger.picture(30, "validation", PIXELS)
    logger.end(finished=True)
    assert mlflow[:3] == [
        ("client", "http://here"),
        ("create_experiment", "cells"),
        ("create_run", ("7", "first")),
    ]
    calls = [name for name, _ in mlflow[3:]]
    assert calls == ["log_batch", "log_dict", "log_batch", "log_image", "set_terminated"]
    params = [("channels", "['a']"), ("training.steps", "6"), ("training.note", "x" * 500)]
    assert mlflow[3][1] == ("run", ("params", params))
    assert mlflow[5][1] == ("run", ("metrics", [("val_loss", 2.5, 30)]))
    assert mlflow[6][1][2:] == (("key", "validation"), ("step", 30))
    assert mlflow[-1][1] == ("run", ("status", "FINISHED"))


def test_many_parameters_are_handed_over_in_parts(tmp_path: Path, mlflow: Said) -> None:
    logger = MLflow(MLflow.Options(), folder=tmp_path)
    logger.begin({str(n): n for n in range(230)}, step=0)
    sizes = [len(given[1][1]) for name, given in mlflow if name == "log_batch"]
    assert sizes == [100, 100, 30]


def test_a_training_that_goes_on_is_the_same_run_of_mlflow(tmp_path: Path, mlflow: Said) -> None:
    first = MLflow(MLflow.Options(name="mine"), folder=tmp_path)
    first.begin({}, step=0)
    first.end(finished=False)
    assert mlflow[-1] == ("set_terminated", ("run", ("status", "FAILED")))
    second = MLflow(MLflow.Options(), folder=tmp_path)
    second.load_state_dict(first.state_dict())
    second.begin({}, step=20)
    second.values(30, {"val_loss": 1.0})
    assert [given for name, given in mlflow if name == "create_run"] == [("7", "mine")]
    assert ("update_run", ("run", ("status", "RUNNING"))) in mlflow
    assert mlflow[-1][1][0] == "run"
