"""How files and their frames are named in a row."""

from denoisplit.core.survey.finding import listed_frames


def test_frames_of_one_file_are_counted_and_not_repeated() -> None:
    assert listed_frames(["a.tif"] * 6) == "6 frames of a.tif"
    assert listed_frames(["a.tif", "b.tif", "b.tif"]) == "a.tif, 2 frames of b.tif"
