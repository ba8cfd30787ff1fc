"""Data sets of one file per channel, by a table, and as published ones are laid out, on small files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from denoisplit.core.arrays import Float32Array
from denoisplit.core.errors import ChannelCountError, ImageError
from denoisplit.core.images.bases import Dataset
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.plugins.datasets.biosr import BioSR
from denoisplit.plugins.datasets.folder import Folder
from denoisplit.plugins.datasets.hagen import Hagen
from denoisplit.plugins.datasets.manifest import Manifest
from denoisplit.plugins.datasets.single_channels import ChannelFiles, SeparateChannels
from denoisplit.plugins.datasets.w2s import W2S

TWO = ("mito", "actin")


def image(seed: int, shape: tuple[int, ...] = (9, 8)) -> Float32Array:
    return np.random.default_rng(seed).integers(0, 60_000, shape).astype(np.float32)


def write(path: Path, pixels: Float32Array, axes: str = "YX") -> Float32Array:
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"axes": axes, "unit": "um"}
    tifffile.imwrite(path, pixels.astype(np.uint16), imagej=True, resolution=(10.0, 10.0), metadata=known)
    return pixels


def made(
    cls: Callable[..., Dataset], path: Path, *, channels: tuple[str, ...] = TWO, **options: Any
) -> Dataset:
    known: Any = cls
    return cls(known.Options(path=path, **options), channels=channels, formats=installed_formats())


@pytest.mark.parametrize("pattern", ["*.tif*", "*", "**/*"])
def test_hidden_files_are_no_images(tmp_path: Path, pattern: str) -> None:
    """What copying, browsing and killed writing leave behind."""
    for channel in TWO:
        write(tmp_path / channel / "f1.tif", image(1))
        write(tmp_path / channel / "._f1.tif", image(2))
        (tmp_path / channel / ".f9.tif.0123.part").write_bytes(bytes(99))
        (tmp_path / channel / "Thumbs.db").write_bytes(bytes(99))
        write(tmp_path / channel / "__MACOSX" / "f1.tif", image(3))
    observed = tuple(f"{channel}/{pattern}" for channel in TWO)
    (field,) = made(SeparateChannels, tmp_path, observed=observed).fields()
    assert field.name == "mito/f1.tif + actin/f1.tif"
    (field,) = made(ChannelFiles, tmp_path / "mito", channels=("mito",), observed=(pattern,)).fields()
    assert len(made(Folder, tmp_path / "mito", channels=("mito",), observed=pattern).fields()) == 1
    assert len(made(Folder, tmp_path / "mito", channels=("mito",), observed="._*.tif").fields()) == 1


def test_files_of_one_channel_are_joined_by_name(tmp_path: Path) -> None:
    kept = {}
    for place, name in enumerate(("b2", "b10", "b1")):
        for number, channel in enumerate(TWO):
            seed = 10 * place + number
            kept[name, number] = write(tmp_path / channel / f"{name}.tif", image(seed))
            write(tmp_path / "truth" / f"{channel}_{name}_clean.tif", image(seed) + 1)
        write(tmp_path / "both" / f"{name}.tif", image(7))
    write(tmp_path / "actin" / "alone.tif", image(3))
    data = made(
        ChannelFiles,
        tmp_path,
        observed=("mito/*.tif", "actin/*.tif"),
        clean=("truth/mito_*_clean.tif", "truth/actin_*_clean.tif"),
        mixed="both/*.tif",
    )
    fields = data.fields()
    assert [field.name for field in fields] == [f"mito/{name}.tif" for name in ("b1", "b2", "b10")]
    for field, name in zip(fields, ("b1", "b2", "b10"), strict=True):
        np.testing.assert_array_equal(field.observed, [kept[name, 0], kept[name, 1]])
        assert field.clean is not None
        np.testing.assert_array_equal(field.clean[...], field.observed[...] + 1)
        assert field.mixed is not None
        np.testing.assert_array_equal(field.mixed[0], image(7))
        assert not field.separate
        assert field.pixel_size is not None
        assert field.pixel_size.size == pytest.approx((0.1, 0.1))
        assert [(file.role, file.channel) for file in field.files] == [
            ("observed", "mito"),
            ("clean", "mito"),
            ("observed", "actin"),
            ("clean", "actin"),
            ("mixed", ""),
        ]
    assert data.remarks() == ("No image of mito goes with alone.tif: left out.",)
    (tmp_path / "actin" / "b2.tif").unlink()
    with pytest.raises(
        ImageError, match=r"mito/b2\.tif: it has no actin partner \(expected 'actin/b2\.tif'\)"
    ):
        data.fields()


def test_channels_of_one_field_have_one_size(tmp_path: Path) -> None:
    write(tmp_path / "mito" / "a.tif", image(0))
    write(tmp_path / "actin" / "a.tif", image(1, (9, 9)))
    with pytest.raises(ImageError, match=r"channels differ in size \(got mito \(9, 8\), actin \(9, 9\)\)"):
        made(ChannelFiles, tmp_path).fields()
    write(tmp_path / "actin" / "a.tif", image(1, (2, 9, 8)), "TYX")
    with pytest.raises(ImageError, match=r"differ in their number of positions .*\(got 1, 2\)"):
        made(ChannelFiles, tmp_path).fields()
    write(tmp_path / "actin" / "a.tif", image(1, (2, 9, 8)), "CYX")
    with pytest.raises(ChannelCountError, match="expected 1 channel"):
        made(ChannelFiles, tmp_path).fields()
    with pytest.raises(ChannelCountError, match=r"one pattern is needed for each of mito, actin \(got 1\)"):
        made(ChannelFiles, tmp_path, observed=("*.tif",)).fields()


def test_structures_from_different_fields_are_paired_once_by_the_seed_and_none_twice(tmp_path: Path) -> None:
    for number in range(7):
        write(tmp_path / "mito" / f"m{number}.tif", image(number))
    for number in range(5):
        write(tmp_path / "actin" / f"a{number}.tif", image(100 + number))
        write(tmp_path / "truth" / f"a{number}.tif", image(200 + number))
    fields = made(SeparateChannels, tmp_path).fields()
    assert len(fields) == 5
    assert all(field.separate for field in fields)
    used = [sorted(field.observed[c].tobytes() for field in fields) for c in range(2)]
    assert used[0] == sorted(image(n).tobytes() for n in range(5))
    assert used[1] == sorted(image(100 + n).tobytes() for n in range(5))
    names = [[field.name for field in made(SeparateChannels, tmp_path, seed=s).fields()] for s in (0, 0, 1)]
    assert names[0] == names[1]
    assert names[0] != names[2]
    (said,) = made(SeparateChannels, tmp_path).remarks()
    assert said.startswith("Every field needs an image of each channel: of 7 of mito, 5 of actin, 5 of each")
    only = made(
        SeparateChannels, tmp_path, channels=("actin",), clean=("truth/*.tif",), observed=("actin/*.tif",)
    )
    for field in only.fields():
        assert not field.separate
        assert field.clean is not None
        assert field.clean[0].tobytes() == image(200 + int(field.name[-5])).tobytes()
    with pytest.raises(ImageError, match=r"no file of 'tubulin' matches \(got 'tubulin/\*\.tif\*'\)"):
        made(SeparateChannels, tmp_path, channels=("mito", "tubulin")).fields()


def table(folder: Path, *lines: str, head: str = "field,channel,file,kind,split") -> None:
    (folder / "manifest.csv").write_text("\n".join((head, *lines)) + "\n", encoding="utf-8-sig")


def test_a_table_says_which_file_is_what(tmp_path: Path) -> None:
    pixels = {name: write(tmp_path / f"{name}.tif", image(n)) for n, name in enumerate("abcdef")}
    table(
        tmp_path,
        "one,actin,b.tif,observed,train",
        "one,mito,a.tif,,train",
        "one,mito,c.tif,clean,train",
        "one,actin,d.tif,clean,train",
        "one,,e.tif,mixed,train",
        "",
        "two,mito,c.tif,observed,test",
        "two,actin,f.tif,observed,test",
    )
    (field,) = made(Manifest, tmp_path, split="train").fields()
    assert field.name == "one"
    assert field.clean is not None
    assert field.mixed is not None
    for found, expected in ((field.observed, "ab"), (field.clean, "cd"), (field.mixed, "e")):
        np.testing.assert_array_equal(found, [pixels[name] for name in expected])
    (other,) = made(Manifest, tmp_path, split="test").fields()
    assert (other.name, other.clean, other.mixed, other.separate) == ("two", None, None, False)
    table(tmp_path, *(f"{n},{'mito' if n < 3 else 'actin'},{c}.tif" for n, c in enumerate("abcdef")))
    assert [field.separate for field in made(Manifest, tmp_path).fields()] == [True] * 3
    alone = made(Manifest, tmp_path, channels=("mito",), split="")
    table(tmp_path, "x,mito,a.tif", "y,mito,b.tif")
    assert [field.name for field in alone.fields()] == ["x", "y"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["one,mito,a.tif,noisy,"], r"line 2: unknown kind \(got 'noisy'\)"),
        (["one,dna,a.tif,,"], r"line 2: the spec names no such channel \(got 'dna'\)"),
        (["one,mito,nowhere.tif,,"], r"line 2: there is no such file \(got 'nowhere\.tif'\)"),
        ([",mito,a.tif,,"], "line 2: the field has no name"),
        (
            ["one,mito,a.tif,,", "one,mito,b.tif,,"],
            r"line 3: field 'one' has a second observed image of channel",
        ),
        (
            ["one,mito,a.tif,,", "two,mito,a.tif,,", "two,actin,b.tif,,"],
            "'one' has no observed image of actin",
        ),
        (["one,mito,a.tif,,", "two,mito,b.tif,,"], "no field shows channel 'actin'"),
        ([], "it names no images"),
    ],
)
def test_a_table_that_says_something_impossible_is_refused(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.tif", image(ord(name)))
    table(tmp_path, *lines)
    with pytest.raises(ImageError, match=words) as caught:
        made(Manifest, tmp_path).fields()
    assert "\n" not in str(caught.value)


ENCODINGS = ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_is_read_as_spreadsheets_save_it(tmp_path: Path, separator: str, encoding: str) -> None:
    """Excel writes semicolons in half of Europe, tabs with UTF-16, and letters as Windows has them."""
    write(tmp_path / "Zelle 1" / "a.tif", image(1))
    write(tmp_path / "b.tif", image(2))
    lines = [
        separator.join(cells)
        for cells in (
            ("Field", " channel", "FILE", "remark"),
            ("Zelle_\u00fc", "mito", r"Zelle 1\a.tif", f'"a{separator}b\n""c"""'),
            ("Zelle_\u00fc", '"actin"', "b.tif"),
            ("", "", "", ""),
        )
    ]
    for begin in ("", f"sep={separator}\r\n"):
        text = begin + "\r\n".join(lines) + "\r\n"
        (tmp_path / "manifest.csv").write_bytes(text.encode(encoding))
        (field,) = made(Manifest, tmp_path).fields()
        assert field.name == "Zelle_\u00fc"
        np.testing.assert_array_equal(field.observed, [image(1), image(2)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", r"manifest\.csv: not text"),
        (b"PK\x03\x04" + bytes(range(256)), r"manifest\.csv: not text"),
        (b"field,channel,file\n" + b"x" * 200_000, r"manifest\.csv, line 2: not a line of a table"),
        (b"field,channel,file\na,mito\n", "line 2: there is no such file"),
        (b"field,channel,file\na,mito,.\n", "line 2: there is no such file"),
        (b"\x01\x02,channel\n", r"lacks field, file \(got \?\?, channel\)"),
        (b"", "lacks field, channel, file"),
    ],
)
def test_what_is_no_table_is_told_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(ImageError, match=words) as caught:
        made(Manifest, tmp_path).fields()
    assert str(caught.value).isprintable()


def test_a_named_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.csv")
    with pytest.raises(ImageError, match=r"manifest\.csv: not a file \(got a named pipe\)"):
        made(Manifest, tmp_path).fields()


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"manifest\.csv: there is no such table"):
        made(Manifest, tmp_path).fields()
    table(tmp_path, head="field;kanal;file")
    with pytest.raises(ImageError, match=r"lacks channel .*by commas"):
        made(Manifest, tmp_path).fields()


def test_biosr_gives_the_images_of_all_cells(tmp_path: Path) -> None:
    er = write(tmp_path / "ER" / "GT_all.tif", image(0, (4, 9, 8)), "TYX")
    ccps = write(tmp_path / "CCPs" / "GT_all.tif", image(1, (3, 9, 8)), "TYX")
    data = made(BioSR, tmp_path, channels=("er", "pits"), structures=("ER", "CCPs"))
    fields = data.fields()
    assert [field.name for field in fields] == [
        f"ER/GT_all.tif t={n} + CCPs/GT_all.tif t={n}" for n in range(3)
    ]
    for number, field in enumerate(fields):
        np.testing.assert_array_equal(field.observed, [er[number], ccps[number]])
        assert field.separate
        assert field.clean is None
    assert "of 4 of er, 3 of pits, 3 of each are used" in data.remarks()[0]
    fixed = made(BioSR, tmp_path, channels=("ER", "CCPs"), pairing="fixed").fields()
    assert not any(field.separate for field in fixed)
    (tmp_path / "ER" / "GT_all.tif").unlink()
    with pytest.raises(ImageError, match=r"ER/GT_all: there is no such image.*got no such folder|ER/GT_all"):
        data.fields()


def test_biosr_gives_wide_field_images_of_every_light_level(tmp_path: Path) -> None:
    raw: dict[tuple[str, int, str], Float32Array] = {}
    for number in (2, 10, 1):
        flat, nested = tmp_path / "CCPs" / f"Cell_{number:03d}", tmp_path / "ER" / f"Cell_{number:03d}"
        seed = 50 * number
        raw["CCPs", number, "noisy"] = write(flat / "RawSIMData_level_03.tif", image(seed, (9, 6, 5)), "TYX")
        raw["CCPs", number, "clean"] = write(flat / "RawSIMData_gt.tif", image(seed + 1, (9, 6, 5)), "TYX")
        write(flat / "RawSIMData_level_04.tif", image(seed + 2, (9, 6, 5)), "TYX")
        inner = nested / "RawSIMData" / "RawSIMData_level_03.tif"
        raw["ER", number, "noisy"] = write(inner, image(seed + 3, (9, 6, 5)), "TYX")
        best = nested / "RawGTSIMData" / "RawGTSIMData_level_03.tif"
        raw["ER", number, "clean"] = write(best, image(seed + 4, (9, 6, 5)), "TYX")
    fields = made(BioSR, tmp_path, channels=("CCPs", "ER"), level=3).fields()
    for number, field in zip((1, 2, 10), fields, strict=True):
        assert field.name.startswith(f"CCPs/Cell_{number:03d}/RawSIMData_level_03.tif + ER")
        assert field.clean is not None
        for found, kind in ((field.observed, "noisy"), (field.clean, "clean")):
            expected = [raw[name, number, kind].mean(axis=0) for name in ("CCPs", "ER")]
            np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(ImageError, match=r"RawSIMData_level_07: there is no such image"):
        made(BioSR, tmp_path, channels=("CCPs", "ER"), level=7).fields()
    with pytest.raises(ImageError, match="no folders Cell_001"):
        made(BioSR, tmp_path / "CCPs", channels=("Cell_001", "Cell_002"), level=3).fields()


def test_hagen_gives_pairs_of_short_and_long_exposures(tmp_path: Path) -> None:
    kept = {}
    for number, structure in enumerate(("actin", "mito")):
        for place, kind in enumerate(("lowsnr", "highsnr")):
            path = tmp_path / f"{structure}-20x-noise1-{kind}.tif"
            kept[number, kind] = write(path, image(2 * number + place, (3 + number, 9, 8)), "TYX")
    options: dict[str, Any] = {"structures": ("mito", "actin"), "series": "20x-noise1"}
    fields = made(Hagen, tmp_path, **options).fields()
    assert len(fields) == 3
    for position, field in enumerate(fields):
        assert field.clean is not None
        np.testing.assert_array_equal(
            field.observed, [kept[1, "lowsnr"][position], kept[0, "lowsnr"][position]]
        )
        np.testing.assert_array_equal(
            field.clean, [kept[1, "highsnr"][position], kept[0, "highsnr"][position]]
        )
    (tmp_path / "mito-20x-noise1-highsnr.tif").unlink()
    assert all(field.clean is None for field in made(Hagen, tmp_path, **options).fields())
    write(tmp_path / "mito-20x-noise1-highsnr.tif", image(0, (2, 9, 8)), "TYX")
    with pytest.raises(ImageError, match=r"expected 4 images as in mito-20x-noise1-lowsnr\.tif \(got 2\)"):
        made(Hagen, tmp_path, **options).fields()
    with pytest.raises(ChannelCountError, match="structures: one name is needed"):
        made(Hagen, tmp_path, structures=("mito",))


def test_w2s_gives_exposures_their_mean_and_the_published_parts(tmp_path: Path) -> None:
    kept = {}
    for number in (80, 81, 9):
        for channel in range(3):
            path = tmp_path / f"Image{number:03d}" / f"wf_channel{channel}.tif"
            kept[number, channel] = write(path, image(3 * number + channel, (12, 6, 5)), "TYX")
    (tmp_path / "Images").mkdir()
    (field,) = made(W2S, tmp_path, part="test", channel_index=(2, 0), average=2, repeats=3).fields()
    assert field.name == "Image081"
    assert field.repeats is not None
    assert field.clean is not None
    exposures = np.stack([kept[81, 2], kept[81, 0]], axis=1).astype(np.float64)
    noisy = exposures[:8].reshape(4, 2, 2, 6, 5).mean(axis=1)
    np.testing.assert_allclose(field.observed, noisy[0], rtol=1e-6)
    np.testing.assert_allclose(field.repeats, noisy[1:], rtol=1e-6)
    np.testing.assert_allclose(field.clean, exposures[8:].mean(axis=0), rtol=1e-6)
    assert [f.name for f in made(W2S, tmp_path, part="train").fields()] == ["Image009", "Image080"]
    assert len(made(W2S, tmp_path).fields()) == 3
    (bare,) = made(W2S, tmp_path, part="test", average=12).fields()
    assert bare.clean is None
    with pytest.raises(ImageError, match=r"20 exposures are needed .*\(got 12\)"):
        made(W2S, tmp_path, average=10, repeats=1).fields()
    with pytest.raises(ImageError, match="no folders Image001"):
        made(W2S, tmp_path / "Image009").fields()
    with pytest.raises(ChannelCountError, match="channel_index"):
        made(W2S, tmp_path, channel_index=(3, 0))
