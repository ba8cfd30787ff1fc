"""A camera whose pixels differ: maps in files, from the spec to predictions of a run that has them inside."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch

import denoisplit
from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ImageError, NoiseModelError, SpecError
from denoisplit.core.network.camera_noise import CameraNoiseModel
from denoisplit.core.network.frame_part import FramePart
from denoisplit.core.prediction.outputs.evidence import gather_evidence
from denoisplit.core.spec.records import PredictionSpec
from denoisplit.core.training.data.prepare import evaluation_fields

SIDES = (40, 48)
GAIN, OFFSET = 2.0, 100.0

SPEC = """
preset: denoisplit
channels: [one, two]
data:
  train: {{use: folder, path: images/train, observed: "*_noisy.tif", clean: "*_clean.tif"}}
  validation: {{use: folder, path: images/validation, observed: "*_noisy.tif", clean: "*_clean.tif"}}
model:
  encoder: {{levels: 2, width: 4}}
  decoder: {{latent_channels: 2}}
  noise_model: {noise_model}
training: {{steps: 3, batch: 2, patch: 16, validate_every: 3, checkpoint_every: 1, precision: float32}}
prediction: {{samples: 3}}
"""

SCMOS = "{use: scmos, gain: maps/gain.tif, offset: maps/offset.tif, read_noise: maps/read_noise.tif}"


def maps(sides: tuple[int, int] = SIDES) -> dict[str, Float32Array]:
    """Maps whose pixels differ a lot, with no symmetry."""
    rng = np.random.default_rng(3)
    return {
        "gain": rng.uniform(1.0, 3.0, sides).astype(np.float32),
        "offset": rng.normal(OFFSET, 4, sides).astype(np.float32),
        "read_noise": (1 + rng.lognormal(0.5, 1.2, sides)).astype(np.float32),
    }


def scene(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Photons [c y x] of smooth structures."""
    y, x = np.indices(SIDES)
    phase = rng.uniform(0, 6, (2, 1, 1))
    return np.asarray(30 + 25 * np.sin(x / 4 + phase) * np.cos(y / 5 + phase[::-1]))


def observed(photons: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    camera = maps()
    counts = camera["offset"] + camera["gain"] * rng.poisson(photons)
    return np.asarray(counts + camera["read_noise"] * rng.normal(size=photons.shape))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps and images of one camera."""
    folder = tmp_path_factory.mktemp("lab")
    rng = np.random.default_rng(5)
    (folder / "maps").mkdir()
    for name, image in maps().items():
        tifffile.imwrite(folder / "maps" / f"{name}.tif", image)
    for split, count in (("train", 2), ("validation", 1)):
        path = folder / "images" / split
        path.mkdir(parents=True)
        for number in range(count):
            photons = scene(rng)
            for what, counts in (("noisy", observed(photons, rng)), ("clean", OFFSET + GAIN * photons)):
                tifffile.imwrite(
                    path / f"{number}_{what}.tif", counts.astype(np.float32), metadata={"axes": "CYX"}
                )
    return folder


def train(lab: Path, name: str, noise_model: str = SCMOS, overrides: Sequence[str] = ()) -> denoisplit.Run:
    file = lab / f"{name}.yaml"
    file.write_text(SPEC.format(noise_model=noise_model), encoding="utf-8")
    return denoisplit.train(file, lab / name, overrides=overrides)


@pytest.fixture(scope="module")
def run(lab: Path) -> denoisplit.Run:
    return train(lab, "run")


@pytest.fixture(scope="module")
def mixed() -> Float32Array:
    """A mixed image that the camera recorded."""
    rng = np.random.default_rng(9)
    return np.asarray(observed(scene(rng), rng).mean(0), dtype=np.float32)


def noise_variance(prediction: denoisplit.Prediction) -> npt.NDArray[np.float64]:
    """Of a measurement [c y x]: what the total std has besides that of the posterior."""
    total, own = (
        np.asarray(image, dtype=np.float64) for image in (prediction.images["total std"], prediction.std)
    )
    return np.square(total) - np.square(own)


def test_the_total_std_knows_every_pixel(run: denoisplit.Run, mixed: Float32Array) -> None:
    camera = maps()
    found = run.predict(mixed, output=["mean", "total_std"])
    photons = (found.mean - np.median(camera["offset"])) / np.median(camera["gain"])
    expected = camera["gain"] ** 2 * photons + camera["read_noise"] ** 2
    lit = photons > 1
    assert lit.mean() > 0.5
    np.testing.assert_allclose(noise_variance(found)[lit], expected[lit], rtol=1e-3)


def test_tiles_change_nothing(run: denoisplit.Run, mixed: Float32Array) -> None:
    whole = run.predict(mixed, output=["mean", "total_std"])
    tiled = run.predict(mixed, output=["mean", "total_std"], tile=16)
    np.testing.assert_allclose(tiled.images["total std"], whole.images["total std"], rtol=1e-4)
    one, two = (gather_evidence(run.vse, mixed, PredictionSpec(seed=1, tile=tile)) for tile in (0, 16))
    assert one.bias is not None
    assert two.bias is not None
    np.testing.assert_allclose(two.bias, one.bias, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(two.variance, one.variance, rtol=1e-3)


def test_a_run_has_its_maps_inside(run: denoisplit.Run, lab: Path, mixed: Float32Array) -> None:
    before = run.predict(mixed, output=["mean", "total_std"])
    (lab / "maps").rename(lab / "gone")
    try:
        after = denoisplit.load(run.folder.path).predict(mixed, output=["mean", "total_std"])
    finally:
        (lab / "gone").rename(lab / "maps")
    np.testing.assert_array_equal(after.images["total std"], before.images["total std"])
    assert after.verdict == before.verdict


@pytest.mark.slow
def test_processes_that_prepare_patches_change_no_bit_of_maps_and_of_what_a_scheme_learns(lab: Path) -> None:
    """The maps travel with turned patches, and the scheme learns where the steps are done."""
    how = ["model.kl_scheme={use: geco, speed: 0.1}", "training.augment=true", "training.steps=6"]
    alone, helped = (
        train(lab, f"by{workers}", overrides=[*how, f"training.workers={workers}"]).vse.state_dict()
        for workers in (0, 2)
    )
    assert float(alone["kl_scheme.log_multiplier"]) != 0
    assert all(torch.equal(helped[name], tensor) for name, tensor in alone.items())


def test_it_is_calibrated_and_evaluated(run: denoisplit.Run) -> None:
    assert run.bundle.calibration is not None
    assert run.bundle.reference is not None
    assert "mixture" in run.bundle.reference.spreads
    _, fields = evaluation_fields(run.spec, ceiling=run.bundle.ceiling)
    _, evaluated = run.evaluate(fields)
    assert evaluated[0].calibrated_std is not None


def test_of_an_image_of_other_pixels_only_the_noise_is_unknown(
    run: denoisplit.Run, mixed: Float32Array, caplog: pytest.LogCaptureFixture
) -> None:
    assert run.predict(mixed[:24, :24], output=["mean"]).mean.shape == (2, 24, 24)
    assert "the maps have 40 x 48 pixels, the image 24 x 24" in caplog.text
    with pytest.raises(NoiseModelError, match="the maps have 40 x 48 pixels, the image 24 x 24"):
        run.predict(mixed[:24, :24], output=["mean", "total_std"])


def test_evidence_of_a_part_is_that_of_its_pixels(run: denoisplit.Run, mixed: Float32Array) -> None:
    part = FramePart(SIDES, (8, 16), (24, 24))
    camera, found = maps(), gather_evidence(run.vse, mixed[part.slices], PredictionSpec(seed=0), part=part)
    photons = (found.draw - np.median(camera["offset"])) / np.median(camera["gain"])
    expected = (camera["gain"] ** 2)[part.slices] * photons + (camera["read_noise"] ** 2)[part.slices]
    lit = photons > 1
    np.testing.assert_allclose(found.variance[lit], expected[lit], rtol=1e-3)


def test_regions_and_numbers_to_fit_know_their_pixels(lab: Path, mixed: Float32Array) -> None:
    """Training and held-out fields are parts of one image; the gain is fitted to pairs of known pixels."""
    fitted = "{use: scmos, offset: maps/offset.tif, read_noise: maps/read_noise.tif, fit_pairs: 1000}"
    cut = [
        "data.validation=null",
        "data.split.rule=regions",
        "data.validation_fraction=0.4",
        "data.split.gap=0",
    ]
    per_channel = f"[{fitted}, {{use: gaussian}}]"
    run = train(lab, "regions", per_channel.replace("{use: gaussian}", SCMOS), cut)
    (report,) = run.bundle.noise_reports
    assert report.channel == 0
    model = run.vse.noise_model
    assert isinstance(model, CameraNoiseModel)
    stored = model.camera_maps(SIDES)
    assert stored is not None
    assert stored.shape == (3, 2, *SIDES)
    assert np.isfinite(noise_variance(run.predict(mixed, output=["mean", "total_std"]))).all()


@pytest.mark.parametrize(
    ("noise_model", "overrides", "error", "says"),
    [
        (SCMOS.replace("gain.tif", "missing.tif"), [], ImageError, "missing.tif"),
        (SCMOS.replace("gain.tif", "half.tif"), [], NoiseModelError, "gain of half.tif 20 x 48"),
        (SCMOS.replace("gain.tif", "dead.tif"), [], NoiseModelError, "finite and above 0 everywhere"),
        (SCMOS.replace("gain.tif", "movie.tif"), [], NoiseModelError, "Average what was recorded"),
        (SCMOS[:-1] + ", origin: [4, 4]}", [], NoiseModelError, "Correct model.noise_model.origin"),
        (SCMOS.replace(".tif", "_wide.tif"), [], NoiseModelError, "(model.noise_model.origin: [y, x])"),
        (SCMOS, ["data.background.quantile=0.1"], SpecError, "$.data.background.quantile"),
        (f"[{SCMOS.replace('gain.tif', 'half.tif')}, {SCMOS}]", [], NoiseModelError, "noise_model[0]"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_written(
    lab: Path, noise_model: str, overrides: list[str], error: type[Exception], says: str
) -> None:
    made = maps()
    files: dict[str, npt.NDArray[np.floating]] = {
        "half": made["gain"][:20],
        "dead": np.where(made["gain"] > 2.9, 0, made["gain"]),
    }
    for name, image in files.items():
        tifffile.imwrite(lab / "maps" / f"{name}.tif", image.astype(np.float32))
    tifffile.imwrite(lab / "maps" / "movie.tif", np.stack([made["gain"]] * 2), metadata={"axes": "TYX"})
    for name, wide in maps((44, 48)).items():
        tifffile.imwrite(lab / "maps" / f"{name}_wide.tif", wide)
    with pytest.raises(error) as caught:
        train(lab, "refused", noise_model, overrides)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((lab / "refused").glob("*.yaml"))
