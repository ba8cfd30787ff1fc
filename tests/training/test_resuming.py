"""What goes on and what is refused: damaged or foreign resume points, changed images, two at once."""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import attrs
import numpy as np
import pytest
import tifffile
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

import denoisplit
from denoisplit.cli import main
from denoisplit.core.errors import BrokenPluginError, RunError
from denoisplit.core.spec import load_spec, to_yaml
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.bundle import save_description
from denoisplit.core.storage.lock import exclusive
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.states import save_state
from denoisplit.core.training import fit as fitting
from denoisplit.core.training.calibration import completing
from denoisplit.core.training.data import prepare as preparing
from denoisplit.core.training.starts import resuming
from denoisplit.testing.dataset_laws import layouts
from tests.training.test_fit import SEPARATE, SPEC, Interrupt

Damage = Callable[[RunFolder], object]


@attrs.frozen
class Trainings:
    """A spec, its whole training, one that was interrupted, and one of another seed that was, too."""

    spec: Path
    whole: RunFolder
    cut: RunFolder
    other: RunFolder


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    folder = tmp_path_factory.mktemp("trainings")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    found = Trainings(folder / "spec.yaml", *(RunFolder(folder / name) for name in ("whole", "cut", "other")))
    denoisplit.train(found.spec, found.whole.path)
    for run, overrides in ((found.cut, ()), (found.other, ["training.seed=5"])):
        with pytest.raises(KeyboardInterrupt):
            denoisplit.train(found.spec, run.path, overrides=overrides, watchers=[Interrupt(4)])
    return found


def _resumed(trainings: Trainings, out: Path, damage: Damage) -> RunFolder:
    shutil.copytree(trainings.cut.path, out)
    damage(RunFolder(out))
    denoisplit.train(trainings.spec, out, resume=True)
    return RunFolder(out)


def assert_same(found: RunFolder, expected: RunFolder) -> None:
    weights = load_file(expected.weights)
    assert all(torch.equal(weights[name], tensor) for name, tensor in load_file(found.weights).items())
    for one, other in ((found.metrics, expected.metrics), (found.splits, expected.splits)):
        assert one.read_bytes() == other.read_bytes()
    assert found.bundle.read_text() == expected.bundle.read_text()


def _flip(path: Path, share: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 1
    path.write_bytes(content)


def _truncate(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def _as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _spoil_all_but_the_point(run: RunFolder) -> None:
    run.spec.unlink()
    run.metrics.write_bytes(bytes(range(256)))
    run.splits.write_bytes(b"[" * 100_000)


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: run.resume_point.unlink(),
        lambda run: run.metrics.unlink(),
        lambda run: run.spec.unlink(),
        _spoil_all_but_the_point,
    ],
)
def test_what_can_be_had_again_gives_the_same_run(
    trainings: Trainings, tmp_path: Path, damage: Damage
) -> None:
    assert_same(_resumed(trainings, tmp_path / "run", damage), trainings.whole)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        *(
            (lambda run, at=at: _flip(run.resume_point, at), r"resume.ckpt: .*, or delete it")
            for at in (0, 0.01, 0.3, 0.5, 0.7, 0.99, 1)
        ),
        *(
            (lambda run, to=to: _truncate(run.resume_point, to), r"resume.ckpt: .*, or delete it")
            for to in (0, 0.3, 0.9, 0.999)
        ),
        (lambda run: _as_folder(run.resume_point), "resume.ckpt: cannot be read"),
        (
            lambda run: run.resume_point.write_bytes(b"cos\nsystem\n(S'false'\ntR."),
            "resume.ckpt: is not a state",
        ),
        (lambda run: save_state(run.resume_point, {"state_dict": {}}), "another version of denoisplit"),
        (
            lambda run: run.spec.write_bytes(b"\xff\xfe{["),
            r"spec.yaml: is no spec, .*\. Restore the file, or delete",
        ),
        (
            lambda run: run.spec.write_bytes(b""),
            r"spec.yaml: is no spec, the file is damaged \(got nothing\)",
        ),
    ],
)
def test_what_cannot_be_had_again_is_refused_in_one_line(
    trainings: Trainings, tmp_path: Path, damage: Damage, message: str
) -> None:
    with pytest.raises(RunError, match=message) as refusal:
        _resumed(trainings, tmp_path / "run", damage)
    assert len(str(refusal.value).splitlines()) == 1
    assert not RunFolder(tmp_path / "run").bundle.exists()


def test_a_point_that_is_cut_off_is_told_in_one_line_and_may_be_deleted(
    trainings: Trainings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(
        RunError, match=r"or not all of it .*\. Restore the file, or delete it: then the train"
    ):
        _resumed(trainings, tmp_path / "run", lambda run: _truncate(run.resume_point, 0.5))
    assert not caplog.messages
    RunFolder(tmp_path / "run").resume_point.unlink()
    denoisplit.train(trainings.spec, tmp_path / "run", resume=True)
    assert_same(RunFolder(tmp_path / "run"), trainings.whole)


def test_the_point_of_another_training_is_refused(trainings: Trainings, tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"resume\.ckpt: belongs to a training with another spec\. Continue with"
    ):
        _resumed(
            trainings,
            tmp_path / "run",
            lambda run: shutil.copy(trainings.other.resume_point, run.resume_point),
        )


def test_a_folder_without_a_run_is_not_one_to_go_on_in(trainings: Trainings, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(RunError, match="holds no run to continue"):
            denoisplit.train(trainings.spec, out, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_finished_run_is_left_alone(
    trainings: Trainings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = RunFolder(tmp_path / "run")
    shutil.copytree(trainings.whole.path, out.path)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in out.path.rglob("*")}
    with caplog.at_level("INFO", "denoisplit"):
        denoisplit.train(trainings.spec, out.path, resume=True)
    assert caplog.messages == [f"{out.path}: is finished and stays as it is"]
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in out.path.rglob("*")} == before


def test_after_the_last_step_only_the_calibration_is_left(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = RunFolder(tmp_path / "run")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(completing, "calibrate_run", stop)
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(trainings.spec, out.path)
    monkeypatch.undo()
    # Whoever takes a step is stopped at once.
    with caplog.at_level("INFO", "denoisplit"):
        denoisplit.train(
            trainings.spec, out.path, resume=True, watchers=[Interrupt(step) for step in range(1, 7)]
        )
    assert "step 6 of 6 was the last one: going on after it" in caplog.messages
    assert_same(out, trainings.whole)


def test_what_fails_after_the_last_step_loses_nothing(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out = RunFolder(tmp_path / "run")

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug of a plugin")

    monkeypatch.setattr(completing, "calibrate_run", fail)
    with pytest.raises(BrokenPluginError, match=rf"is kept, and 'denoisplit calibrate {out.path}' goes on"):
        denoisplit.train(trainings.spec, out.path)
    monkeypatch.undo()
    assert not out.is_finished
    run = denoisplit.load(out.path)
    assert [message for message in caplog.messages if "not calibrated yet" in message]
    mixed = np.random.default_rng(0).normal(300, 40, (20, 20)).astype(np.float32)
    assert run.predict(mixed, samples=2).calibrated_std is None
    assert run.calibrate().bundle.calibration is not None
    assert_same(out, trainings.whole)
    assert out.bundle.read_bytes() == trainings.whole.bundle.read_bytes()
    assert out.is_finished


@pytest.mark.usefixtures("reports")
def test_a_run_is_calibrated_again_on_its_own_images_alone(trainings: Trainings, tmp_path: Path) -> None:
    shutil.copytree(trainings.whole.path, tmp_path / "run")
    before = trainings.whole.bundle.read_bytes()
    RunFolder(tmp_path / "run").report.unlink(missing_ok=True)
    told = CliRunner().invoke(main, ["calibrate", str(tmp_path / "run"), "--device", "cpu"])
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith(f"Calibrated: {tmp_path / 'run'} (")
    assert RunFolder(tmp_path / "run").bundle.read_bytes() == before
    assert RunFolder(tmp_path / "run").report.is_file()
    run = denoisplit.load(tmp_path / "run")
    assert run.bundle.served is not None
    served = attrs.evolve(run.bundle.served, held_out=("0" * 64,))
    for foreign in (
        attrs.evolve(run.bundle, served=served),
        attrs.evolve(run.bundle, data_fingerprint="0" * 64, calibration_due=True),
    ):
        save_description(run.folder, foreign)
        with pytest.raises(RunError, match="not those that it was trained with"):
            run.calibrate()


def _scale(path: Path) -> None:
    tifffile.imwrite(path, tifffile.imread(path) * 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_scale, r"resume\.ckpt: the images are not those that the training was begun with"),
        (Path.unlink, r"splits\.json: names other fields than the data has now"),
    ],
)
def test_a_run_goes_on_with_the_images_that_it_was_begun_with(
    tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    layouts.channel_folders(tmp_path / "images", ("mito", "actin"), 2)
    spec = tmp_path / "separate.yaml"
    spec.write_text(SEPARATE, encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(spec, tmp_path / "cut", watchers=[Interrupt(2)])
    for channel in ("mito", "actin"):
        change(tmp_path / "images" / channel / "field_3.tif")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cut").rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=message):
        denoisplit.train(spec, tmp_path / "cut", resume=True)
    assert {
        path: path.stat().st_mtime_ns for path in (tmp_path / "cut").rglob("*") if path.is_file()
    } == before


def _cut(project: Path, *overrides: str) -> RunFolder:
    """Interrupt a training of images in a folder of the project, which has a spec with relative paths."""
    layouts.channel_folders(project / "images", ("mito", "actin"), 2)
    spec = project / "separate.yaml"
    spec.write_text(SEPARATE, encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(spec, project / "cut", overrides=overrides, watchers=[Interrupt(2)])
    return RunFolder(project / "cut")


def test_a_project_that_was_moved_goes_on_and_finds_its_images_there(tmp_path: Path) -> None:
    _cut(tmp_path / "laptop")
    denoisplit.train(tmp_path / "laptop/separate.yaml", tmp_path / "laptop/whole")
    (tmp_path / "laptop").rename(tmp_path / "cluster")
    spec = tmp_path / "cluster/separate.yaml"
    run = denoisplit.train(spec, tmp_path / "cluster/cut", resume=True)
    expected = load_file(tmp_path / "cluster/whole/model.safetensors")
    assert all(torch.equal(expected[name], found) for name, found in load_file(run.folder.weights).items())
    assert load_spec(run.folder.spec) == run.spec == load_spec(spec)
    denoisplit.load(run.path).calibrate()


def test_images_elsewhere_are_compared_by_their_pixels(tmp_path: Path) -> None:
    cut = _cut(tmp_path)
    (tmp_path / "images").rename(tmp_path / "pictures")
    moved = [f"data.train.path={tmp_path / 'pictures'}"]
    for channel in ("mito", "actin"):
        _scale(tmp_path / "pictures" / channel / "field_3.tif")
    with pytest.raises(RunError, match="the images are not those that the training was begun with"):
        denoisplit.train(tmp_path / "separate.yaml", cut.path, overrides=moved, resume=True)
    assert not cut.bundle.exists()


def test_what_changes_no_result_may_change_when_a_training_goes_on(
    trainings: Trainings, tmp_path: Path
) -> None:
    out = RunFolder(tmp_path / "run")
    shutil.copytree(trainings.cut.path, out.path)
    other = ["training.workers=1", "training.checkpoint_every=2"]
    run = denoisplit.train(trainings.spec, out.path, overrides=other, resume=True)
    weights = load_file(trainings.whole.weights)
    assert all(torch.equal(weights[name], tensor) for name, tensor in load_file(out.weights).items())
    assert out.metrics.read_bytes() == trainings.whole.metrics.read_bytes()
    assert run.spec.training.workers == 1


def test_a_point_that_goes_by_all_of_its_spec_is_still_known(trainings: Trainings, tmp_path: Path) -> None:
    """So do points of early versions."""

    def age(run: RunFolder) -> None:
        point = resuming.read_point(run.resume_point)
        text = to_yaml(load_spec(trainings.spec))
        early = attrs.evolve(point.identity, spec=hashlib.sha256(text.encode()).hexdigest())
        attrs.evolve(point, identity=early).save(run.resume_point)

    assert_same(_resumed(trainings, tmp_path / "run", age), trainings.whole)


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("training.start_from=/elsewhere/first", True),
        ("training.start_from=/here/second", False),
        ("training.start_from=null", False),
        ("model.noise_model={use: scmos, gain: /elsewhere/gain.tif, offset: 3, read_noise: 2}", True),
        ("model.noise_model={use: scmos, gain: /here/other.tif, offset: 3, read_noise: 2}", False),
        ("model.noise_model={use: scmos, gain: 4, offset: 3, read_noise: 2}", False),
        ("data.validation={use: folder, path: /elsewhere, observed: a.tif}", True),
        ("data.validation={use: folder, path: /here, observed: b.tif}", False),
        ("data.test={use: folder, path: /here, observed: a.tif}", False),
    ],
)
def test_files_of_a_spec_may_move_but_be_no_others(
    trainings: Trainings, tmp_path: Path, override: str, same: bool
) -> None:
    begun = [
        "training.start_from=/here/first",
        "model.noise_model={use: scmos, gain: /here/gain.tif, offset: 3, read_noise: 2}",
        "data.validation={use: folder, path: /here, observed: a.tif}",
    ]
    run = RunFolder(tmp_path)
    run.spec.write_text(to_yaml(load_spec(trainings.spec, begun)), encoding="utf-8")
    now = load_spec(trainings.spec, [*begun, override])
    with nullcontext() if same else pytest.raises(RunError, match=r"spec\.yaml: differs from"):
        resuming.require_same_spec(run, now)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_is_one_training_s_at_a_time(trainings: Trainings, tmp_path: Path, resume: bool) -> None:
    out = tmp_path / "run"
    shutil.copytree(trainings.cut.path, out)
    with (
        exclusive(out),
        pytest.raises(RunError, match=r"run: another program is writing there \(got process"),
    ):
        denoisplit.train(trainings.spec, out, resume=resume)


def test_who_prepares_longer_comes_too_late(trainings: Trainings, tmp_path: Path) -> None:
    """Two start in the same missing folder; while one reads its images, the other writes, and dies."""
    out = RunFolder(tmp_path / "run")

    def slowly(spec: ResolvedSpec) -> preparing.PreparedData:
        shutil.copytree(trainings.other.path, out.path)
        return preparing.prepare(spec)

    with pytest.raises(RunError, match="run: is not an empty folder"):
        fitting.fit(denoisplit.load_spec(trainings.spec), out, resume=False, read=slowly)
    assert out.resume_point.read_bytes() == trainings.other.resume_point.read_bytes()


def test_a_batch_system_changes_nothing(
    trainings: Trainings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a job of SLURM, Fabric would go by its tasks."""
    for name, value in (("SLURM_NTASKS", "2"), ("SLURM_JOB_NAME", "job"), ("SLURM_NTASKS_PER_NODE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    shutil.copy(trainings.other.resume_point, tmp_path / "hpc_ckpt_1.ckpt")
    denoisplit.train(trainings.spec, tmp_path / "run")
    assert_same(RunFolder(tmp_path / "run"), trainings.whole)
