"""A network as a function of tensors: what it takes, what it refuses, and that a wrong copy is noticed."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from denoisplit.core.errors import ExportError
from denoisplit.core.exporting.agreement import agreement
from denoisplit.core.exporting.exported_graph import exported_graph
from denoisplit.core.network.interfaces import IntensityStats, NoiseModel
from denoisplit.core.network.noise_source import ZeroNoise
from denoisplit.core.network.vse import VSE
from denoisplit.plugins.decoders.partial_ladder import PartialLadderDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.noise_models.scmos import Scmos
from denoisplit.plugins.noise_models.spread_mixture import SpreadMixture
from tests.exporting.small_exports import UNBOUNDED, assert_same, computed, inputs_of, levelled
from tests.network.fixed_noise import FixedNoise
from tests.network.small import mixture, network
from tests.network.variants import variant

NAMES = ("a", "b")


def coarse_only(rank: int, maps: int) -> tuple[LadderEncoder, PartialLadderDecoder]:
    encoder = LadderEncoder(
        LadderEncoder.Options(levels=3, width=4, dropout=0.0), spatial_rank=rank, in_channels=1
    )
    options = PartialLadderDecoder.Options(latent_levels=(1,), latent_channels=2, dropout=0.0)
    return encoder, PartialLadderDecoder(
        options, feature_shapes=encoder.feature_shapes, out_maps=maps, patch=(16,) * rank
    )


def test_the_inputs_are_the_image_and_the_noise_of_every_level() -> None:
    _, ports = exported_graph(variant(("anisotropic", 3)), NAMES, UNBOUNDED)
    assert (ports.axes, ports.step, ports.least) == ("zyx", (2, 2, 4), (4, 4, 8))
    assert ports.inputs == ("mixed", "noise_0", "noise_1")
    assert [one.shape(5, (6, 8, 12)) for one in ports.noise] == [(5, 2, 6, 8, 6), (5, 2, 3, 4, 3)]


def test_levels_without_a_latent_have_no_noise() -> None:
    _, ports = exported_graph(network(parts=coarse_only), NAMES, UNBOUNDED)
    assert ports.inputs == ("mixed", "noise_1")
    assert ports.step == (8, 8)


def test_a_network_without_latents_takes_the_image_alone() -> None:
    graph, ports = exported_graph(variant(("unet_with_aligned_corners", 2)), NAMES, UNBOUNDED)
    assert ports.inputs == ("mixed",)
    assert len(graph(*inputs_of(ports, steps=2, batch=1))) == 2


def test_a_network_that_looks_at_the_whole_image_has_no_halo() -> None:
    graph, ports = exported_graph(levelled(), NAMES, UNBOUNDED)
    assert ports.halo is None
    inputs = inputs_of(ports, steps=2, batch=2)
    with torch.inference_mode():
        assert_same(graph(*inputs), computed(levelled(), inputs), ports)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_noise_of_zeros_passes_on_the_mean_of_every_posterior(channels: int) -> None:
    vse = network(channels=channels, noise_model=mixture)
    graph, ports = exported_graph(vse, NAMES, UNBOUNDED)
    mixed, *noise = inputs_of(ports, steps=3, batch=2)
    with torch.inference_mode():
        expected = vse.sample(vse.encode(mixed.double()), ZeroNoise())
        found, _ = graph(mixed, *(torch.zeros_like(one) for one in noise))
    assert float((found - expected).abs().max()) < 1e-2  # of some 300 counts
    with torch.inference_mode():
        assert_same(graph(mixed, *noise), computed(vse, (mixed, *noise)), ports)


def test_a_network_that_is_unsure_of_pixels_takes_noise_for_them() -> None:
    vse = network(noise_model=unsure)
    graph, ports = exported_graph(vse, NAMES, UNBOUNDED)
    assert ports.inputs == ("mixed", "noise_0", "noise_1", "noise_2")
    assert ports.noise[-1].shape(5, (8, 12)) == (5, 2, 8, 12)
    inputs = inputs_of(ports, steps=3, batch=2)
    sure = (*inputs[:-1], torch.zeros_like(inputs[-1]))
    with torch.inference_mode():
        assert_same(graph(*inputs), computed(vse, inputs), ports)
        (drawn, noise), (decoded, same) = graph(*inputs), graph(*sure)
        variance = vse.signal_variance(
            vse.sample_maps(vse.encode(inputs[0].double()), FixedNoise(inputs[1:]))
        )
    assert variance is not None
    torch.testing.assert_close((drawn - decoded).double(), variance.sqrt() * inputs[-1], rtol=1e-3, atol=1e-2)
    assert torch.equal(noise, same)


def unsure(given: IntensityStats) -> SpreadMixture:
    model = SpreadMixture(SpreadMixture.Options(), statistics=given).double()
    model.noise.load_state_dict(mixture(given).state_dict())
    return model


def test_the_exported_network_is_a_copy_in_float32() -> None:
    vse = network()
    vse.precision = "bf16"
    graph, ports = exported_graph(vse, NAMES, UNBOUNDED)
    assert {one.dtype for one in graph.parameters()} == {torch.float32}
    assert {one.dtype for one in vse.parameters()} == {torch.float64}
    assert vse.precision == "bf16"
    assert {one.dtype for one in graph(*inputs_of(ports, steps=2, batch=1))} == {torch.float32}


def test_what_training_cut_off_is_cut_off() -> None:
    vse = network()
    free, ports = exported_graph(vse, NAMES, UNBOUNDED)
    bounded, _ = exported_graph(vse, NAMES, (300.0, 350.0))
    mixed, *noise = inputs_of(ports, steps=2, batch=1)
    assert mixed.min() < 300
    assert mixed.max() > 350
    torch.testing.assert_close(bounded(mixed, *noise), free(mixed.clamp(300, 350), *noise))


def maps_of_a_camera(tmp_path: Path, statistics: IntensityStats) -> NoiseModel:
    return Scmos(Scmos.Options(offset=tmp_path / "offset.tif"), statistics=statistics)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: variant(("regular", 2)), r"looks at the surround .* \(got 2 lower resolutions\)"),
        (lambda _: variant(("projecting", 3)), r"one plane of a stack.* \(got 3 and 2 spatial axes\)"),
        (
            lambda folder: network(noise_model=partial(maps_of_a_camera, folder)),
            r"noise model has maps of camera pixels",
        ),
    ],
    ids=["lateral context", "projecting", "camera"],
)
def test_what_is_no_function_of_an_image_is_refused(
    make: Callable[[Path], VSE], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=message) as caught:
        exported_graph(make(tmp_path), NAMES, UNBOUNDED)
    assert "\n" not in str(caught.value)


def test_a_file_that_computes_something_else_is_noticed() -> None:
    graph, ports = exported_graph(network(), NAMES, UNBOUNDED)

    def off(inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        signal, log_variance = graph(*inputs)
        return signal + 0.1, log_variance

    found = agreement(graph, ports, lambda inputs: graph(*inputs))
    assert max(found.signal, found.log_variance) < 1e-5
    with pytest.raises(ExportError, match="computes something else than the run"):
        agreement(graph, ports, off)
    with pytest.raises(ExportError, match="computes something else than the run"):
        agreement(graph, ports, lambda inputs: tuple(one * math.nan for one in graph(*inputs)))


def test_a_file_for_one_size_only_is_noticed() -> None:
    graph, ports = exported_graph(network(), NAMES, UNBOUNDED)

    def stiff(inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        if inputs[0].shape[-1] != ports.step[-1] * 3:
            raise ValueError("another size")
        found: tuple[Tensor, Tensor] = graph(*inputs)
        return found

    with pytest.raises(ExportError, match=r"takes no images of \[12, 16\] pixels \(ValueError\)"):
        agreement(graph, ports, stiff)
