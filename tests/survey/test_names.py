from pathlib import Path, PurePosixPath

import pytest

from denoisplit.core.survey.file_names import pattern, purpose, role, wild


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("fov_001_noisy.tif", ("observed", "noisy")),
        ("fov_001_clean.ome.tif", ("clean", "clean")),
        ("cell1/GT_all.tif", ("clean", "GT")),
        ("cell1/RawSIMData_level_03.tif", ("observed", "Raw")),
        ("HighSNR/01.tif", ("clean", "")),
        ("mixed/train/01.tif", ("mixed", "")),
        ("clean/01_noisy.tif", ("observed", "noisy")),
        ("flow_1.tif", ("", "")),
        ("01.tif", ("", "")),
    ],
)
def test_words_in_names_tell_the_role(path: str, found: tuple[str, str]) -> None:
    assert role(PurePosixPath(path)) == found


def test_only_folders_tell_the_purpose() -> None:
    assert purpose(PurePosixPath("Val/a.tif")) == ("validation", 0)
    assert purpose(PurePosixPath("noisy/test/a.tif")) == ("test", 1)
    assert purpose(PurePosixPath("train.tif")) == ("", -1)


@pytest.mark.parametrize(
    ("names", "word", "expected"),
    [
        (["fov_001_noisy.tif", "fov_002_noisy.tif"], "noisy", "*_noisy.tif"),
        (["noisy_001.tif", "noisy_017.tif"], "noisy", "noisy_*.tif"),
        (["fov_noisy_1.tif", "fov_noisy_2.tif"], "noisy", "fov_noisy_*.tif"),
        (["a/noisy.tif", "b/noisy.tif"], "noisy", "*/noisy.tif"),
        (["low/a.tif", "low/b.tif"], "", "low/*.tif"),
        (["a.tif", "b.tiff"], "", "*.tif*"),
        (["a.tif", "b.TIF", "c.tiff"], "", "*.[Tt][Ii][Ff]*"),
        (["a_raw.png", "b_raw.tif"], "raw", "*_raw.[pt][in][fg]"),
        (["only_noisy.tif"], "noisy", "*_noisy.tif"),
        (["f1.tif"], "", "*.tif"),
        (["a [raw] 1.tif", "a [raw] 2.tif"], "raw", "a [[]raw] *.tif"),
        (["[x]/a.tif", "[x]/b.tif"], "", "[[]x]/*.tif"),
        (["why? 1_raw.tif", "a* 2_raw.tif", "what 3_raw.tif"], "raw", "*_raw.tif"),
        (["[1]_raw_[a].tif", "[2]_raw_[a].tif"], "raw", "*]_raw_[[]a].tif"),
        (["a.tif", "b/c.tif"], "", ""),
    ],
)
def test_a_pattern_keeps_what_is_shared_and_finds_its_files(
    names: list[str], word: str, expected: str, tmp_path: Path
) -> None:
    paths = [PurePosixPath(name) for name in names]
    assert pattern(paths, [[word] if word else [] for _ in paths]) == expected
    if not expected:
        return
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    assert sorted(tmp_path.glob(expected)) == sorted(tmp_path / name for name in names)
    keys = [wild(expected, path) for path in paths]
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_files_that_do_not_fit_a_pattern_have_no_key() -> None:
    assert wild("*_noisy.tif", PurePosixPath("a_clean.tif")) is None
    assert wild("*_noisy.tif", PurePosixPath("b/a_noisy.tif")) is None
    assert wild("*_noisy.tif", PurePosixPath("a_noisy.tif")) == "a"
