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
        {"encoder": "{levels: 20, width: 4}", "training": "{}"},
        "5:21 $.model.encoder.levels: training.patch must be a multiple of 1048576",
        "Use at most 6 model.encoder.levels.",
    ),
    ({"decoder": "{latent_channels: [2]}"}, "6:30 $.model.decoder.latent_channels: ", "Give 2 numbers"),
    ({"encoder": "{levels: 2, width: [4]}"}, "5:31 $.model.encoder.width: one number or", "Give 2 numbers"),
    (
        {"decoder": "{latent_channels: 2, width: [4, 4, 4]}"},
        "6:40 $.model.decoder.width: one number or",
        "Give 2 numbers",
    ),
    (
        {"encoder": "{levels: 2, width: [4, 6]}"},
        "6:12 $.model.decoder: without a width of its own, the ladder needs the same number",
        "Give model.decoder.width",
    ),
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
        "6:12 $.model.decoder: without a width of its own, the ladder needs the same number",
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


def test_a_network_that_makes_one_plane_of_a_stack_is_not_trained(tmp_path: Path) -> None:
    """No data set has targets of one plane for a stack."""
    file = tmp_path / "spec.yaml"
    stacks = {"encoder": "{use: ladder_3d_to_2d, levels: 2, width: 4}", "training": "{patch: [8, 16, 16]}"}
    file.write_text(SPEC.replace("model:\n", "model:\n  dimensions: 3\n") % {**RIGHT, **stacks})
    told = run("check", file)
    refused(told, f"{file}:6:12 $.model.encoder: the network makes one plane of a stack", "Use the encoder")
    assert run("train", file, "--out", tmp_path / "run").stderr == told.stderr


def test_a_spec_without_mistakes_is_checked_without_its_images(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC % RIGHT)
    assert run("check", file).exit_code == 0


VALUES = [
    ("channels: [a/b, c]", "2:12 $.channels[0]: the name is a path", "Name the structure."),
    ("channels: ['a\\b', c]", "2:12 $.channels[0]: the name is a path", "Name the structure."),
    ("channels: [c, ..]", "2:15 $.channels[1]: the name is a path", "Name the structure."),
    ('channels: ["a\\tb", c]', "2:12 $.channels[0]: the name has characters", "Name the structure."),
    ('channels: ["a\\u2028b", c]', "2:12 $.channels[0]: the name has characters", "Name the structure."),
    ('channels: ["a\\u202Eb", c]', "2:12 $.channels[0]: the name has control characters", "Name the"),
    ('channels: [a, "a\\u200B"]', "2:15 $.channels[1]: the name has control characters", "Name the"),
    ('channels: ["\\u00E9", "e\\u0301"]', "2:22 $.channels[1]: looks like another name", "Rename one."),
    ("channels: [a, ' a']", "2:15 $.channels[1]: looks like another name", "Rename one."),
    ("channels: [a, a]", "2:15 $.channels[1]: duplicate name", "Rename one."),
    ("channels: !!python/object/apply:os.system [a]", "2:11: unknown tag", "Remove it."),
    ("channels: [!!python/name:os.system '', b]", "2:12: unknown tag", "Remove it."),
    ("channels: [!mine a, b]", "2:12: unknown tag", "Remove it."),
    ("channels: [!!bool perhaps, b]", "2:12: not a value of !!bool", "Correct it."),
    ("spec_version: 2", "2:15 $.spec_version: must be 1, the only version", "update denoisplit"),
    ("training: {channel_weights: [-1, 1]}", "2:29 $.training.channel_weights: must be 0 or", "its share"),
    ("training: {channel_weights: [0, 0]}", "2:29 $.training.channel_weights: must be 0 or", "its share"),
    ("region_calibrator: {use: scale}", "2:20 $.region_calibrator: must be a calibrator of", "Use region."),
]


@pytest.mark.parametrize(("line", "problem", "remedy"), VALUES, ids=[line for line, _, _ in VALUES])
def test_a_wrong_value_is_one_line(line: str, problem: str, remedy: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    rest = ["data: {train: {use: folder, path: images}}"]
    if not line.startswith("channels"):
        rest.append("channels: [a, b]")
    file.write_text("\n".join(["preset: denoisplit", line, *rest]) + "\n")
    refused(run("check", file), f"{file}:{problem}", remedy)


@pytest.mark.parametrize("first", ["model.encoder.width=4", "model.encoder={use: lateral_context}"])
def test_a_component_and_its_option_may_be_set_in_any_order(first: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC % {**RIGHT, "encoder": "{levels: 3, width: 8}"})
    both = ["model.encoder.width=4", "model.encoder={use: lateral_context}"]
    options = [word for text in sorted(both, key=lambda text: text != first) for word in ("--set", text)]
    shown = run("check", file, *options, "--set", "training.patch=32").stdout
    assert "use: denoisplit/lateral_context\n    levels: 4\n    width: 4\n" in shown
