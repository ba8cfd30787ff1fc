"""Denoise first, then split: from two specs to a prediction, and on after an interruption."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.torch import load_file

import denoisplit
from denoisplit.cli import main
from denoisplit.core.errors import RunError
from denoisplit.core.images.bases import Image, PixelSize
from denoisplit.core.prediction.request import How
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training import fit as fitting
from denoisplit.plugins.datasets.simulated import Simulated
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from tests.cli import terminal

CHANNELS = ("filaments", "F actin:x")
DENOISE = """
preset: hdn
model:
  encoder: {levels: 2, width: 4, blocks: 1}
  decoder: {latent_channels: 2, blocks: 1}
  noise_model: {fit_pairs: 1000, fit_steps: 3}
training: {steps: 3, batch: 1, patch: 16, validate_every: 2, checkpoint_every: 1, precision: float32}
prediction: {samples: 3, seed: 4}
"""
SPLIT = """
preset: musplit
channels: [filaments, F actin:x]
data:
  train: {use: simulated, fields: 3, size: 32, seed: 1, structures: [filaments, mitochondria]}
  validation_fraction: 0.4
  test: {use: simulated, fields: 1, size: 25, seed: 2, structures: [filaments, mitochondria]}
  mixing: {mode: sum, offset: 100}
  degradation: {gaussian: 10}
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}}
training: {steps: 3, batch: 1, patch: 16, validate_every: 2, checkpoint_every: 1, precision: float32, seed: 7}
prediction: {samples: 2}
"""
RUNS = ("denoise-filaments", "denoise-F_actin_x", "denoise-mixed", "split")


@attrs.frozen
class Trained:
    """The specs, and the folder that was made of them."""

    folder: Path
    run: denoisplit.SequentialRun

    @property
    def specs(self) -> tuple[Path, Path]:
        return self.folder / "denoise.yaml", self.folder / "split.yaml"

    @property
    def out(self) -> Path:
        return self.folder / "out"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("sequence")
    for name, text in (("denoise.yaml", DENOISE), ("split.yaml", SPLIT)):
        (folder / name).write_text(text, encoding="utf-8")
    run = denoisplit.train_sequence(folder / "denoise.yaml", folder / "split.yaml", folder / "out")
    return Trained(folder, run)


def noisy(seed: int, fields: int, size: int) -> Sequence[Any]:
    options = Simulated.Options(fields=fields, size=size, seed=seed, structures=("filaments", "mitochondria"))
    return Simulated(options, channels=CHANNELS).fields()


def test_the_folder_has_all_runs_images_and_a_summary(trained: Trained) -> None:
    found = sorted(path.name for path in trained.out.iterdir())
    assert found == sorted([*RUNS, "denoised", "sequence.json", "summary.json"])
    summary = json.loads((trained.out / "summary.json").read_text())
    assert summary["channels"] == list(CHANNELS)
    assert summary["fields"]["test"] == ["simulated 2-0"]
    assert len(summary["fields"]["train"]) == 2
    assert sorted(summary["fields"]["train"] + summary["fields"]["validation"]) == [
        f"simulated 1-{i}" for i in range(3)
    ]
    assert [run["folder"] for run in summary["runs"].values()] == list(RUNS)
    assert {run["steps"] for run in summary["runs"].values()} == {3}
    assert (summary["evaluated"], summary["denoising_samples"]) == ("test", 3)
    for part, count in (("train", 2), ("validation", 1), ("test", 1)):
        files = sorted(path.name for path in (trained.out / "denoised" / part).iterdir())
        kinds = ("channels", "clean", "mixed")
        assert files == [f"{n:05}_{kind}.ome.tif" for n in range(count) for kind in kinds]


def opened(path: Path) -> Image:
    return OmeTiff(OmeTiff.Options()).open(path)


def test_every_image_is_the_posterior_mean_of_its_own_denoiser(trained: Trained) -> None:
    """The mixed image is denoised as it is, not made of denoised channels; all know where they come from."""
    _, splitter = trained.specs
    spec = denoisplit.load_spec(splitter)
    from denoisplit.core.images.mixing import mixed_image
    from denoisplit.core.training.data.prepare import evaluation_fields

    _, (field,) = evaluation_fields(spec)
    folder = trained.out / "denoised" / "test"
    channels, mixed, clean = (opened(folder / f"00000_{k}.ome.tif") for k in ("channels", "mixed", "clean"))
    assert (channels.axes, channels.channel_names) == ("cyx", CHANNELS)
    assert (mixed.axes, mixed.data.shape) == ("yx", (25, 25))
    assert {image.pixel_size for image in (channels, mixed, clean)} == {field.pixel_size}
    np.testing.assert_array_equal(clean.data, field.clean)
    for name, image, given in (
        ("denoise-filaments", channels.data[0], field.observed[0]),
        ("denoise-F_actin_x", channels.data[1], field.observed[1]),
        ("denoise-mixed", mixed.data, mixed_image(field, spec.data.mixing)[0]),
    ):
        run = denoisplit.load(trained.out / name)
        np.testing.assert_array_equal(image, run.predict(given, samples=3, seed=4).mean[0])


def test_the_denoisers_learn_from_the_noisy_images_of_the_splitter(trained: Trained) -> None:
    from denoisplit.core.images.mixing import mixed_image
    from denoisplit.core.training.data.prepare import prepare

    spec = denoisplit.load_spec(trained.specs[1])
    noisy_fields = prepare(spec)
    for name, number in (("denoise-filaments", 0), ("denoise-F_actin_x", 1), ("denoise-mixed", None)):
        run = denoisplit.load(trained.out / name)
        assert (run.spec.training.seed, run.spec.prediction.seed) == (7, 4)
        data = prepare(run.spec)
        for given, chosen in (
            (noisy_fields.train, data.train),
            (noisy_fields.validation, data.validation),
        ):
            for whole, one in zip(given, chosen, strict=True):
                mixed = mixed_image(whole, spec.data.mixing)
                expected = mixed if number is None else whole.observed[[number]]
                np.testing.assert_array_equal(one.observed, expected)
                np.testing.assert_array_equal(mixed_image(one, spec.data.mixing), expected)


def test_the_splitter_learns_from_denoised_images(trained: Trained) -> None:
    from denoisplit.core.training.data.prepare import evaluation_fields, prepare_denoised

    spec = trained.run.splitter.spec
    assert spec.channels == CHANNELS
    assert (spec.data.degradation.active, spec.data.mixing.mode) == (False, "sum")
    data = prepare_denoised(spec)
    assert (len(data.train), len(data.validation)) == (2, 1)
    for field in (*data.train, *data.validation, *evaluation_fields(spec)[1]):
        assert field.mixed is not None
        assert field.clean is not None
    assert trained.run.splitter.bundle.calibration is not None
    assert trained.run.scores is not None
    scores, _ = trained.run.splitter.evaluate(evaluation_fields(spec)[1])
    assert scores.scores == trained.run.scores.scores
    stored = json.loads((trained.out / "summary.json").read_text())["scores"]
    assert stored[0]["mean"] == pytest.approx(scores.scores[0].mean, rel=1e-9)


def test_a_noisy_mixed_image_goes_through_both(trained: Trained, tmp_path: Path) -> None:
    image, out = tmp_path / "mixed.ome.tif", tmp_path / "split.ome.tif"
    data = np.random.default_rng(0).normal(300, 40, (2, 11, 18)).astype(np.float32)
    record = Image(data=data, axes="tyx", pixel_size=PixelSize((0.2, 0.3)))
    OmeTiff(OmeTiff.Options()).write(image, record)
    result = CliRunner().invoke(main, ["predict", str(trained.out), str(image), "--out", str(out)])
    assert result.exit_code == 0, result.output
    written = opened(out)
    assert (written.axes, written.pixel_size) == ("tcyx", PixelSize((0.2, 0.3)))
    assert written.channel_names[:2] == tuple(f"{name} mean" for name in CHANNELS)
    denoised = denoisplit.load(trained.out / "denoise-mixed").predict(data, axes="tyx").mean
    split = denoisplit.load(trained.out / "split").predict(denoised, axes="tcyx")
    np.testing.assert_array_equal(written.data[:, :2], split.mean)
    again = denoisplit.load_sequence(trained.out).predict(data, axes="tyx", samples=1, seed=9, tile=16)
    assert (again.samples, again.std, again.mean.shape) == (1, None, (2, 2, 11, 18))


def test_an_interrupted_split_is_gone_on_with(trained: Trained, tmp_path: Path) -> None:
    run, out = denoisplit.load_sequence(trained.out), tmp_path / "out" / "split.ome.tif"
    how = How(axes="yx", tile=16, samples=2)
    mixed = np.random.default_rng(0).normal(200, 40, (40, 24)).astype(np.float32)
    told: list[bool] = []

    def stop(done: int, total: int) -> None:
        told.append(done == total)
        if any(told[:-1]) and done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.predict_file(mixed, out, **(how | How(progress=stop)))
    found = run.predict_file(mixed, out, **(how | How(resume=True)))
    expected = run.predict(mixed, axes="yx", tile=16, samples=2)
    np.testing.assert_array_equal(found.mean, expected.mean)
    assert list(out.parent.iterdir()) == [out]


def test_the_verdict_is_on_the_image_and_on_what_the_denoiser_makes_of_it(trained: Trained) -> None:
    sequence = denoisplit.load_sequence(trained.out)
    data = np.random.default_rng(0).normal(5000, 40, (20, 18)).astype(np.float32)
    both = sequence.predict(data)
    first = sequence.denoiser.predict(data)
    second = sequence.splitter.predict(first.mean, axes="cyx")
    expected = {finding.check for step in (first, second) for finding in step.verdict.findings}
    assert {finding.check for finding in both.verdict.findings} == expected
    assert "offset" in expected
    assert both.verdict.status == "unlike"
    assert both.verdict.chi_square == second.verdict.chi_square


def weights(folder: Path) -> dict[str, Any]:
    return {name: load_file(RunFolder(folder / name).weights) for name in RUNS}


def test_a_finished_stage_is_not_trained_again(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    interrupted: list[Path] = []
    fit = fitting.fit

    def stopping(spec: Any, folder: RunFolder, **options: Any) -> None:
        """Ctrl-C when the third run is about to begin."""
        if folder.path.name == RUNS[2] and not interrupted:
            interrupted.append(folder.path)
            raise KeyboardInterrupt
        assert folder.path.name not in RUNS[:2] or not interrupted
        fit(spec, folder, **options)

    monkeypatch.setattr(fitting, "fit", stopping)
    command = ["train-sequence", *map(str, trained.specs), "--out", str(out)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 130
    assert f"Continue with: denoisplit {' '.join(command)} --resume" in result.stderr
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 2
    assert "is not an empty folder" in refused.stderr
    with pytest.raises(RunError, match="the sequence is not finished"):
        denoisplit.load_sequence(out)

    result = CliRunner().invoke(main, [*command, "--resume"])
    assert result.exit_code == 0, result.output
    assert "1 of 5: denoise filaments: finished before" in result.stderr
    assert "3 of 5: denoise mixed" in result.stderr
    assert f"Next: denoisplit predict {out} IMAGE --out PREDICTION.ome.tif" in result.stdout
    for name, tensors in weights(trained.out).items():
        again = load_file(RunFolder(out / name).weights)
        assert all((tensors[key] == again[key]).all() for key in tensors), name


def test_lost_images_and_a_lost_run_are_made_again(trained: Trained, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(trained.out, out)
    # The splitter names the folder of its images, which is another one now.
    shutil.rmtree(out / "split")
    lost, kept = (out / "denoised" / "train" / f"0000{n}_channels.ome.tif" for n in (0, 1))
    before = opened(lost).data
    lost.unlink()
    stamps = {path: path.stat().st_mtime_ns for path in (kept, *(out / n / "model.json" for n in RUNS[:3]))}
    run = denoisplit.train_sequence(*trained.specs, out, resume=True)
    np.testing.assert_array_equal(opened(lost).data, before)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert run.scores is not None
    assert trained.run.scores is not None
    assert run.scores.scores == trained.run.scores.scores
    tensors, again = load_file(trained.run.splitter.folder.weights), load_file(run.splitter.folder.weights)
    assert all((tensors[key] == again[key]).all() for key in tensors)


def test_without_references_there_are_no_scores(trained: Trained, tmp_path: Path) -> None:
    project = tmp_path / "laptop"
    images = project / "images"
    images.mkdir(parents=True)
    for number, field in enumerate(noisy(5, 3, 48)):
        for kind, pixels in (("cells", field.observed), ("both", field.observed.sum(0))):
            record = Image(data=pixels, axes="cyx"[-pixels.ndim :], channel_names=())
            OmeTiff(OmeTiff.Options()).write(images / f"{kind}{number}.ome.tif", record)
    spec = project / "split.yaml"
    text = SPLIT.replace("  degradation: {gaussian: 10}\n", "")
    start, end = text.index("  train:"), text.index("  mixing:")
    data = "  train: {use: folder, path: images, observed: cells*.tif, mixed: both*.tif}\n"
    spec.write_text(text[:start] + data + text[end:], encoding="utf-8")
    run = denoisplit.train_sequence(trained.specs[0], spec, project / "out")
    assert run.scores is None
    written = json.loads((project / "out" / "summary.json").read_text())
    assert written["evaluated"] is None
    assert written["fields"]["test"] == []
    assert not list((project / "out" / "denoised").rglob("*_clean*"))
    mixed = opened(project / "out" / "denoised" / "train" / "00000_mixed.ome.tif").data
    name = written["fields"]["train"][0].replace("cells", "both")
    expected = run.denoiser.predict(images / name).mean[0]
    np.testing.assert_array_equal(mixed, expected)

    stamps = {path: path.stat().st_mtime_ns for path in (project / "out").rglob("*")}
    again = denoisplit.train_sequence(trained.specs[0], spec, project / "out", resume=True)
    assert again.folder == run.folder
    assert {path: path.stat().st_mtime_ns for path in (project / "out").rglob("*")} == stamps, "finished"
    project = project.rename(tmp_path / "cluster")
    spec = project / "split.yaml"
    summary = project / "out" / "summary.json"
    summary.unlink()
    # A project may be moved, and goes on with other settings that change no result.
    workers = ["training.workers=1"]
    denoisplit.train_sequence(trained.specs[0], spec, project / "out", resume=True, split_overrides=workers)
    assert json.loads(summary.read_text()) == written
    summary.unlink()
    changed = project / "images" / "both0.ome.tif"
    OmeTiff(OmeTiff.Options()).write(changed, attrs.evolve(opened(changed), data=opened(changed).data[::-1]))
    with pytest.raises(RunError, match=r"sequence\.json: the images are not those that it was begun with"):
        denoisplit.train_sequence(trained.specs[0], spec, project / "out", resume=True)


def test_a_sequence_on_a_terminal(trained: Trained) -> None:
    (trained.out / "summary.json").unlink()
    shown = terminal.run("train-sequence", *map(str, trained.specs), "--out", str(trained.out), "--resume")
    assert shown.code == 0, shown.text
    assert any("split filaments + F actin:x: finished before" in line for line in shown.lines)
    assert any(line.startswith("Evaluating") and "/" in line for line in shown.lines)
    assert f"Trained: {trained.out}" in shown.lines
