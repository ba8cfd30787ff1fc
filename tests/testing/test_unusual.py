"""Unusual components that nothing is wrong with pass; messages say what to do about the others."""

import pytest

from denoisplit.testing import Verdict, suite_for
from denoisplit.testing.examination import laws, verdict
from tests.testing import unusual

OWN = "the_noise_of_a_channel_is_that_of_its_own_images"
FINITE = "pixels_that_are_not_finite_are_no_pixels_of_a_field"


def of_law(suite: type, name: str) -> list[Verdict]:
    return [verdict(law) for law in laws(suite) if law.name == name]


@pytest.mark.parametrize(
    ("suite", "law"),
    [
        (unusual.SuiteOfLibraries, FINITE),
        (suite_for("dataset", unusual.FewPhotons), "another_seed_gives_other_fields"),
        (suite_for("dataset", unusual.MeanPhotons), "simulated_light_is_as_told"),
        (suite_for("dataset", unusual.FewFields), "another_seed_gives_other_fields"),
        (suite_for("objective", unusual.TooBright), "the_signal_matters"),
        (suite_for("objective", unusual.TooBright), "every_channel_matters"),
        (
            suite_for("executor", unusual.MostInWords),
            "an_option_most_is_the_largest_number_of_jobs_at_a_time",
        ),
        (unusual.SuiteOfOneCamera, OWN),
    ],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_nothing_is_wrong_with_it(suite: type, law: str) -> None:
    found = of_law(suite, law)
    assert {one.outcome for one in found} == {"holds"}, found


def test_images_beside_tables_and_indices_are_spoilt() -> None:
    (one,) = of_law(unusual.SuiteOfUncheckedLibraries, FINITE)
    assert one.reason.startswith("images.npy holds a pixel of nan, and so does the observed image of c:")


def test_one_camera_for_all_channels_is_told_how_to_say_so() -> None:
    (one,) = of_law(suite_for("noise_model", unusual.OneCamera), OWN)
    assert one.outcome == "fails"
    assert one.reason.endswith("the suite says so by is_of_one_camera")


def test_one_camera_knows_nothing_of_the_mixed_image_either() -> None:
    (one,) = of_law(unusual.SuiteOfTheMixed, OWN)
    assert one.reason.startswith("where channel 0 has other statistics, the likelihood of another channel is")


@pytest.mark.parametrize(
    ("kind", "component", "names"),
    [
        (
            "encoder",
            unusual.PlanesEncoder,
            (
                "features_shift_with_the_image",
                "borders_are_far_from_each_other",
                "features_look_at_their_own_place_in_every_scale",
            ),
        ),
        (
            "decoder",
            unusual.PlanesDecoder,
            ("latent_channels_are_those_of_the_options", "borders_are_far_from_each_other"),
        ),
    ],
)
def test_networks_of_planes_are_not_asked_for_stacks(
    kind: str, component: type, names: tuple[str, ...]
) -> None:
    found = [one for name in names for one in of_law(suite_for(kind, component), name)]
    assert len(found) == 2 * len(names)
    assert {one.outcome for one in found if one.case == "2d"} == {"holds"}
    assert {one.outcome for one in found if one.case == "3d"} == {"does not apply"}, found
