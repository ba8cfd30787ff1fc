"""The decoder of the page "Extending", which has a latent at one level and a width of its own."""

import runpy
from pathlib import Path
from typing import Any, ClassVar

import pytest

import denoisplit
from denoisplit.core.spec import load_spec, to_yaml
from denoisplit.testing import DecoderTests

PAGE = Path(denoisplit.__file__).parents[1] / "docs" / "extending.md"
BLOCKS = PAGE.read_text(encoding="utf-8").split("```")
MATTERS = "every_level_of_features_and_of_noise_matters"
ASKED = "noise_is_asked_for_once_per_level_coarsest_first"
LAWS = [
    "output_has_the_declared_maps_and_the_size_of_the_image",
    "a_window_is_that_part_of_the_output",
    "features_that_are_taken_are_decoded",
    "a_sample_is_the_posterior_mean_plus_std_times_noise",
    ASKED,
    MATTERS,
    "every_parameter_gets_a_gradient",
    "a_prior_does_not_see_the_features_of_its_level",
    "the_prior_generates_images_of_any_size",
    "training_sees_what_evaluation_sees",
    "half_precision_does_not_round_the_output",
    "latent_channels_are_those_of_the_options",
]
SLIPS = [
    ("noise.normal(len(finer), ", "noise.normal(0, ", ASKED),
    ("noise.normal(len(finer), posterior.mean)", "torch.ones_like(posterior.mean)", MATTERS),
    ("self.expand(sample)", "self.expand(posterior.mean)", MATTERS),
    ("levels=(Level(posterior, prior, sample),)", "levels=()", ASKED),
    ("levels=(Level(posterior, prior, sample),)", "levels=(Level(posterior, prior, sample),) * 2", ASKED),
    ("Normal(zero, ", "Normal(posterior.mean, ", "a_prior_does_not_see_the_features"),
    ("nn.Conv2d(shape.channels, ", "nn.Conv2d(coarsest.channels, ", "features_that_are_taken_are_decoded"),
]


def exam(folder: Path, right: str = "", wrong: str = "") -> DecoderTests:
    """The suite of the class on the page, with one of its expressions replaced."""
    (block,) = [part for part in BLOCKS if "class OneLatent" in part]
    assert right in block
    module = folder / "one_latent.py"
    module.write_text(block.removeprefix("python\n").replace(right, wrong), encoding="utf-8")

    class Exam(DecoderTests):
        component: ClassVar[type[Any] | str] = runpy.run_path(str(module))["OneLatent"]

    return Exam()


@pytest.mark.parametrize("law", LAWS)
def test_it_obeys_the_laws(tmp_path: Path, law: str) -> None:
    getattr(exam(tmp_path), f"test_{law}")(rank=2)


@pytest.mark.parametrize(("right", "wrong", "law"), SLIPS)
def test_a_slip_in_it_is_found(tmp_path: Path, right: str, wrong: str, law: str) -> None:
    changed = exam(tmp_path, right, wrong)
    (name,) = [name for name in dir(changed) if name.startswith(f"test_{law}")]
    with pytest.raises((AssertionError, RuntimeError)):
        getattr(changed, name)(rank=2)


def test_the_spec_beside_it_resolves(tmp_path: Path) -> None:
    (block,) = [part for part in BLOCKS if "use: partial_ladder" in part]
    file = tmp_path / "spec.yaml"
    file.write_text(block.removeprefix("yaml\n"), encoding="utf-8")
    assert load_spec(file).model.decoder.options.latent_levels == (1, 2)
    # Runs that were begun before decoders had a width go on: it is written where it says something.
    ladder = ["model.decoder={use: ladder}", "model.encoder.width=8", "model.kl_scheme.level_weights=1"]
    assert "width: []" not in to_yaml(load_spec(file, ladder))
    assert to_yaml(load_spec(file, [*ladder, "model.decoder.width=7"])).count("width: 7") == 1
