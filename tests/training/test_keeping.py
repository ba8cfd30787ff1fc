"""Which weights a run gets, and what is said of weights that are no good."""

import csv
from collections.abc import Iterable
from pathlib import Path

import attrs
import pytest
import torch

import denoisplit
from denoisplit.core.errors import NonFiniteLossError, TrainingError
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.data.batches import Pair
from denoisplit.core.training.steps.keeping import KeptWeights
from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.core.training.watchers.watching import Moment
from tests.network.small import network
from tests.training.test_fit import SPEC


@pytest.mark.parametrize(
    ("keep", "schedule", "last"),
    [
        ("auto", "cosine", True),
        ("last", "plateau", True),
        ("best", "cosine", False),
        ("auto", "plateau", False),
    ],
)
def test_the_last_weights_of_a_cosine_or_the_best_ones(
    tmp_path: Path, keep: str, schedule: str, last: bool
) -> None:
    """The validation gets worse early, with these draws; patience ends only what keeps the best."""
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    changes = {"keep": keep, "schedule": schedule, "learning_rate": 0.1, "validate_every": 1}
    changes["noise"] = "generator"
    run = denoisplit.train(
        tmp_path / "spec.yaml",
        tmp_path / "run",
        overrides=[f"training.{key}={value}" for key, value in {**changes, "stop_patience": 2}.items()],
    )
    with run.folder.metrics.open(newline="", encoding="utf-8") as file:
        losses = {int(row["step"]): float(row["val_loss"]) for row in csv.DictReader(file)}
    best = min(losses, key=losses.__getitem__)
    assert best < 4
    assert run.bundle.steps == (6 if last else best + 2)
    assert run.bundle.best_step == (6 if last else best)
    assert run.bundle.best_loss == pytest.approx(losses[run.bundle.best_step], rel=1e-6)


class Fixed(SplittingTask):
    """A task whose validation losses are given: before the first step, and after the last."""

    def __init__(self, *losses: float) -> None:
        super().__init__(network(), TrainingSpec())
        self.losses = list(losses)

    def loss_of(self, batches: Iterable[Pair]) -> float:
        return self.losses.pop(0)


def ended(task: Fixed) -> KeptWeights:
    kept = KeptWeights(TrainingSpec(keep="last"), task, ())
    now = Moment(step=0, steps=9, vse=task.vse, learning_rate=1e-3)
    kept.begun(now)
    kept.ended(attrs.evolve(now, step=9))
    return kept


@pytest.mark.parametrize("loss", [1e32, 2e6, float("inf"), float("nan")])
def test_a_loss_beyond_all_sense_is_an_error(loss: float) -> None:
    with pytest.raises(TrainingError, match=r"got a loss of .* at step 9\)\. Look for hot pixels") as refusal:
        ended(Fixed(1e33, loss)).require_success()
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(("loss", "said"), [(5.0, True), (6.0, True), (4.9, False)])
def test_what_is_no_better_than_before_is_said(
    loss: float, said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    kept = ended(Fixed(5.0, loss))
    kept.require_success()
    assert kept.kept.step == 9
    assert [message.partition(":")[2][:16] for message in caplog.messages] == [" it did not help"] * said


@pytest.mark.parametrize("value", [float("nan"), -float("inf")])
def test_weights_that_are_not_finite_are_never_kept(value: float) -> None:
    task = Fixed(5.0, 4.0)
    with torch.no_grad():
        next(iter(task.vse.parameters())).view(-1)[0] = value
    with pytest.raises(NonFiniteLossError, match=r"training step 9: weight .* is not finite\. Lower"):
        ended(task)
