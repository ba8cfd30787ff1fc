"""A prediction into a file goes on from the tiles that are finished, whoever did them, to the same bits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

import denoisplit
from denoisplit.core.arrays import AnyArray
from denoisplit.core.errors import DenoisplitError, RunError, SpecError
from denoisplit.core.prediction.files import splitting
from denoisplit.core.prediction.files.spool import Spool, Tiling, spool_of, tiling_of
from denoisplit.core.prediction.outputs.result import Prediction
from denoisplit.core.prediction.request import How
from denoisplit.core.prediction.samples.engine import Found, Work
from denoisplit.core.prediction.tiles import memory
from denoisplit.core.prediction.tiles.plan import Job
from tests.cli.refusals import noise
from tests.cli.refusals import run as command
from tests.e2e.experiment import Experiment

WORDS = "mean,std,chi_square,quantile=0.5"
HOW = How(axes="tyx", samples=3, tile=16, output=WORDS)


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, noise(2, 40, 24))
    return path


def also(*parts: How) -> How:
    """``HOW`` and more."""
    found = HOW.copy()
    for part in parts:
        found.update(part)
    return found


def whole(run: denoisplit.Run, image: Path | AnyArray, labels: AnyArray | None = None) -> Prediction:
    """The same in memory, at once."""
    return run.predict(image, axes="tyx", samples=3, tile=16, output=WORDS, labels=labels)


def stopped(run: denoisplit.Run, image: Path | AnyArray, out: Path, how: How = HOW) -> None:
    """A prediction that is interrupted in the middle."""

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.predict_file(image, out, **also(how, How(progress=stop)))


@pytest.mark.parametrize("name", ["a.ome.tif", "a.ome.zarr", "a.h5/split"])
def test_it_goes_on_where_it_was_stopped(
    run: denoisplit.Run, movie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    out = tmp_path / "out" / name
    jobs: list[Job] = []
    expected = whole(run, movie)
    stopped(run, movie, out)
    assert not out.exists()
    perform = Work.perform

    def counted(self: Work, job: Job, *rest: Callable[[], None]) -> Found:
        jobs.append(job)
        return perform(self, job, *rest)

    monkeypatch.setattr(Work, "perform", counted)
    found = run.predict_file(movie, out, **also(How(resume=True)))
    assert 0 < len(jobs) < 12
    for image, pixels in expected.images.items():
        np.testing.assert_array_equal(found.images[image], pixels)
    assert (found.seam_score, found.verdict.scores) == (expected.seam_score, expected.verdict.scores)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name.partition("/")[0]]


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1)])
def test_it_keeps_the_tiles_that_other_workers_had_chosen(
    run: denoisplit.Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    before: int,
    after: int,
) -> None:
    def tiles(workers: int) -> int:
        return run.estimate(pixels, **also(automatic, How(workers=workers))).tiles

    monkeypatch.setattr(memory, "STREAMED_BUDGET", 12_000_000)
    pixels, out = noise(1, 96, 288), tmp_path / "a.npz"
    automatic = also(How(tile=0))
    assert 1 < tiles(1) < tiles(4)
    stopped(run, pixels, out, also(automatic, How(workers=before)))
    how = also(automatic, How(workers=after, resume=True))
    del how["tile"]
    found = run.predict_file(pixels, out, **how)
    assert ("goes on with the tiles of before" in caplog.text) is (after > before)
    expected = run.predict_file(pixels, tmp_path / "b.npz", **also(automatic, How(workers=before)))
    np.testing.assert_array_equal(found.mean, expected.mean)


def test_more_workers_are_no_reason_to_warn_where_tiles_are_small(
    run: denoisplit.Run, movie: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "a.ome.tif"
    stopped(run, movie, out)
    run.predict_file(movie, out, **also(How(workers=4, resume=True)))
    assert "goes on with the tiles of before" not in caplog.text


def test_a_shard_may_find_the_folder_that_another_one_has_just_made(
    run: denoisplit.Run, movie: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.ome.tif"
    spool_of(out).mkdir()
    run.predict_file(movie, out, **also(How(resume=True)))
    assert out.exists()


def test_shards_that_begin_at_the_same_moment_with_other_memory_take_the_tiles_of_the_first(
    run: denoisplit.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each plans before any tiles are known; the second to write finds those of the first."""
    out, pixels = tmp_path / "a.npz", noise(1, 96, 288)
    looked = list[str]()

    def at_first_nothing(path: Path) -> Tiling | None:
        looked.append(path.name)
        return None if len(looked) == 1 else tiling_of(path)

    how = also()
    del how["tile"]
    monkeypatch.setattr(memory, "STREAMED_BUDGET", 3_000_000)
    assert run.predict_shard(pixels, out, "1/2", **how) is None
    ours = sum(1 for _ in spool_of(out).glob("*.safetensors"))
    monkeypatch.setattr(memory, "STREAMED_BUDGET", 12_000_000)
    monkeypatch.setattr(splitting, "tiling_of", at_first_nothing)
    monkeypatch.setattr(Spool, "begun", False)
    found = run.predict_shard(pixels, out, "2/2", **how)
    assert found is not None
    assert len(looked) > 1 < ours
    expected = run.predict(pixels, axes="tyx", samples=3, output=WORDS)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-6)


def test_it_does_not_go_on_with_anything_else(run: denoisplit.Run, movie: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.ome.tif"
    stopped(run, movie, out)
    others = {"samples": How(samples=4), "tiles": How(tile=24), "output": How(output="mean")}
    for name, other in others.items():
        advice = "Leave out --tile" if name == "tiles" else "Remove it"
        with pytest.raises(
            RunError, match=rf"another prediction \(differs in: {name}\)\. {advice}, leave out"
        ):
            run.predict_file(movie, out, **also(other, How(resume=True)))
    tifffile.imwrite(movie, noise(2, 40, 24) + 1)
    with pytest.raises(RunError, match=r"\(differs in: image\)"):
        run.predict_file(movie, out, **also(How(resume=True)))
    ledger = spool_of(out) / "prediction.json"
    ledger.write_text(ledger.read_text().replace('"network": "', '"network": "0'), encoding="utf-8")
    with pytest.raises(RunError, match=r"\(differs in: network, image\)"):
        run.predict_file(movie, out, **also(How(resume=True)))
    for nothing in ("", "[]", '{"network": 1}'):
        ledger.write_text(nothing, encoding="utf-8")
        with pytest.raises(RunError, match=r"\(differs in: network, image, samples, "):
            run.predict_file(movie, out, **also(How(resume=True)))
    run.predict_file(movie, out, **HOW)
    assert not spool_of(out).exists()


def test_a_damaged_tile_is_predicted_again(run: denoisplit.Run, tmp_path: Path) -> None:
    out, pixels = tmp_path / "a.npz", noise(2, 40, 24)
    stopped(run, pixels, out)
    first, second, *_ = sorted(spool_of(out).glob("*.safetensors"))
    third, fourth, flipped = sorted(spool_of(out).glob("*.safetensors"))[2:5]
    first.write_bytes(first.read_bytes()[:100])
    second.write_bytes(b"")
    content = third.read_bytes()
    third.write_bytes(fourth.read_bytes())
    fourth.write_bytes(content)
    content = flipped.read_bytes()
    flipped.write_bytes(content[:-2000] + bytes([content[-2000] ^ 1]) + content[-1999:])
    found = run.predict_file(pixels, out, **also(How(resume=True)))
    np.testing.assert_array_equal(found.mean, whole(run, pixels).mean)


def test_processes_give_the_same_bits_and_go_on_from_threads(
    run: denoisplit.Run, movie: Path, tmp_path: Path
) -> None:
    labels = np.zeros((40, 24), np.uint8)
    labels[3:20, 4:9], labels[30:, 12:] = 1, 2
    out = tmp_path / "a.ome.zarr"
    how = How(labels=labels)
    stopped(run, movie, out, also(how, How(executor="threads")))
    found = run.predict_file(movie, out, **also(how, How(executor="processes", resume=True)))
    expected = whole(run, movie, labels)
    for image, pixels in expected.images.items():
        np.testing.assert_array_equal(found.images[image], pixels)
    assert found.sums == expected.sums


def test_shards_in_any_order_make_the_file(run: denoisplit.Run, movie: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.ome.zarr"
    assert run.predict_shard(movie, out, "3/3", **HOW) is None
    assert run.predict_shard(movie, out, "1/3", **also(How(executor="threads"))) is None
    assert run.predict_shard(movie, out, "1/3", **HOW) is None
    with pytest.raises(RunError, match=r"\(differs in: number of shards\)"):
        run.predict_shard(movie, out, "2/4", **HOW)
    found = run.predict_shard(movie, out, "2/3", **HOW)
    assert found is not None
    np.testing.assert_array_equal(found.mean, whole(run, movie).mean)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ome.zarr", "movie.tif"]
    for wrong in ("0/3", "4/3", "a/b", "2"):
        with pytest.raises(SpecError, match="no such shard"):
            run.predict_shard(movie, out, wrong)


def test_nothing_is_written_where_no_executor_begins(
    run: denoisplit.Run, movie: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.npz"
    for executor, message in (
        ("procesess", "Did you mean processes"),
        ({"use": "processes", "thread": 2}, "Did you mean threads"),
    ):
        with pytest.raises(DenoisplitError, match=message):
            run.predict_file(movie, out, **also(How(executor=executor)))
    assert list(tmp_path.iterdir()) == [movie]


def test_two_predictions_into_one_file_do_not_meet(run: denoisplit.Run, movie: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.npz"
    told: list[bool] = []

    def another(done: int, total: int) -> None:
        if not told:
            told.append(True)
            with pytest.raises(RunError, match="another program is writing there"):
                run.predict_file(movie, out, **HOW)

    spool_of(out).mkdir()
    (spool_of(out) / "mine.txt").write_text("kept", encoding="utf-8")
    run.predict_file(movie, out, **also(How(progress=another)))
    assert told
    assert [path.name for path in spool_of(out).iterdir()] == ["mine.txt"]


def test_a_shard_that_is_not_the_last_says_so(experiment: Experiment, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "mixed.tif", noise(64, 64))
    out = tmp_path / "split.ome.tif"
    words = ("predict", experiment.run, tmp_path / "mixed.tif", "--out", out, "--tile", 32, "--samples", 2)
    first = command(*words, "--shard", "1/2")
    assert first.exit_code == 0
    assert "shard 1/2 is done; the last one writes the file." in first.stdout
    assert not out.exists()
    assert command(*words, "--shard", "2/2").exit_code == 0
    assert out.exists()
