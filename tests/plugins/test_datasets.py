"""Folders give the files they were asked for; simulated fields have the truth and noise they claim."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.bases import Image, PixelSize
from denoisplit.plugins.datasets.folder import Folder
from denoisplit.plugins.datasets.simulated import Simulated
from denoisplit.plugins.datasets.simulation.camera import Camera, CameraKind
from denoisplit.plugins.datasets.simulation.render import Points, splat
from denoisplit.plugins.datasets.simulation.structures import STRUCTURES
from denoisplit.plugins.image_formats.ome_tiff import OmeTiff
from denoisplit.plugins.image_formats.tiff import Tiff

TWO = ("mitochondria", "actin")
FORMATS = (OmeTiff(OmeTiff.Options()), Tiff(Tiff.Options()))


def write(path: Path, *, axes: str = "cyx", shape: tuple[int, ...] = (2, 6, 5), start: int = 0) -> None:
    """A file whose pixels count up from ``start``."""
    data = (start + np.arange(np.prod(shape))).reshape(shape).astype(np.uint16)
    file_format = OmeTiff(OmeTiff.Options()) if ".ome" in path.name else Tiff(Tiff.Options())
    rank = sum(a in "zyx" for a in axes)
    file_format.write(path, Image(data=data, axes=axes, pixel_size=PixelSize((0.5, 0.2, 0.1)[-rank:])))


def folder(path: Path, channels: tuple[str, ...] = TWO, **options: Any) -> Folder:
    return Folder(Folder.Options(path=path, **options), channels=channels, formats=FORMATS)


def test_files_come_in_natural_order_with_counts_and_pixel_size(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        write(tmp_path / f"fov{number}{'.ome' * (number == 9)}.tif", start=100 * number)
    fields = folder(tmp_path).fields()
    assert [field.name for field in fields] == ["fov1.tif", "fov9.ome.tif", "fov10.tif"]
    assert [field.observed[0, 0, 0] for field in fields] == [100, 900, 1000]
    assert {field.observed.dtype for field in fields} == {np.dtype(np.float32)}
    assert {field.pixel_size for field in fields} == {PixelSize((0.2, 0.1))}
    assert all(field.clean is None for field in fields)
    assert [field.name for field in folder(tmp_path, limit=2).fields()] == ["fov1.tif", "fov9.ome.tif"]


def test_clean_references_are_found_by_the_part_that_varies(tmp_path: Path) -> None:
    for number in (1, 2, 11):
        write(tmp_path / "raw" / f"f{number}_noisy.tif", start=number)
        write(tmp_path / "truth" / f"f{number}_clean.tif", start=1000 + number)
    data = folder(tmp_path, observed="raw/*_noisy.tif", clean="truth/*_clean.tif")
    for field, number in zip(data.fields(), (1, 2, 11), strict=True):
        assert field.clean is not None
        assert (field.observed[0, 0, 0], field.clean[0, 0, 0]) == (number, 1000 + number)
    (tmp_path / "truth" / "f2_clean.tif").unlink()
    with pytest.raises(ImageError, match=r"f2_noisy\.tif: it has no clean partner.*'truth/f2_clean\.tif'"):
        data.fields()


def test_clean_files_never_count_as_noisy_ones(tmp_path: Path) -> None:
    write(tmp_path / "a.tif")
    write(tmp_path / "a.clean.tif", start=7)
    fields = folder(tmp_path, observed="*.tif", clean="*.clean.tif").fields()
    assert [field.name for field in fields] == ["a.tif"]


@pytest.mark.parametrize(
    ("channels", "index", "names", "told"),
    [
        (
            TWO,
            (),
            [TWO, TWO, TWO[::-1]],
            "than the spec (mitochondria, actin): f2.ome.tif has actin, mitochondria.",
        ),
        (
            TWO,
            (),
            [("Actin ", "Mitochondria")] * 2,
            "f0.ome.tif has Actin, Mitochondria, and so have 1 more.",
        ),
        (("a", "b"), (), [TWO, TWO[::-1], TWO], "than most files: f1.ome.tif has actin, mitochondria."),
        (TWO, (1, 0), [TWO[::-1]], ""),
        (TWO, (), [("C1", "C2"), ()], ""),
        (("actin",), (1,), [TWO, TWO], ""),
    ],
)
def test_files_with_their_channels_in_another_order_are_told(
    tmp_path: Path,
    channels: tuple[str, ...],
    index: tuple[int, ...],
    names: list[tuple[str, ...]],
    told: str,
) -> None:
    for number, own in enumerate(names):
        data = np.arange(60, dtype=np.uint16).reshape(2, 6, 5)
        FORMATS[0].write(tmp_path / f"f{number}.ome.tif", Image(data=data, axes="cyx", channel_names=own))
    said = folder(tmp_path, channels, channel_index=index).remarks()
    assert len(said) == bool(told)
    assert not told or told in said[0]


def test_recorded_mixed_images_are_partners_like_clean_ones(tmp_path: Path) -> None:
    for number in (1, 2, 11):
        write(tmp_path / f"f{number}.tif", axes="tcyx", shape=(2, 2, 6, 5), start=number)
        write(tmp_path / f"f{number}.mixed.tif", axes="tyx", shape=(2, 6, 5), start=500 + number)
    data = folder(tmp_path, observed="*.tif", mixed="*.mixed.tif")
    fields = data.fields()
    assert [field.name for field in fields][:2] == ["f1.tif t=0", "f1.tif t=1"]
    found = [field.mixed for field in fields]
    assert all(mixed is not None and mixed.shape == (1, 6, 5) for mixed in found)
    assert [int(mixed[0, 0, 0]) for mixed in found if mixed is not None] == [501, 531, 502, 532, 511, 541]
    assert all(field.clean is None for field in fields)
    write(tmp_path / "f2.mixed.tif", axes="tcyx", shape=(2, 2, 6, 5))
    with pytest.raises(ChannelCountError, match=r"f2\.mixed\.tif t=0: expected 1 channel \(got 2\)"):
        data.fields()
    write(tmp_path / "f2.mixed.tif", axes="tyx", shape=(2, 6, 4))
    with pytest.raises(ImageError, match=r"expected the shape of f2\.tif, \(1, 6, 5\) \(got \(1, 6, 4\)\)"):
        data.fields()
    write(tmp_path / "f2.mixed.tif", axes="tyx", shape=(3, 6, 5))
    with pytest.raises(ImageError, match=r"f2\.mixed\.tif: expected positions \(2,\) \(got \(3,\)\)"):
        data.fields()
    (tmp_path / "f2.mixed.tif").unlink()
    with pytest.raises(ImageError, match=r"f2\.tif: it has no mixed partner \(expected 'f2\.mixed\.tif'"):
        data.fields()


def test_two_references_or_another_shape_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a_noisy.tif")
    write(tmp_path / "a_clean.tif", shape=(2, 6, 4))
    with pytest.raises(ImageError, match=r"expected the shape of a_noisy\.tif"):
        folder(tmp_path, observed="*_noisy.tif", clean="*_clean.tif").fields()
    write(tmp_path / "a_clean.tiff")
    with pytest.raises(ImageError, match=r"same field as a_clean\.tif"):
        folder(tmp_path, observed="*_noisy.tif", clean="*_clean.tif*").fields()


def test_channels_are_chosen_by_index_and_never_guessed(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", shape=(3, 6, 5))
    (field,) = folder(tmp_path, channel_index=(2, 0)).fields()
    assert field.observed[:, 0, 0].tolist() == [60, 0]
    with pytest.raises(ChannelCountError, match=r"a\.tif: expected 2 channels \(got 3\).*channel_index"):
        folder(tmp_path).fields()
    with pytest.raises(ChannelCountError, match=r"channels 0 to 2 \(got channel_index=\(0, 3\)\)"):
        folder(tmp_path, channel_index=(0, 3)).fields()
    with pytest.raises(ChannelCountError, match=r"channel_index: expected 2 channels \(got 1\)"):
        folder(tmp_path, channel_index=(0,)).fields()


def test_stacks_and_series_become_fields(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", axes="tczyx", shape=(2, 2, 3, 6, 5))
    stacks = folder(tmp_path).fields()
    assert [field.name for field in stacks] == ["a.tif t=0", "a.tif t=1"]
    assert stacks[0].observed.shape == (2, 3, 6, 5)
    assert stacks[0].pixel_size == PixelSize((0.5, 0.2, 0.1))
    planes = folder(tmp_path, dimensions=2).fields()
    assert [field.name for field in planes][:2] == ["a.tif t=0 z=0", "a.tif t=0 z=1"]
    np.testing.assert_array_equal(planes[4].observed, stacks[1].observed[:, 1])


def test_one_channel_needs_no_channel_axis_and_axes_can_be_overridden(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", axes="zyx", shape=(2, 6, 5))
    assert folder(tmp_path, ("actin",)).fields()[0].observed.shape == (1, 2, 6, 5)
    assert folder(tmp_path, axes="cyx").fields()[0].observed.shape == (2, 6, 5)


def test_folders_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such folder"):
        folder(tmp_path / "nowhere").fields()
    with pytest.raises(ImageError, match=r"no file matches \(got observed='\*\.tif\*'\)"):
        folder(tmp_path).fields()
    data = np.ones((2, 4, 4), np.float32)
    data[0] = np.eye(4)
    Tiff(Tiff.Options()).write(tmp_path / "a.tif", Image(data=data, axes="cyx"))
    with pytest.raises(ImageError, match=r"a\.tif, channel 'actin': all pixels are equal"):
        folder(tmp_path).fields()


def test_real_folders_are_read(data_root: Path) -> None:
    data = folder(
        data_root / "small" / "w2s",
        observed="*_noisy.tif",
        clean="*_clean.tif",
        channel_index=(0, 2),
        limit=2,
    )
    for field in data.fields():
        assert field.clean is not None
        assert field.observed.shape == field.clean.shape == (2, 512, 512)
        assert field.observed[...].mean() == pytest.approx(field.clean[...].mean(), rel=0.05)


def simulated(channels: int = 2, **options: Any) -> Simulated:
    names = tuple(f"channel {i}" for i in range(channels))
    return Simulated(Simulated.Options(**({"fields": 1, "size": 64} | options)), channels=names)


def test_a_field_depends_on_seed_and_number_only() -> None:
    few, many = simulated(fields=2).fields(), simulated(fields=4).fields()
    for one, other in zip(few, many, strict=False):
        np.testing.assert_array_equal(one.observed, other.observed)
        assert one.name == other.name
    assert (
        len({np.asarray(f.observed).tobytes() for f in (*many, *simulated(fields=4, seed=1).fields())}) == 8
    )
    assert len({field.name for field in (*many, *simulated(fields=4, seed=1).fields())}) == 8


def test_other_noise_or_more_exposures_leave_the_structures_alone() -> None:
    (plain,), (em,), (repeated,) = (
        simulated(**options).fields() for options in ({}, {"camera": "em"}, {"repeats": 2})
    )
    np.testing.assert_array_equal(plain.clean, em.clean)
    np.testing.assert_array_equal(plain.observed, repeated.observed)
    assert repeated.repeats is not None
    assert repeated.repeats.shape == (2, 2, 64, 64)
    assert not np.array_equal(plain.observed, em.observed)


@pytest.mark.parametrize(("camera", "excess"), [("poisson", 1.0), ("em", 2.0)])
def test_the_clean_image_is_the_mean_of_many_exposures(camera: CameraKind, excess: float) -> None:
    count = 400
    (field,) = simulated(
        camera=camera, repeats=count, gain=2.5, offset=90.0, read_noise=4.0, size=32
    ).fields()
    assert field.repeats is not None
    assert field.clean is not None
    variance = excess * 2.5 * (field.clean[...].astype(np.float64) - 90.0) + 16.0
    deviation = (field.repeats[...].mean(0, dtype=np.float64) - field.clean[...]) / np.sqrt(variance / count)
    assert stats.kstest(deviation.ravel(), "norm").pvalue > 1e-3
    assert np.mean(field.repeats[...].var(0, dtype=np.float64) / variance) == pytest.approx(1, abs=0.02)


def test_a_dark_camera_gives_offset_and_read_noise() -> None:
    for kind in ("poisson", "em"):
        dark = Camera(kind=kind, gain=3.0, offset=100.0, read_noise=2.0).expose(
            np.zeros((100, 100)), np.random.default_rng(0)
        )
        assert stats.kstest(dark.ravel(), "norm", args=(100.0, 2.0)).pvalue > 1e-3


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(0, 99))
def test_points_keep_their_brightness_and_centre_of_mass(rank: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (9, 8, 7)[:rank]
    positions = rng.uniform(0, np.array(shape) - 1, (20, rank))
    weights = rng.uniform(0.1, 2, 20)
    image = splat(Points(positions, weights), shape)
    assert image.sum() == pytest.approx(weights.sum())
    np.testing.assert_allclose(
        ndimage.center_of_mass(image), np.average(positions, axis=0, weights=weights), atol=1e-9
    )


def test_light_outside_the_image_is_lost_and_a_point_on_a_pixel_stays_there() -> None:
    image = splat(Points(np.array([[2.0, 3.0], [-0.5, 1.0], [-7.0, 2.0], [1.0, 99.0]]), np.ones(4)), (5, 6))
    assert image[2, 3] == 1.0
    assert image[0, 1] == 0.5
    assert image.sum() == 1.5


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures_reach_the_brightness_they_were_asked_for(name: str) -> None:
    (field,) = simulated(
        1, structures=(name,), size=128, photons=40.0, background=2.0, gain=1.0, offset=0.0
    ).fields()
    assert field.clean is not None
    assert np.quantile(field.clean, 0.99) == pytest.approx(42.0, rel=1e-3)
    assert np.quantile(field.clean, 0.1) < 15.0, "there is background between the structures"
    assert field.clean[...].min() >= 2.0


def test_in_nearly_empty_fields_the_brightest_pixel_sets_the_scale() -> None:
    """Where the 99th percentile has fewer photons than were asked for, that has 20 times as many."""
    sharp: dict[str, Any] = {"size": 24, "fields": 60, "psf": 0.5, "haze": 0.0, "gain": 1.0, "offset": 0.0}
    fields = simulated(1, structures=("puncta",), **sharp).fields()
    photons = [field.clean[...].astype(np.float64) - 1.0 for field in fields if field.clean is not None]
    usual = np.array([np.quantile(one, 0.99) for one in photons])
    sparse = np.array([one.max() for one in photons])[usual < 29.9]
    assert usual.max() == pytest.approx(30.0, rel=1e-3)
    assert set(np.unique(sparse.round())) == {0.0, 600.0}


@pytest.mark.parametrize("size", [16, 33])
def test_small_fields_are_finite_whatever_they_show(size: int) -> None:
    for field in simulated(4, size=size, fields=20).fields():
        assert field.observed.shape == (4, size, size)
        assert np.isfinite(field.observed).all()
        assert field.observed[...].std() > 0


def test_structures_differ_in_width_not_only_in_place() -> None:
    """The Laplacian is strong on thin structures and weak on thick ones: a network can tell them apart."""
    (field,) = simulated(2, size=256).fields()
    assert field.clean is not None
    thin, thick = (float(np.std(ndimage.laplace(c)) / np.std(c)) for c in field.clean)
    assert thin > 1.5 * thick
    assert abs(stats.pearsonr(field.clean[0].ravel(), field.clean[1].ravel()).statistic) < 0.3


def test_every_channel_needs_a_structure() -> None:
    with pytest.raises(ChannelCountError, match=r"5 channels need as many structures \(got 4\)"):
        simulated(5)
    with pytest.raises(ValueError, match="structures"):
        simulated(1, structures=("ribosomes",))
