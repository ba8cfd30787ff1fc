from pathlib import Path, PurePosixPath

import pytest

from denoisplit.core.errors import ImageError
from denoisplit.core.survey.arranging import arrange
from denoisplit.core.survey.findings import Arrangement, Found, FoundImage, Skipped


def image(name: str, channels: int = 2, side: int = 64) -> FoundImage:
    axes, shape = ("cyx", (channels, side, side)) if channels > 1 else ("yx", (side, side))
    return FoundImage(path=PurePosixPath(name), axes=axes, shape=shape, dtype="uint16")


def arranged(*images: FoundImage, skipped: tuple[Skipped, ...] = ()) -> Arrangement:
    return arrange(Found(folder=Path("data"), images=images, skipped=skipped))


def names(images: tuple[FoundImage, ...]) -> list[str]:
    return [str(one.path) for one in images]


def test_folders_tell_what_images_are_for() -> None:
    found = arranged(*(image(f"{part}/{n}.tif") for part in ("test", "train", "val") for n in "ab"))
    assert [part.purpose for part in found.parts] == ["train", "validation", "test"]
    assert names(found.train.observed) == ["train/a.tif", "train/b.tif"]
    assert found.train.folder == PurePosixPath("train")
    assert found.train.patterns == ("*.tif",)


def test_clean_and_mixed_partners_are_found_by_name() -> None:
    found = arranged(
        *(image(f"{n}_{kind}.tif") for n in (1, 2) for kind in ("noisy", "clean")),
        *(image(f"{n}_mixed.tif", channels=1) for n in (1, 2)),
    )
    assert found.train.clean_patterns == ("*_clean.tif",)
    assert found.train.mixed_pattern == "*_mixed.tif"
    assert found.train.fields == 2
    assert not found.remarks


def test_partners_in_folders_are_found() -> None:
    found = arranged(*(image(f"train/{kind}/{n}.tif") for kind in ("low", "high") for n in "ab"))
    assert found.train.patterns == ("low/*.tif",)
    assert found.train.clean_patterns == ("high/*.tif",)


def test_clean_images_that_do_not_pair_are_left_out_and_named() -> None:
    found = arranged(image("1_noisy.tif"), image("2_noisy.tif"), image("1_clean.tif"))
    assert not found.train.clean
    assert "1_clean.tif" in found.remarks[0]


def test_words_that_all_names_share_belong_to_the_pattern_where_partners_need_it() -> None:
    for names_of, patterns in (
        (("{}_targets.tif", "{}_mixed.tif"), ("*_targets.tif", "*_mixed.tif")),
        (("targets_{}.tif", "mixed_{}.tif"), ("targets_*.tif", "mixed_*.tif")),
        (("img_{}.tif", "img_{}_mixed.tif"), ("*.tif", "*_mixed.tif")),
    ):
        own, mixed = names_of
        found = arranged(
            *(image(own.format(n)) for n in (1, 2)), *(image(mixed.format(n), channels=1) for n in (1, 2))
        )
        assert (*found.train.patterns, found.train.mixed_pattern) == patterns
        assert not found.remarks


def test_partners_of_another_size_do_not_pair() -> None:
    found = arranged(image("1_noisy.tif"), image("1_clean.tif", side=32))
    assert not found.train.clean


def test_a_folder_for_each_structure() -> None:
    found = arranged(
        *(image(f"train/{name}/{n}.tif", channels=1) for name in ("er", "actin") for n in (1, 2, 3))
    )
    assert found.train.structures == ("actin", "er")
    assert found.train.patterns == ("actin/*.tif", "er/*.tif")
    assert not found.train.separate
    assert found.train.fields == 3


def test_structures_with_files_of_other_names_are_of_other_fields() -> None:
    found = arranged(
        image("er/a.tif", channels=1), image("er/b.tif", channels=1), image("actin/c.tif", channels=1)
    )
    assert found.train.separate


def test_structures_by_a_word_in_the_name() -> None:
    found = arranged(
        *(image(f"{n:02}_{name}_noisy.tif", channels=1) for name in ("er", "actin") for n in (1, 2, 3)),
        *(image(f"{n:02}_{name}_clean.tif", channels=1) for name in ("er", "actin") for n in (1, 2, 3)),
    )
    assert found.train.structures == ("actin", "er")
    assert found.train.patterns == ("*_actin_noisy.tif", "*_er_noisy.tif")
    assert found.train.clean_patterns == ("*_actin_clean.tif", "*_er_clean.tif")


def test_numbers_are_fields_and_no_structures() -> None:
    for made in ("cell{}/image.tif", "fov_{}.tif", "{}_noisy.tif"):
        found = arranged(*(image(made.format(n), channels=1) for n in (1, 2, 3)))
        assert not found.train.structures
        assert found.train.fields == 3


def test_a_file_that_cannot_be_read_and_fits_the_pattern_is_named() -> None:
    bad = Skipped(PurePosixPath("3_noisy.tif"), "truncated.")
    found = arranged(image("1_noisy.tif"), image("2_noisy.tif"), skipped=(bad,))
    assert "3_noisy.tif" in found.remarks[0]
    other = Skipped(PurePosixPath("3_preview.tif"), "RGB.")
    assert not arranged(image("1_noisy.tif"), image("2_noisy.tif"), skipped=(other,)).remarks


@pytest.mark.parametrize(
    ("images", "parts"),
    [
        ((image("a.tif"), image("b.tif", channels=3)), ("2 in a.tif; 3 in b.tif", "--data")),
        ((image("test/a.tif"), image("val/b.tif")), ("no images to learn from", "train")),
        ((image("x/a.tif"), image("b.tif")), ("no name pattern", "x/a.tif")),
        ((image("a.tif"), image("b.tif"), image("a_clean.tif")), ("a_clean.tif", "cannot be told")),
    ],
)
def test_what_names_do_not_tell_is_refused(images: tuple[FoundImage, ...], parts: tuple[str, ...]) -> None:
    with pytest.raises(ImageError) as caught:
        arranged(*images)
    for part in parts:
        assert part in str(caught.value)
