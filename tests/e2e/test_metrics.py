"""Metrics of strangers in the table of ``evaluate``."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import denoisplit
from denoisplit.cli import main
from denoisplit.core.registry import installed_registry
from tests.e2e.experiment import Experiment

MODULE = '''
import attrs
import numpy as np
import denoisplit
from denoisplit.core.assessment.metric import Metric

@denoisplit.register("metric", "error_of_mine")
class Mine(Metric):
    """Mine."""

    @attrs.frozen
    class Options:
        power: int = 1

    label, unit, larger_is_better = "my error", "counts", False

    def score(self, truth, prediction):
        return float((np.abs(truth - prediction) ** self.options.power).mean())
'''


@pytest.fixture(autouse=True)
def _session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    installed_registry.cache_clear()
    yield
    installed_registry.cache_clear()
    sys.modules.pop("metric_of_a_stranger", None)


def evaluate(tmp_path: Path, run: Path, module: str, *words: str) -> Result:
    (tmp_path / "metric_of_a_stranger.py").write_text(module)
    given = ["--plugin", str(tmp_path / "metric_of_a_stranger.py"), "--samples", "1", "--device", "cpu"]
    return CliRunner().invoke(main, ["evaluate", str(run), *given, *words])


def test_a_metric_of_a_stranger_is_a_row_of_the_table(tmp_path: Path, experiment: Experiment) -> None:
    out = tmp_path / "scores.json"
    words = ("--metric", "error_of_mine", "--set", "metrics=[{use: pearson}, {use: error_of_mine, power: 2}]")
    result = evaluate(tmp_path, experiment.run, MODULE, "--json", str(out), *words)
    assert result.exit_code == 0, result.output
    assert "my error (counts)" in result.stdout
    scores = json.loads(out.read_text())
    names = [metric["name"] for metric in scores["metrics"]]
    assert names == [
        "psnr",
        "range_invariant_psnr",
        "ssim",
        "ms_ssim",
        "pearson",
        "error_of_mine",
        "error_of_mine_2",
    ]
    alone = evaluate(
        tmp_path, experiment.run, MODULE, "--metrics", "pearson", "--metric", "notebook/error_of_mine"
    )
    assert alone.exit_code == 0, alone.output
    assert "PSNR" not in alone.stdout
    assert "my error (counts)" in alone.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (".mean())", ".mean(), 1)", "metric notebook/error_of_mine: fails on images of "),
        (
            "    def score(",
            "    def scores(self, truths, predictions): return [1.0]*9\n    def score(",
            "a number per image",
        ),
        ("power: int = 1", "power: int", "needs options (got no power)"),
        (
            "power: int = 1",
            "power: int = attrs.field(default=1, validator=attrs.validators.ge(2))",
            "its options have no valid defaults (ValueError: 'power' must be >= 2: 1). Correct that of power",
        ),
        (
            "power: int = 1",
            "power: int = 1\n        def __attrs_post_init__(self): raise ValueError('too low')",
            "refuses its own default options (ValueError: too low, at ",
        ),
        (
            "    def score(",
            "    def __init__(self): ...\n    def score(",
            "its constructor does not take what it is given",
        ),
    ],
)
def test_a_broken_metric_is_one_line(
    tmp_path: Path, experiment: Experiment, old: str, new: str, message: str
) -> None:
    result = evaluate(tmp_path, experiment.run, MODULE.replace(old, new), "--metric", "error_of_mine")
    assert result.exit_code == 2, result.output
    assert message in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.output


def test_a_name_that_is_none_says_what_there_is(experiment: Experiment) -> None:
    with pytest.raises(
        denoisplit.DenoisplitError, match=r"no such score \(got psrn\)\. Use some of psnr, range"
    ):
        denoisplit.load(experiment.run).evaluate([], metrics=["psrn"])
