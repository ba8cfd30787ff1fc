"""Weights of a narrower network in a wider one: the same maps, and copies that can part."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import denoisplit
from denoisplit.cli import main
from denoisplit.core.network.interfaces import Decoder, Encoder
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.core.network.vse import VSE
from denoisplit.core.storage.states import load_weights
from denoisplit.core.training.starts.widening import widened
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.decoders.unet import UNetDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.encoders.lateral_context import LateralContextEncoder
from denoisplit.plugins.encoders.unet import UNetEncoder
from tests.network.small import counts, network
from tests.training.test_fit import SPEC

OUTPUT = "decoder.output."


class NoNoise(NoiseSource):
    """Latents at their means."""

    def normal(self, level: int, like: Tensor) -> Tensor:
        del level
        return torch.zeros_like(like)


def ladder(width: int, latents: int, *, rank: int = 2, decoder_width: int = 0) -> VSE:
    def parts(rank: int, maps: int) -> tuple[Encoder, Decoder]:
        encoder = LadderEncoder(
            LadderEncoder.Options(levels=2, width=width, dropout=0.0), spatial_rank=rank, in_channels=1
        )
        decoder = LadderDecoder(
            LadderDecoder.Options(latent_channels=latents, dropout=0.0, width=decoder_width or ()),
            feature_shapes=encoder.feature_shapes,
            out_maps=maps,
            patch=(8,) * rank,
        )
        return encoder, decoder

    return network(rank=rank, parts=parts)


def context(width: int) -> VSE:
    """A network with lateral context."""

    def parts(rank: int, maps: int) -> tuple[Encoder, Decoder]:
        options = LateralContextEncoder.Options(levels=2, width=width, dropout=0.0, input_scales=2)
        encoder = LateralContextEncoder(options, spatial_rank=rank, in_channels=1)
        decoder = LadderDecoder(
            LadderDecoder.Options(latent_channels=width, dropout=0.0),
            feature_shapes=encoder.feature_shapes,
            out_maps=maps,
            patch=(8,) * rank,
        )
        return encoder, decoder

    return network(parts=parts)


def unet(width: int) -> VSE:
    """A network that joins features, and draws nothing."""

    def parts(rank: int, maps: int) -> tuple[Encoder, Decoder]:
        encoder = UNetEncoder(UNetEncoder.Options(pools=2, width=width), spatial_rank=rank, in_channels=1)
        decoder = UNetDecoder(
            UNetDecoder.Options(), feature_shapes=encoder.feature_shapes, out_maps=maps, patch=(8,) * rank
        )
        return encoder, decoder

    return network(parts=parts)


def maps(vse: VSE, seed: int = 0) -> Tensor:
    mixed, _ = counts(vse, (8,) * vse.spatial_rank, seed=seed)
    with torch.no_grad():
        return vse.sample_maps(vse.encode(mixed), NoNoise())


def start(wide: VSE, narrow: VSE) -> set[str]:
    """Begin a network with the weights of a narrower one; names of the weights that it did not take."""
    found, ours = widened(narrow.state_dict(), wide, fixed_rows=OUTPUT), wide.state_dict()
    fitting = {name: one for name, one in found.items() if one.shape == ours[name].shape}
    wide.load_state_dict({**ours, **fitting})
    return set(ours) - set(fitting)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("rank", [2, 3])
def test_a_wider_network_gives_the_same_maps(factor: int, rank: int) -> None:
    narrow, wide = ladder(4, 2, rank=rank), ladder(4 * factor, 2 * factor, rank=rank)
    assert not torch.allclose(maps(wide), maps(narrow), rtol=0.1)
    assert start(wide, narrow) == set()
    torch.testing.assert_close(maps(wide), maps(narrow))


def test_features_and_latents_may_grow_by_different_numbers() -> None:
    narrow, wide = ladder(4, 2), ladder(8, 8)
    assert start(wide, narrow) == set()
    torch.testing.assert_close(maps(wide), maps(narrow))


@pytest.mark.parametrize("kind", [context, unet])
def test_so_does_one_with_lateral_context_and_a_unet(kind: Callable[[int], VSE]) -> None:
    narrow, wide = kind(4), kind(8)
    assert start(wide, narrow) == set()
    torch.testing.assert_close(maps(wide), maps(narrow))


def test_copies_of_a_feature_are_read_by_different_weights() -> None:
    """Equal copies would have equal gradients for ever."""
    wide = ladder(8, 4)
    start(wide, ladder(4, 2))
    kernels = [one for one in wide.modules() if isinstance(one, nn.Conv2d) and one.in_channels > 1]
    assert kernels
    for kernel in kernels:
        pairs = kernel.weight.detach().unflatten(1, (-1, 2))  # type: ignore[no-untyped-call]
        assert not torch.isclose(pairs[:, :, 0], pairs[:, :, 1]).flatten(2).all(2).any()


def test_a_layer_that_joins_features_of_several_widths_is_left() -> None:
    """Eight and sixteen features, where four and four were: three times as many, but not three of each."""

    def joining(first: int, second: int) -> nn.Module:
        parts = {
            "a": nn.Conv2d(1, first, 1),
            "b": nn.Conv2d(1, second, 1),
            "c": nn.Conv2d(first + second, 2, 1),
        }
        return nn.ModuleDict(parts)

    shapes = {name: one.shape for name, one in _taken(joining(4, 4), joining(8, 16), OUTPUT).items()}
    assert shapes["a.weight"] == (8, 1, 1, 1)
    assert shapes["b.weight"] == (16, 1, 1, 1)
    assert shapes["c.weight"] == (2, 8, 1, 1)
    assert _taken(joining(4, 4), joining(8, 8), OUTPUT)["c.weight"].shape == (2, 16, 1, 1)


def test_what_is_no_multiple_or_no_longer_as_deep_stays_as_it_is() -> None:
    narrow, wide = ladder(4, 2), ladder(6, 3)
    found = widened(narrow.state_dict(), wide, fixed_rows=OUTPUT)
    assert all(torch.equal(found[name], one) for name, one in narrow.state_dict().items())


def test_outputs_of_the_last_layer_are_no_features() -> None:
    def network(features: int, maps: int) -> nn.Module:
        return nn.ModuleDict({"a": nn.Conv2d(1, features, 1), "output": nn.Conv2d(features, maps, 1)})

    assert _taken(network(2, 2), network(4, 4), "output.")["output.weight"].shape == (2, 2, 1, 1)
    assert _taken(network(2, 2), network(4, 4), "output.")["output.bias"].shape == (2,)
    assert _taken(network(2, 2), network(4, 2), "output.")["output.weight"].shape == (2, 4, 1, 1)


class Own(nn.Module):
    """A matrix of its own, whose second axis is summed over."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, width))


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (Own(4), Own(8)),
        (weight_norm(nn.Conv2d(4, 2, 1)), weight_norm(nn.Conv2d(8, 2, 1))),
        (spectral_norm(nn.Conv2d(4, 2, 1)), spectral_norm(nn.Conv2d(8, 2, 1))),
        (nn.Conv2d(4, 4, 1, groups=2), nn.Conv2d(8, 8, 1, groups=2)),
        (nn.MultiheadAttention(4, 2), nn.MultiheadAttention(8, 2)),
        (nn.GRU(4, 4), nn.GRU(8, 8)),
        (nn.Embedding(4, 4), nn.Embedding(8, 8)),
    ],
    ids=["own", "weight norm", "spectral norm", "groups", "attention", "recurrent", "embedding"],
)
def test_kernels_that_nobody_knows_here_stay_as_they_are(narrow: nn.Module, wide: nn.Module) -> None:
    before = narrow.state_dict()
    found = _taken(nn.ModuleDict({"a": narrow}), nn.ModuleDict({"a": wide}), OUTPUT)
    kernels = [name for name, one in before.items() if one.ndim > 1 and "out_proj" not in name]
    assert kernels
    assert all(torch.equal(found[f"a.{name}"], before[name]) for name in kernels)


def test_a_layer_with_two_names_is_widened_under_both() -> None:
    def network(width: int) -> nn.Module:
        layer = nn.Conv2d(width, width, 1)
        return nn.ModuleDict({"a": layer, "b": layer})

    found = _taken(network(4), network(8), OUTPUT)
    assert found["a.weight"].shape == found["b.weight"].shape == (8, 8, 1, 1)


@pytest.mark.parametrize("kind", [nn.ConvTranspose2d, nn.Conv2d])
def test_both_directions_of_a_convolution(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d]) -> None:
    narrow = nn.Sequential(kind(1, 3, 3), nn.BatchNorm2d(3), nn.ELU(), kind(3, 2, 3)).eval()
    wide = nn.Sequential(kind(1, 6, 3), nn.BatchNorm2d(6), nn.ELU(), kind(6, 2, 3)).eval()
    wide.load_state_dict(_taken(narrow, wide, OUTPUT))
    image = torch.randn(1, 1, 7, 7)
    torch.testing.assert_close(wide(image), narrow(image))


def test_a_training_starts_from_a_narrower_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "denoisplit")
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    first = denoisplit.train(tmp_path / "spec.yaml", tmp_path / "first", overrides=["training.keep=last"])
    wider = ["model.encoder.width=8", "model.decoder.latent_channels=4", f"training.start_from={first.path}"]
    asked = [text for one in wider for text in ("--set", one)]
    assert CliRunner().invoke(main, ["check", str(tmp_path / "spec.yaml"), *asked]).exit_code == 0
    still = ["training.learning_rate=1e-30", "training.keep=last"]
    run = denoisplit.train(tmp_path / "spec.yaml", tmp_path / "second", overrides=[*wider, *still])
    assert run.bundle.start is not None
    assert run.bundle.start.drawn == ()
    name = "decoder.output.weight"
    theirs, ours = (load_weights(one.folder.weights)[name] for one in (first, run))
    assert len(ours) == len(theirs)
    torch.testing.assert_close(ours[:, ::2] + ours[:, 1::2], theirs)
    assert ours.shape[1] == 2 * theirs.shape[1]
    assert "that run has a narrower network" in caplog.text


@pytest.mark.parametrize("noise_model", ["gaussian", "spread_mixture"])
def test_it_takes_the_signal_of_a_narrower_run_with_another_noise_model(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, noise_model: str
) -> None:
    caplog.set_level("INFO", "denoisplit")
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    still = ["training.learning_rate=1e-30", "training.keep=last"]
    fixed = "model.noise_model={use: gaussian, log_variance: fixed}"
    first = denoisplit.train(spec, tmp_path / "first", overrides=[fixed, "training.keep=last"])
    wider = ["model.encoder.width=8", "model.decoder.latent_channels=4", f"training.start_from={first.path}"]
    other = f"model.noise_model={{use: {noise_model}}}"
    run = denoisplit.train(spec, tmp_path / "second", overrides=[*wider, *still, other])
    assert run.bundle.start is not None
    assert run.bundle.start.drawn == ()
    theirs, ours = (load_weights(one.folder.weights)["decoder.output.weight"] for one in (first, run))
    joined = ours[:, ::2] + ours[:, 1::2]
    torch.testing.assert_close(joined[:2], theirs)
    torch.testing.assert_close(joined[2:], torch.zeros_like(theirs))
    assert "the maps of the noise model start at 0" in caplog.text


def test_what_has_no_place_here_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "denoisplit")
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    deeper = ["model.encoder.blocks=2", "training.steps=2"]
    first = denoisplit.train(spec, tmp_path / "first", overrides=deeper)
    denoisplit.train(spec, tmp_path / "second", overrides=[f"training.start_from={first.path}"])
    (line,) = [line for line in caplog.messages if "no place in this network" in line]
    assert "encoder.levels.0" in line


def _taken(narrow: nn.Module, wide: nn.Module, fixed_rows: str) -> dict[str, Tensor]:
    return widened(narrow.state_dict(), wide, fixed_rows=fixed_rows)
