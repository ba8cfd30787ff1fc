"""The composer joins what a spec names, or says why it cannot."""

import pytest
import torch

from denoisplit.core.errors import ChannelCountError, SpecError
from denoisplit.core.network.composer import compose
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.core.network.per_channel import PerChannelNoiseModel
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import ResolvedSpec, parse_spec, resolve
from denoisplit.plugins.encoders.ladder_3d_to_2d import LadderEncoder3dTo2d
from denoisplit.plugins.noise_models.gaussian import Gaussian
from tests.network.small import statistics

BASE = """
preset: denoisplit
data: {train: {use: simulated}}
model: {encoder: {levels: 2, width: 4}, decoder: {latent_channels: 2}}
training: {patch: 16}
"""


def spec(*overrides: str) -> ResolvedSpec:
    return resolve(parse_spec(BASE, overrides), installed_registry())


def composed(*overrides: str, stats: IntensityStats | None = None) -> VSE:
    resolved = spec(*overrides)
    given = stats or statistics(len(resolved.channels))
    vse = compose(resolved.model, given, channels=resolved.channels, patch=resolved.training.patch)
    return vse.eval()


def test_the_options_of_the_spec_arrive() -> None:
    vse = composed("model.encoder.levels=3", "model.decoder.latent_channels=[2, 3, 5]")
    assert vse.level_strides == ((2, 2), (4, 4), (8, 8))
    assert vse.stride == (8, 8)
    levels = vse.decode(torch.zeros(1, 1, 8, 8), ZeroNoise()).levels
    assert [level.sample.shape[1] for level in levels] == [2, 3, 5]


def test_as_many_output_maps_as_channels_and_their_predicted_parameters() -> None:
    two_maps = "model.noise_model={use: gaussian}"
    assert composed(two_maps).decoder.generate((4, 4), ZeroNoise(), batch=1).shape[1] == 4
    fixed = "model.noise_model={use: gaussian, log_variance: fixed}"
    assert composed(fixed).decoder.generate((4, 4), ZeroNoise(), batch=1).shape[1] == 2


def test_a_list_of_noise_models_is_one_per_channel() -> None:
    vse = composed(
        "model.noise_model=[{use: gaussian_mixture}, {use: gaussian, log_variance: fixed, std: 2.0}]"
    )
    assert isinstance(vse.noise_model, PerChannelNoiseModel)
    second = vse.noise_model.models[1]
    assert isinstance(second, Gaussian)
    assert float(second.variance(torch.zeros(1, 1, 1, 1))) == pytest.approx(
        (2 * statistics(2).target_std[1]) ** 2
    )


@pytest.mark.parametrize("size", ["training.patch=1152921504606846976", "model.encoder.width=9999999999999"])
def test_a_network_larger_than_any_computer_is_refused(size: str) -> None:
    with pytest.raises(SpecError, match=r"\$\.model: the network does not fit into memory"):
        composed(size)


def test_statistics_of_other_channels_are_refused() -> None:
    with pytest.raises(
        ChannelCountError, match=r"the statistics have 3 channels, the spec names 2 \(channel_1"
    ):
        composed(stats=statistics(3))


@pytest.mark.parametrize(("patch", "advice"), [(4, 8), (10, 8), (15, 16), (2, 8), (30, 32)])
def test_a_patch_fits_the_stride(patch: int, advice: int) -> None:
    message = (
        rf"\$\.training\.patch: must be a multiple of 4 and at least 8 .*\(got {patch}\)\. Use {advice}\b"
    )
    with pytest.raises(SpecError, match=message):
        composed(f"training.patch={patch}")
    composed(f"training.patch={advice}")


def test_lateral_context_joins_any_decoder_of_ladders() -> None:
    lateral = "model.encoder={use: lateral_context, levels: 4, width: 4, input_scales: 3}"
    vse = composed(lateral)
    assert vse.encoder.input_scales == 3
    assert vse.multiple == (4, 4)
    assert vse.level_strides[-1] == (16, 16)
    mixed = torch.full((1, 3, 12, 20), 100.0)
    assert vse.decode(mixed, ZeroNoise()).output.shape[2:] == (12, 20)
    deterministic = composed(lateral, "model.decoder={use: deterministic_ladder, latent_channels: 2}")
    assert deterministic.decode(mixed, ZeroNoise()).levels == ()


def test_a_patch_may_have_a_side_per_axis() -> None:
    flat = ("model.dimensions=3", "model.noise_model={use: gaussian}")
    strides = "model.encoder.strides=[[1, 2, 2], [1, 2, 2]]"
    vse = composed(*flat, strides, "training.patch=[3, 16, 8]")
    levels = vse.decode(torch.zeros(1, 1, 3, 16, 8), ZeroNoise()).levels
    assert levels[-1].prior.mean.shape[2:] == (3, 4, 2)
    with pytest.raises(
        SpecError, match=r"multiple of \[1, 4, 4\] and at least \[1, 8, 8\] .* Use \[3, 16, 8\]"
    ):
        composed(*flat, strides, "training.patch=[3, 16, 6]")
    with pytest.raises(SpecError, match=r"one per spatial axis is needed \(got \[16, 8\] for 3 dimensions\)"):
        composed(*flat, strides, "training.patch=[16, 8]")


def test_a_patch_may_be_smaller_than_the_stride_where_maps_cover_its_surround() -> None:
    deep = "model.encoder={use: lateral_context, levels: 5, width: 4, input_scales: 3}"
    with pytest.raises(
        SpecError,
        match=r"a multiple of 8 and at least 16 .*\(got 8\)\. Use 16, or at most 4 model\.encoder\.levels",
    ):
        composed(deep, "training.patch=8")
    levels = composed(deep, "training.patch=16").decode(torch.zeros(1, 3, 16, 16), ZeroNoise()).levels
    assert [level.sample.shape[-1] for level in levels] == [16, 16, 8, 4, 2]


def test_levels_that_take_a_scale_of_the_surround_halve_the_plane() -> None:
    lateral = "model.encoder={use: lateral_context, levels: 2, width: 4, input_scales: 3, strides: %s}"
    with pytest.raises(SpecError, match=r"got strides \(3, 2\) after level 0\)\. Use \[2, 2\] for the first"):
        composed(lateral % "[[3, 2], [2, 2]]", "training.patch=24")
    stack = "model.dimensions=3"
    with pytest.raises(SpecError, match=r"leave z as it is .*\(2, 4, 4\) after level 1.*Use \[1, 2, 2\]"):
        composed(stack, lateral % "[[1, 2, 2], [2, 2, 2]]")
    assert composed(stack, lateral % "[[1, 2, 2], [1, 2, 2]]").context == 2


def test_a_stack_can_become_a_plane() -> None:
    vse = composed("model.dimensions=3", "model.encoder={use: ladder_3d_to_2d, levels: 2, width: 4}")
    mixed = torch.full((1, 1, 5, 9, 8), 100.0)
    assert vse.decode(mixed, ZeroNoise()).output.shape[2:] == (9, 8)
    encoder = vse.encoder
    assert isinstance(encoder, LadderEncoder3dTo2d)
    assert [shape.stride for shape in encoder.feature_shapes] == [(2, 2), (4, 4)]
    assert [shape.stride for shape in encoder.ladder.feature_shapes] == [(1, 2, 2), (1, 4, 4)]
    with pytest.raises(SpecError, match=r"model\.dimensions: .*\(got 2 dimensions\)\. Use 3"):
        composed("model.encoder={use: ladder_3d_to_2d, levels: 2, width: 4}")


def test_latent_channels_of_another_number_of_levels_are_refused() -> None:
    with pytest.raises(SpecError, match=r"latent_channels: .*\(got 3 for 2 levels\)\. Give 2 numbers"):
        composed("model.decoder.latent_channels=[1, 2, 3]")


def test_any_length_of_channels() -> None:
    for names in ("[a]", "[a, b, c, d, e]"):
        vse = composed(f"channels={names}")
        mixed = torch.full((1, 1, 8, 8), 100.0)
        assert vse.sample(vse.encode(mixed), ZeroNoise()).shape[1] == names.count(",") + 1
