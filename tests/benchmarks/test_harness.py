"""Records, ratios, turns, counts of operations and the page; nothing here depends on a clock."""

import json
import runpy
from functools import partial
from pathlib import Path

import attrs
import cattrs
import pytest
import torch
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import quality, training
from benchmarks.children import peak, run
from benchmarks.inputs import TINY, batch, frame, write_noise_models
from benchmarks.limit import Operations
from benchmarks.page import PAGE, number, page, read_all
from benchmarks.prediction import LEAST, MORE, scaled
from benchmarks.quality import Point, marks, rows_of
from benchmarks.records import Machine, Results, Row, Session, add, from_json, ratio, to_json
from benchmarks.rival_environment import torch_version, write_stubs
from benchmarks.settings import QUICK, THOROUGH
from benchmarks.timing import alternate
from benchmarks.training import require_same
from denoisplit.core.images.mixing import Mixing
from denoisplit.core.training.steps.compiling import compiled_blocks
from denoisplit.core.training.watchers.watching import Moment
from tests.network.small import network

MACHINE = Machine(
    processor="AMD EPYC 9B14",
    features=("avx512_bf16", "avx512f"),
    cores=2,
    memory=23.0,
    system="Linux x86_64",
)
ROWS = (
    Row(case="one step", contestant="denoisplit", unit="s", values=(1.0, 2.0, 4.0)),
    Row(case="one step", contestant="other", unit="s", values=(10.0, 10.0, 10.0), note="slow"),
)


def session(measure: str = "training", *, rows: tuple[Row, ...] = ROWS) -> Session:
    return Session(
        measure=measure,
        date="2026-03-01T12:00:00+00:00",
        commit="abc1234",
        quick=False,
        clock="wall",
        threads=2,
        load=0.1,
        seconds=12.5,
        versions={"python": "3.11", "torch": "2.13.0"},
        rows=rows,
    )


def test_ratios_are_taken_round_by_round() -> None:
    spread = ratio(ROWS[1], ROWS[0])
    assert (spread.median, spread.low, spread.high) == (5.0, 2.5, 10.0)
    # The ratio of the medians would be the same here, that of the means not: 10 / (7 / 3).
    assert spread.median != pytest.approx(30 / 7)


def test_rounds_that_do_not_belong_together_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="same rounds"):
        ratio(ROWS[1], attrs.evolve(ROWS[0], values=(1.0,)))
    with pytest.raises(ValueError, match="same rounds"):
        ratio(ROWS[1], attrs.evolve(ROWS[0], unit="MiB"))


def test_results_survive_their_file_and_unknown_keys_do_not() -> None:
    results = Results(machine=MACHINE, sessions=(session(),))
    assert from_json(to_json(results)) == results
    plain = json.loads(to_json(results))
    plain["sessions"][0]["rows"][0]["secnods"] = 1
    with pytest.raises(cattrs.BaseValidationError):
        from_json(json.dumps(plain))
    with pytest.raises(cattrs.BaseValidationError):
        from_json(to_json(results).replace('"schema": 1', '"schema": 2'))


def test_a_measure_replaces_its_earlier_session_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    add(path, MACHINE, session("training"))
    add(path, MACHINE, session("fixed"))
    again = attrs.evolve(session("training"), commit="def5678")
    found = add(path, MACHINE, again)
    assert found == from_json(path.read_text(encoding="utf-8"))
    assert {one.measure: one.commit for one in found.sessions} == {"training": "def5678", "fixed": "abc1234"}
    other = attrs.evolve(again, threads=again.threads + 1)
    assert add(path, MACHINE, other).sessions == (*found.sessions, other)


def test_files_are_named_by_the_machine() -> None:
    assert MACHINE.slug == "amd-epyc-2-cores-avx512bf16"


def test_contestants_take_turns_and_warm_up_does_not_count() -> None:
    calls: list[str] = []

    def work(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    found = alternate({"a": lambda: work("a"), "b": lambda: work("b")}, rounds=2, warm_up=1)
    assert "".join(calls) == "ababab"
    assert found == {"a": (3.0, 5.0), "b": (4.0, 6.0)}


def test_predictions_are_scaled_along_a_straight_line() -> None:
    def seconds(samples: int) -> float:
        return 7.0 + 0.5 * samples

    assert scaled(seconds(LEAST), seconds(MORE), samples=50) == pytest.approx(seconds(50))
    assert scaled(3.0, 2.9, samples=50) == 3.0  # noise does not make samples cheaper than nothing


def test_operations_of_products_convolutions_and_elements_are_counted() -> None:
    a, b = torch.randn(3, 4), torch.randn(4, 5)
    assert Operations.of(lambda: a @ b) == Operations(2 * 3 * 4 * 5, 0)
    image, weight = torch.randn(2, 3, 8, 8), torch.randn(5, 3, 3, 3)
    found = Operations.of(lambda: torch.nn.functional.conv2d(image, weight, padding=1))
    assert found == Operations(2 * 2 * 5 * 8 * 8 * 3 * 9, 0)
    assert Operations.of(lambda: (a * 2).exp() + a) == Operations(0, 3 * 12)


def test_networks_that_differ_are_not_compared() -> None:
    require_same({"a": 10, "b": 10})
    with pytest.raises(RuntimeError, match="parameters"):
        require_same({"a": 10, "b": 11})


def test_marks_are_reached_by_the_first_point_above() -> None:
    curve = [Point(10, 1.0, 21.2), Point(20, 2.0, 22.3), Point(30, 3.0, 21.9), Point(40, 4.0, 23.0)]
    assert marks(curve, first=21.5) == (
        (21.5, curve[1]),
        (22.0, curve[1]),
        (22.5, curve[3]),
        (23.0, curve[3]),
    )
    reached = [row.values for row in rows_of(curve) if row.unit == "s"]
    assert reached == [(2.0,), (2.0,), (4.0,), (4.0,)]
    assert [row.values for row in rows_of(curve) if row.unit == "dB"] == [(21.2,), (22.3,), (21.9,), (23.0,)]


def test_the_clock_stands_still_while_fields_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([100.0, 110.0, 117.0, 127.0, 135.0])
    monkeypatch.setattr(quality, "score", lambda *_args, **_options: 22.0)
    scores = quality.Scores(Mixing(), (), clock=lambda: next(ticks))
    now = Moment(step=5, steps=9, vse=network(), learning_rate=1e-3)
    scores.begun(now)
    for _ in range(2):
        scores.validated(now)
    assert scores.curve == [Point(5, 10.0, 22.0), Point(5, 20.0, 22.0)]


def test_inputs_are_counts_and_always_the_same(tmp_path: Path) -> None:
    one, two = batch(patch=20, size=3), batch(patch=20, size=3)
    assert one.mixed.shape == (3, 1, 20, 20)
    assert one.targets.shape == (3, 2, 20, 20)
    assert (one.targets == two.targets).all()
    assert one.targets.min() >= 0
    assert abs(one.normalised().targets).mean() < 3
    assert frame(40).shape == (40, 40)
    assert len(write_noise_models(tmp_path)) == 2


def test_the_page_tells_ratios_notes_and_the_machine() -> None:
    memory = session("memory", rows=(Row(case="peak", contestant="load", unit="MiB", values=(312.0,)),))
    text = page([Results(machine=MACHINE, sessions=(memory, session()))])
    assert text.index("### A training step") < text.index("### Peak memory")
    assert "| other | 10 s [10 to 10] | **5** [2.5 to 10] | slow |" in text
    assert "| denoisplit | 2 s [1 to 4] | 1 |  |" in text
    assert "| load | 312 MiB |" in text
    assert "AMD EPYC 9B14, 2 cores" in text
    assert "commit abc1234, 2 threads, load before it 0.1" in text
    assert number(1234.5) == "1234"


def test_quick_results_stay_off_the_page(tmp_path: Path) -> None:
    add(tmp_path / "quick-2026-03-01-a.json", MACHINE, session())
    assert read_all(tmp_path) == []
    add(tmp_path / "2026-03-01-a.json", MACHINE, session())
    add(tmp_path / "2026-03-02-a.json", MACHINE, attrs.evolve(session(), commit="later"))
    assert [one.sessions[0].commit for one in read_all(tmp_path)] == ["later"]


def test_the_page_in_the_documentation_is_that_of_the_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(read_all(command.RESULTS)), (
        "run: python -m benchmarks.page"
    )


def test_the_thorough_run_is_the_one_that_is_promised() -> None:
    full = THOROUGH.architectures[0]
    assert (full.levels, full.width, full.latent) == (4, 64, 128)
    assert THOROUGH.batches == ((128, 8), (64, 32))
    assert (THOROUGH.side, THOROUGH.samples, THOROUGH.patch, THOROUGH.cell) == (1024, 50, 128, 64)
    assert THOROUGH.memory_sides == (1024, 4096, 16384)
    assert QUICK.architectures == (TINY,)


@pytest.mark.parametrize("measure", ["training", "prediction", "limit"])
def test_a_measure_runs_and_stores_its_rows(measure: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    result = CliRunner().invoke(command.main, [measure, "--quick", "--rounds", "1", "--file", str(path)])
    assert result.exit_code == 0, result.output
    (found,) = from_json(path.read_text(encoding="utf-8")).sessions
    assert found.measure == measure
    assert found.quick
    assert all(value > 0 for row in found.rows for value in row.values)


def test_compiled_training_takes_part_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With torch's compiler that compiles nothing: the real one takes a minute."""
    without = partial(compiled_blocks, backend="eager")
    monkeypatch.setattr(training, "compiled_blocks", without)
    rows = training.measure(attrs.evolve(QUICK, compiled=True, rounds=1))
    assert [row.contestant for row in rows].count(training.COMPILED) == len({row.case for row in rows})


def test_the_peak_of_a_child_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hungry.py").write_text("import sys\nx = b'1' * (int(sys.argv[1]) << 20)\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    small, large = peak("hungry", "1"), peak("hungry", "65")
    assert small < 50  # this process is far larger
    assert 60 < large - small < 70


def test_what_a_child_said_last_is_told() -> None:
    with pytest.raises(RuntimeError, match="what went wrong"):
        run("-c", "raise SystemExit('what went wrong')")


def test_the_rival_gets_the_torch_of_the_toolkit_and_a_crop_of_the_centre(tmp_path: Path) -> None:
    assert torch_version() == f"torch=={torch.__version__.partition('+')[0]}"
    write_stubs(tmp_path)
    crop = runpy.run_path(str(tmp_path / "stubs/torchvision/transforms/functional.py"))["center_crop"]
    assert torch.equal(crop(torch.arange(25).view(5, 5), 3), torch.arange(25).view(5, 5)[1:4, 1:4])
