"""The noise model of a camera whose pixels differ: its density, its fit, its channels, its refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch
from torch import Tensor

from denoisplit.core.errors import NoiseModelError
from denoisplit.core.images.bases import Image
from denoisplit.core.network.camera_noise import as_batch
from denoisplit.core.network.interfaces import FitReport, IntensityStats, NoiseModel, NoisePairs
from denoisplit.core.network.per_channel import PerChannelNoiseModel
from denoisplit.core.storage.image_files import installed_formats, save_image
from denoisplit.plugins.noise_models.gaussian import Gaussian
from denoisplit.plugins.noise_models.poisson_gaussian import PoissonGaussian
from denoisplit.plugins.noise_models.scmos import Scmos
from denoisplit.plugins.noise_models.scmos_fit import pixel

SIDES = (30, 40)


def statistics(channels: int = 1) -> IntensityStats:
    return IntensityStats(
        mixed_mean=200.0, mixed_std=50.0, target_mean=(200.0,) * channels, target_std=(50.0,) * channels
    )


def images(seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return {
        "gain": rng.uniform(1.5, 2.5, SIDES).astype(np.float32),
        "offset": rng.normal(100, 3, SIDES).astype(np.float32),
        "read_noise": rng.lognormal(1.2, 0.8, SIDES).astype(np.float32),
    }


def files(folder: Path, seed: int = 0) -> dict[str, Path]:
    for name, image in images(seed).items():
        tifffile.imwrite(folder / f"{name}{seed}.tif", image)
    return {name: folder / f"{name}{seed}.tif" for name in images()}


def options(**given: Any) -> Scmos.Options:
    return Scmos.Options(**given)


def build(chosen: Scmos.Options, channels: int = 1) -> Scmos:
    model = Scmos(chosen, statistics=statistics(channels))
    model.read(installed_formats())
    return model


def pairs(count: int = 20_000) -> NoisePairs:
    """Pairs of pixels at random places of a camera; signals in counts of the nominal camera."""
    rng, camera = np.random.default_rng(2), images()
    place = np.stack([rng.integers(0, side, count) for side in SIDES])
    gain, offset, read_noise = (image[tuple(place)].astype(np.float64) for image in camera.values())
    photons = rng.gamma(1.5, 40, count)
    signal = np.median(camera["offset"]) + np.median(camera["gain"]) * photons
    observation = offset + gain * rng.poisson(photons) + read_noise * rng.normal(size=count)
    return NoisePairs(signal, observation, "clean reference", place=place)


def at(model: Scmos, own: NoisePairs) -> tuple[Tensor, Tensor, Tensor | None]:
    """Observation and signal [1 1 1 n] of pairs, and the maps of their pixels."""
    maps = model.camera_maps()
    assert own.place is not None
    camera = None if maps is None else maps[:, None, :, None, *torch.from_numpy(own.place)]
    observation, signal = (torch.from_numpy(one)[None, None, None] for one in (own.observation, own.signal))
    return observation, signal, camera


def nll(model: Scmos, own: NoisePairs) -> float:
    observation, signal, camera = at(model, own)
    return -float(model.log_prob(observation, signal, camera=camera).mean())


def test_it_knows_more_of_a_camera_than_one_number_for_all_pixels(tmp_path: Path) -> None:
    """A plain camera model, fitted to the very same pairs, is surprised by every pixel that is not usual."""
    known, own = build(options(**files(tmp_path))), pairs()
    plain = PoissonGaussian(PoissonGaussian.Options(), statistics=statistics())
    plain.fit([own], seed=0)
    observation, signal, _ = at(known, own)
    assert nll(known, own) < -float(plain.log_prob(observation, signal).mean()) - 0.02


@pytest.mark.parametrize("missing", ["gain", "offset", "read_noise"])
def test_what_has_no_map_is_fitted_beside_those_that_have(tmp_path: Path, missing: str) -> None:
    given = files(tmp_path)
    del given[missing]
    model = build(options(**given))
    needed = model.needs_fit
    (report,) = model.fit([pairs()], seed=0)
    assert (needed, model.needs_fit) == (True, False)
    assert report.calibration_error < 0.05
    # The truth is a map: with its best number, the pixels are known better than with the median of the map.
    number = {missing: float(np.median(images()[missing]))}
    guessed = build(options(**given, **number))
    assert nll(model, pairs()) <= nll(guessed, pairs()) + 1e-6


def test_read_noise_is_a_twentieth_of_a_photon_at_least() -> None:
    gain, offset = torch.tensor([2.0, 4.0]), torch.full((2,), 100.0)
    assert pixel(gain, offset, torch.tensor([0.5, 0.01])).read_noise.tolist() == pytest.approx([0.5, 0.2])


@pytest.mark.parametrize("gain", [None, 3.0])
def test_without_maps_it_is_the_plain_camera(gain: float | None) -> None:
    own = pairs()
    one = Scmos(Scmos.Options(gain=gain), statistics=statistics())
    other = PoissonGaussian(PoissonGaussian.Options(gain=gain), statistics=statistics())
    one.fit([own], seed=0)
    other.fit([own], seed=0)
    observation, signal, _ = at(one, own)
    assert one.camera_maps() is None
    assert torch.equal(one.log_prob(observation, signal), other.log_prob(observation, signal))


def test_channels_have_maps_of_their_own_or_share_one(tmp_path: Path) -> None:
    one, two = files(tmp_path, 0), files(tmp_path, 1)
    both: dict[str, tuple[Path, ...]] = {name: (one[name], two[name]) for name in one}
    both["read_noise"] = (one["read_noise"],)
    model = build(options(**both), channels=2)
    maps = model.camera_maps(SIDES)
    assert maps is not None
    for number, name in enumerate(("gain", "offset", "read_noise")):
        for channel in range(2):
            expected = images(channel if name != "read_noise" else 0)[name]
            np.testing.assert_array_equal(maps[number, channel], expected)


@pytest.mark.parametrize("count", [2, 3])
def test_a_file_may_have_the_maps_of_all_channels(tmp_path: Path, count: int) -> None:
    given = files(tmp_path) | {"gain": tmp_path / "gain.ome.zarr"}
    planes = np.stack([images(seed)["gain"] for seed in range(count)], axis=1)
    save_image(given["gain"], Image(data=planes, axes="ycx"))
    if count == 3:
        with pytest.raises(NoiseModelError, match=r"gain has maps of 3 channels .*, and the model 2\."):
            build(options(**given), channels=2)
        return
    maps = build(options(**given), channels=2).camera_maps()
    assert maps is not None
    np.testing.assert_array_equal(maps[0], planes.swapaxes(0, 1))


def test_maps_are_of_the_same_pixels(tmp_path: Path) -> None:
    given, other = files(tmp_path), files(tmp_path, 1)
    tifffile.imwrite(given["gain"], images()["gain"][1:])
    shorter = given["gain"].name
    told = rf"must have one size \(got gain of {shorter} 29 x 40, .*offset of {given['offset'].name} 30 x 40"
    with pytest.raises(NoiseModelError, match=told):
        build(options(**given))
    pair = {"gain": (other["gain"], given["gain"]), "offset": 100.0, "read_noise": 1.0}
    told = rf"\(got gain of {other['gain'].name} 30 x 40, gain of {shorter} 29 x 40\)"
    with pytest.raises(NoiseModelError, match=told):
        build(options(**pair), channels=2)


@pytest.mark.parametrize("number", [0.0, -1.0, np.nan])
@pytest.mark.parametrize("name", ["gain", "offset", "read_noise"])
def test_an_offset_is_finite_and_other_numbers_are_above_zero(
    tmp_path: Path, name: str, number: float
) -> None:
    given, changed = files(tmp_path), images()[name]
    changed[2, 3] = number
    tifffile.imwrite(given[name], changed)
    if name == "offset" and np.isfinite(number):
        assert build(options(**given)).maps[1, 0, 2, 3] == number
        return
    with pytest.raises(NoiseModelError, match=rf"{name} of .* must be finite.* \(got 1 other pixels of 1200"):
        build(options(**given))


@pytest.mark.parametrize("axes", ["zyx", "tyx", "tzyx"])
def test_a_single_plane_is_a_map(tmp_path: Path, axes: str) -> None:
    given = files(tmp_path)
    plain = build(options(**given)).maps
    given["offset"] = tmp_path / "offset.ome.zarr"
    plane = images()["offset"].reshape((1,) * (len(axes) - 2) + SIDES)
    save_image(given["offset"], Image(data=plane, axes=axes))
    assert torch.equal(build(options(**given)).maps, plain)


def test_an_origin_is_the_first_pixel(tmp_path: Path) -> None:
    model = build(options(**files(tmp_path), origin=(3, 5)))
    maps = model.camera_maps((10, 12))
    assert maps is not None
    np.testing.assert_array_equal(maps[0, 0], images()["gain"][3:13, 5:17])


def test_one_model_per_channel_gets_its_own_maps(tmp_path: Path) -> None:
    scmos = build(options(gain=2.0, **{n: p for n, p in files(tmp_path).items() if n != "gain"}))
    gaussian = Gaussian(Gaussian.Options(log_variance="fixed"), statistics=statistics())
    both = PerChannelNoiseModel([gaussian, scmos, build(options(**files(tmp_path, 1)))])
    maps = both.camera_maps(SIDES)
    assert maps is not None
    camera = as_batch(maps, 2)
    signal = torch.linspace(110, 300, 3 * 30 * 40).reshape(1, 3, *SIDES)
    own = scmos.camera_maps(SIDES)
    assert own is not None
    for of in ("variance", "bias"):
        found = getattr(both, of)(signal, camera=camera)
        expected = getattr(scmos, of)(signal[:, [1]], camera=as_batch(own, 2))
        assert torch.equal(found[:, [1]], expected)
    assert both.log_prob(signal + 3, signal, camera=camera).shape == signal.shape


class Old(NoiseModel):
    """A noise model as they were written before cameras."""

    def log_prob(self, observation: Tensor, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return -0.5 * (observation - signal).square()

    def sample(self, signal: Tensor, generator: torch.Generator, extra: Tensor | None = None) -> Tensor:
        return signal

    def variance(self, signal: Tensor, extra: Tensor | None = None) -> Tensor:
        return torch.ones_like(signal)

    @property
    def needs_fit(self) -> bool:
        return False

    def fit(self, pairs: object, *, seed: int) -> tuple[FitReport, ...]:
        return ()


def test_other_noise_models_never_hear_of_cameras(tmp_path: Path) -> None:
    both = PerChannelNoiseModel([Old(), build(options(**files(tmp_path)))])
    maps = both.camera_maps(SIDES)
    assert maps is not None
    signal = torch.full((1, 2, *SIDES), 200.0)
    assert both.variance(signal, camera=as_batch(maps, 2))[:, 0].eq(1).all()
    assert PerChannelNoiseModel([Old(), Old()]).camera_maps(SIDES) is None


def test_maps_are_asked_for() -> None:
    model = Scmos(Scmos.Options(gain=2.0, offset=Path("a.tif"), read_noise=1.0), statistics=statistics())
    with pytest.raises(NoiseModelError, match="its maps were not read"):
        model.camera_maps()
    with pytest.raises(NoiseModelError, match="the maps of the pixels in question are needed"):
        model.variance(torch.ones(1, 1, 2, 2))
