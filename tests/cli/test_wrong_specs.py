"""Every mistake in a spec that can be told without images is one line of ``check``, with its place."""

from pathlib import Path

import pytest

from tests.cli.refusals import refused, run

SPEC = """\
preset: denoisplit
channels: [nuclei, actin]
data: {train: {use: folder, path: images}}
model:
  encoder: %(encoder)s
  decoder: %(decoder)s
  noise_model: %(noise_model)s
  kl_scheme: %(kl_scheme)s
training: %(training)s
"""

RIGHT = {
    "encoder": "{levels: 2, width: 4}",
    "decoder": "{latent_channels: 2}",
    "noise_model": "{use: gaussian}",
    "kl_scheme": "{use: denoisplit}",
    "training": "{patch: 16}",
}
"""A spec of a small network that works."""

NETWORKS = [
    ({"encoder": "{levels: 9, width: 4}"}, "9:19 $.training.patch: must be a multiple of 512", "at most 3"),
    ({"training": "{patch: 18}"}, "9:19 $.training.patch: must be a multiple of 4", "Use 16"),
    ({"training": "{patch: [8, 8, 8]}"}, "9:19 $.training.patch: one number or one per", "Give 2 numbers"),
    (
        {"encoder": "{levels: 50, width: 4}", "training": "{}"},
        "5:21 $.model.encoder.levels: training.patch must be a multiple of 1125899906842624",
        "Use at most 6 model.encoder.levels.",
    ),
    ({"decoder": "{latent_channels: [2]}"}, "6:30 $.model.decoder.latent_channels: ", "Give 2 numbers"),
    ({"encoder": "{levels: 2, strides: [[2, 2]]}"}, "5:33 $.model.encoder.strides: 2 lists", "finest level"),
    (
        {"encoder": "{levels: 2, strides: [[2, 2], [1, 1]]}"},
        "5:42 $.model.encoder.strides.1: this level is no smaller",
        "leave the level out",
    ),
    (
        {"kl_scheme": "{use: microsplit, free_bits: [1, 1, 1]}"},
        "8:43 $.model.kl_scheme.free_bits: 3 ",
        "Give",
    ),
    (
        {"encoder": "{use: unet}", "training": "{patch: 64}"},
        "6:12 $.model.decoder: the ladder needs the same number",
        "one width",
    ),
    ({"decoder": "{use: unet}"}, "6:12 $.model.decoder: the decoder unet needs", "Use the encoder unet"),
    (
        {"encoder": "{use: lateral_context, levels: 2, width: 4, input_scales: 4}"},
        "5:70 $.model.encoder.input_scales: every scale but the first needs a level",
        "Use at most 3",
    ),
    (
        {"encoder": "{use: ladder_3d_to_2d, levels: 2, width: 4}"},
        "5:12 $.model.encoder: model.dimensions: the encoder ladder_3d_to_2d takes stacks",
        "Use 3",
    ),
    (
        {"noise_model": "[{use: gaussian}, {use: gaussian_mixture}]"},
        "7:16 $.model.noise_model: models with and without predicted",
        "Use one sort",
    ),
    (
        {"encoder": "{levels: 2, width: 99999999}"},
        "5:3 $.model: the network does not fit into memory",
        "Lower",
    ),
]


@pytest.mark.parametrize(("wrong", "problem", "remedy"), NETWORKS, ids=lambda value: str(value)[:50])
def test_what_is_no_network_is_told_without_images(
    wrong: dict[str, str], problem: str, remedy: str, tmp_path: Path
) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC % {**RIGHT, **wrong})
    told = run("check", file)
    refused(told, f"{file}:{problem}", remedy)
    assert run("train", file, "--out", tmp_path / "run").stderr == told.stderr
    assert not (tmp_path / "run").exists()


def test_a_spec_without_mistakes_is_checked_without_its_images(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC % RIGHT)
    assert run("check", file).exit_code == 0
