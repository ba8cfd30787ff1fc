"""Verdicts in plain words."""

import math
from collections.abc import Mapping

import attrs
import numpy as np
import pytest

from denoisplit.core.verdict.judgement import Measured, Verdict, joined, judge, of_two_steps
from denoisplit.core.verdict.reference import Reference, Spread

NAMES = (
    "offset",
    "brightness",
    "contrast",
    "noise",
    "photons",
    "detail_2",
    "detail_8",
    "mixture",
    "latents_1",
)
USUAL = Reference(
    spreads={name: Spread(mean=0.5, std=0.1, count=20, pixels=4096.0) for name in NAMES}, saturated=2e-4
)


def verdict(*, saturated: float = 1e-4, at_limit: bool = False, **changed: float) -> Verdict:
    return changed_by(changed, saturated, at_limit)


def changed_by(changed: Mapping[str, float], saturated: float = 1e-4, at_limit: bool = False) -> Verdict:
    statistics = {name: 0.5 + changed.get(name, 0.0) for name in NAMES}
    measured = Measured(statistics=statistics, pixels=65536, saturated=saturated, at_limit=at_limit)
    return judge(measured, USUAL, centre=200.0, scale=50.0)


def test_the_usual_looks_like_the_training_images() -> None:
    found = verdict()
    assert (found.status, found.findings) == ("like", ())
    assert str(found) == "looks like the training images"
    assert found.scores == dict.fromkeys(NAMES, 0.0)
    assert found.chi_square == pytest.approx(math.exp(0.5))
    assert found.chi_square_range is not None
    low, high = found.chi_square_range
    assert low * high == pytest.approx(math.exp(1.0))


@pytest.mark.parametrize(
    ("own", "usual", "told"),
    [
        ((0.2, 0.2), (0.1, 0.1), "pixel size: 0.2 x 0.2 µm, that of the training images is 0.1 x 0.1 µm"),
        (
            (0.1, 0.065),
            (0.5, 0.065, 0.065),
            "pixel size: 0.1 x 0.065 µm, that of the training images is 0.5 x",
        ),
        ((0.102, 0.102), (0.1, 0.1), ""),
        ((), (0.1, 0.1), ""),
        ((0.1, 0.1), (), ""),
        ((None, 0.1), (0.3, 0.1), ""),
    ],
)
def test_another_pixel_size_than_in_training_is_told(
    own: tuple[float | None, ...], usual: tuple[float | None, ...], told: str
) -> None:
    measured = Measured(
        statistics=dict.fromkeys(NAMES, 0.5), pixels=65536, saturated=0.0, at_limit=False, pixel=own
    )
    found = judge(measured, attrs.evolve(USUAL, pixel=usual), centre=200.0, scale=50.0)
    assert [finding.check for finding in found.findings] == ["pixel size"] * bool(told)
    assert told in str(found)
    assert found.status == ("unlike" if told else "like")


@pytest.mark.parametrize(
    ("statistic", "change", "check", "words"),
    [
        ("offset", 2.0, "offset", "its darkest pixels are at 325 counts (usual: "),
        ("offset", -2.0, "offset", "its darkest pixels are at 125 counts"),
        ("brightness", math.log(3), "gain", "3 times as bright above its background"),
        ("contrast", math.log(2), "gain", "its contrast is 2 times that of the training images"),
        ("photons", math.log(2), "gain", "variance of its noise is 2 times what its brightness suggests"),
        ("noise", -math.log(4), "noise", "0.25 times as noisy"),
        ("detail_2", math.log(5), "structure", "5 times the usual share of structures of 2 to 4 pixels"),
        ("detail_8", math.log(5), "structure", "5 times the usual share of structures of more than 8"),
        ("detail_8", math.log(1 / 64) - 0.5, "structure", "hardly any, the image is almost all noise"),
        ("mixture", math.log(100) - 0.5, "mixture", "miss it by 100 times the variance of the noise"),
        ("latents_1", math.log(10), "latents", "level 1 of the network needs 10 times the usual information"),
        ("noise", math.nan, "noise", "noise: it is not a finite number"),
    ],
)
def test_what_is_unusual_is_named(statistic: str, change: float, check: str, words: str) -> None:
    found = changed_by({statistic: change})
    assert found.status == "unlike"
    assert [finding.check for finding in found.findings] == [check]
    assert str(found).startswith(f"unlike the training images: {check}: ")
    assert words in str(found)
    assert abs(found.scores[statistic]) > 1


@pytest.mark.parametrize("statistic", ["offset", "contrast", "mixture"])
@pytest.mark.parametrize(("mean", "std"), [(1e300, 0.1), (-1e300, 0.1), (0.5, 1e308), (1e308, 1e308)])
def test_a_reference_of_impossible_numbers_still_gives_a_verdict(
    statistic: str, mean: float, std: float
) -> None:
    spread = Spread(mean=mean, std=std, count=20, pixels=4096.0)
    edited = attrs.evolve(USUAL, spreads={**USUAL.spreads, statistic: spread})
    measured = Measured(statistics=dict.fromkeys(NAMES, 0.5), pixels=65536, saturated=0.0, at_limit=False)
    found = judge(measured, edited, centre=200.0, scale=50.0)
    assert (found.status == "unlike") == (std < 1)
    assert "nan" not in str(found)
    assert found.chi_square_range is not None
    assert all(map(math.isfinite, found.chi_square_range))


def test_a_check_is_named_once_with_its_worst_statistic() -> None:
    found = verdict(brightness=1.0, contrast=2.0)
    assert [finding.check for finding in found.findings] == ["gain"]
    assert "contrast" in str(found)


def test_saturation_is_many_pixels_at_the_maximum() -> None:
    assert verdict(saturated=9e-4).status == "like"
    found = verdict(saturated=0.02)
    assert [finding.check for finding in found.findings] == ["saturation"]
    assert "2.00% of its pixels are at their maximum" in str(found)
    # At the end of the pixel type, few pixels are enough, but never fewer than in training.
    assert verdict(saturated=9e-4, at_limit=True).status == "unlike"
    assert verdict(saturated=3e-4, at_limit=True).status == "like"
    # The brightest pixel of a small image is not saturated for being there.
    one = Measured(statistics={"noise": 0.5}, pixels=50, saturated=1 / 50, at_limit=True)
    assert judge(one, USUAL, centre=0, scale=1).status == "like"


def test_without_a_reference_nothing_is_known_but_saturation() -> None:
    measured = Measured(statistics={}, pixels=65536, saturated=0.0, at_limit=False)
    assert str(judge(measured, None, centre=0, scale=1)) == (
        "unknown: the run holds no statistics of its training images"
    )
    saturated = Measured(statistics={}, pixels=65536, saturated=0.1, at_limit=False)
    found = judge(saturated, None, centre=0, scale=1)
    assert found.status == "unknown"
    assert str(found).endswith("images; saturation: 10.00% of its pixels are at their maximum, "
                               "where the true intensity is unknown")  # fmt: skip
    assert Verdict().status == "unknown"


@pytest.mark.parametrize("pixels", [2, 9, 40])
@pytest.mark.parametrize("gain", [1.0, -1.0])
def test_too_few_pixels_do_not_make_a_usual_image(pixels: int, gain: float) -> None:
    tiny = Measured(statistics=dict.fromkeys(NAMES, 0.5), pixels=pixels, saturated=0.0, at_limit=False)
    found = judge(tiny, attrs.evolve(USUAL, gains={"a": gain}), centre=200.0, scale=50.0)
    assert (found.status, found.chi_square_range) == ("unknown", None)
    assert str(found).startswith(f"unknown: too few pixels (got {pixels})")
    assert ("closer to the truth than the network" in str(found)) == (gain < 0)
    both = (joined([verdict(), found], ["t=0", "t=1"]), of_two_steps(verdict(), found))
    assert all("unknown: too few pixels" in str(one) for one in both)
    unlike = judge(attrs.evolve(tiny, statistics={"offset": 1000.0}), USUAL, centre=200.0, scale=50.0)
    assert str(unlike).startswith("unlike the training images: offset: ")


def test_planes_are_joined() -> None:
    planes = [verdict(), verdict(noise=1.0), verdict(noise=-2.0, offset=3.0)]
    found = joined(planes, ["t=0", "t=1", "t=2"])
    assert found.status == "unlike"
    assert {finding.check for finding in found.findings} == {"noise", "offset"}
    text = str(found)
    assert "2.7 times as noisy (t=1) and 1 more" in text
    assert "(t=2)" in text
    assert found.scores["noise"] == planes[2].scores["noise"] < -1
    assert found.chi_square == pytest.approx(np.mean([plane.chi_square or 0.0 for plane in planes]))
    assert joined([verdict()] * 3, ["a", "b", "c"]).status == "like"
    assert joined([verdict(), Verdict()], ["", ""]).status == "unknown"
    assert joined([verdict()], ["t=0"]) == verdict()


def test_two_weak_networks_are_both_named() -> None:
    weak = [
        judge(
            Measured(statistics=dict.fromkeys(NAMES, 0.5), pixels=65536, saturated=0.0, at_limit=False),
            attrs.evolve(USUAL, gains=gains),
            centre=200.0,
            scale=50.0,
        )
        for gains in ({"mixed": -8.1}, {"a": -0.4, "b": -1.8})
    ]
    told = str(of_two_steps(*weak))
    assert all(words in told for words in ("mixed by 8.1 dB", "a by 0.4 dB", "b by 1.8 dB"))
    planes = joined([weak[0]] * 3, ["t=0", "t=1", "t=2"])
    assert str(planes).count("mixed by 8.1 dB") == 1


@pytest.mark.parametrize(
    ("gains", "status"), [({}, "like"), ({"a": 0.1, "b": 3.0}, "like"), ({"a": -1.2, "b": 3.0}, "weak")]
)
def test_nothing_looks_right_to_a_network_that_is_worse_than_a_blur(
    gains: dict[str, float], status: str
) -> None:
    reference = attrs.evolve(USUAL, gains=gains)
    measured = Measured(statistics=dict.fromkeys(NAMES, 0.5), pixels=65536, saturated=0.0, at_limit=False)
    found = judge(measured, reference, centre=200.0, scale=50.0)
    assert found.status == status
    assert ("looks like the training images" in str(found)) == (status == "like")
    assert ("a by 1.2 dB" in str(found)) == (status == "weak")
    assert "b by" not in str(found)
    two = joined((verdict(), found), ("t=0", "t=1"))
    assert (two.status, two.weakness) == (status, found.weakness)
    unlike = judge(attrs.evolve(measured, saturated=0.5), reference, centre=200.0, scale=50.0)
    assert unlike.status == "unlike"
    assert ("a by 1.2 dB" in str(unlike)) == (status == "weak")
