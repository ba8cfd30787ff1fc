"""Laws of shapes: any number of levels, channels and dimensions, any size, any place."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.network.objective import require_finite
from denoisplit.plugins.decoders.ladder import LadderDecoder
from tests.network.fixed_noise import FixedNoise
from tests.network.small import counts, fixed, mixture, network

seeds = st.integers(0, 10**6)

# Away from borders, the encoder does not know where it is


@settings(max_examples=5)
@given(seed=seeds, rows=st.integers(0, 3), columns=st.integers(0, 3))
def test_features_shift_with_the_image_by_whole_strides(seed: int, rows: int, columns: int) -> None:
    vse = network()
    side, margin = 64, 20  # margin: the 18 pixels that a feature looks at to each side, and the odd two
    (down, right) = (rows * vse.stride[0], columns * vse.stride[1])
    image, _ = counts(vse, (side + 12, side + 12), seed=seed)
    with torch.no_grad():
        here = vse.encode(image[..., :side, :side])
        there = vse.encode(image[..., down : down + side, right : right + side])
    for one, two, (stride, _) in zip(here, there, vse.level_strides, strict=True):
        first, last = margin // stride, (side - margin) // stride
        dy, dx = down // stride, right // stride
        torch.testing.assert_close(
            one[..., first + dy : last, first + dx : last], two[..., first : last - dy, first : last - dx]
        )


# Any number of levels, channels, dimensions, and any size


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_any_number_of_levels_and_channels(levels: int, channels: int) -> None:
    vse = network(levels=levels, channels=channels, noise_model=mixture)
    size = (2**levels, 2 ** (levels + 1))
    mixed, targets = counts(vse, size)
    terms = vse.loss(mixed, targets, fixed(vse, size), kl_weight=1.0)
    assert terms.distortion_per_channel.shape == (channels,)
    assert terms.rate_per_level.shape == (levels,)
    with torch.no_grad():
        assert vse.sample(vse.encode(mixed), fixed(vse, size)).shape == (1, channels, *size)
    assert vse.level_strides == tuple((2 ** (i + 1),) * 2 for i in range(levels))


@pytest.mark.parametrize("binning", [1, 2])
def test_three_dimensions(binning: int) -> None:
    vse = network(rank=3, binning=binning)
    size = (4 * binning, 4 * binning, 8 * binning)
    mixed, targets = counts(vse, size)
    terms = vse.loss(mixed, targets, fixed(vse, size), kl_weight=1.0)
    gradients = torch.autograd.grad(terms.total, list(vse.parameters()))
    assert all(float(gradient.abs().max()) > 0 for gradient in gradients)
    with torch.no_grad():
        assert vse.sample(vse.encode(mixed), fixed(vse, size)).shape == (1, 2, *size)
        odd = mixed[..., 1:, :5]
        assert vse.decode(odd, fixed(vse, odd.shape[2:])).output.shape[2:] == odd.shape[2:]
        assert vse.decoder.generate(size, fixed(vse, size, batch=2), batch=2).shape == (2, 4, *size)
    levels = vse.decode(mixed, fixed(vse, size)).levels
    for level, stride in zip(levels, vse.level_strides, strict=True):
        assert level.sample.shape[2:] == tuple(n // s for n, s in zip(size, stride, strict=True))


@settings(max_examples=8)
@given(rows=st.integers(1, 21), columns=st.integers(1, 21), binning=st.sampled_from([1, 2]))
def test_any_size_comes_back(rows: int, columns: int, binning: int) -> None:
    vse = network(binning=binning)
    mixed, targets = counts(vse, (rows, columns))
    noise = fixed(vse, (rows, columns))
    with torch.no_grad():
        assert vse.decode(mixed, noise).output.shape == (1, 4, rows, columns)
        require_finite(vse.loss(mixed, targets, noise, kl_weight=1.0), 0)


@settings(max_examples=10)
@given(rows=st.integers(1, 5), columns=st.integers(1, 5), batch=st.integers(1, 2), seed=seeds)
def test_the_prior_generates_images_of_any_size(rows: int, columns: int, batch: int, seed: int) -> None:
    vse = network()
    size = (rows * vse.stride[0], columns * vse.stride[1])
    noise = fixed(vse, size, batch=batch, seed=seed)
    with torch.no_grad():
        output = vse.decoder.generate(size, noise, batch=batch)
        assert torch.equal(output, vse.decoder.generate(size, noise, batch=batch))
    assert output.shape == (batch, 4, *size)
    assert torch.isfinite(output).all()


def test_the_prior_repeats_with_the_training_patch() -> None:
    """For larger images the learned top prior is repeated: without noise it draws a pattern."""
    vse = network(levels=1)
    patch, size = 4, (24, 24)
    zero = FixedNoise([torch.zeros(1, 2, 12, 12, dtype=torch.float64)])
    with torch.no_grad():
        output = vse.decoder.generate(size, zero, batch=1)
    inner = output[..., 8:16, 8:16]
    torch.testing.assert_close(inner[..., :patch, :], inner[..., patch:, :])
    torch.testing.assert_close(inner[..., :patch], inner[..., patch:])
    assert float(inner[0, 0, :patch, :patch].std()) > 1e-3


@pytest.mark.parametrize("binning", [1, 2])
def test_binning_sets_the_strides(binning: int) -> None:
    vse = network(levels=3, binning=binning)
    assert vse.level_strides == tuple((binning * s,) * 2 for s in (2, 4, 8))
    mixed, _ = counts(vse, (16, 16))
    with torch.no_grad():
        features = vse.encode(mixed)
    assert [f.shape[-1] for f in features] == [16 // (binning * s) for s in (2, 4, 8)]


def test_the_last_layer_does_not_see_the_padding() -> None:
    """An image that was padded is cut before the last convolution, as if it ended there."""
    vse = network()
    features = vse.encode(counts(vse, (16, 16))[0])
    seen: list[torch.Size] = []
    assert isinstance(vse.decoder, LadderDecoder)
    vse.decoder.output.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    window = (slice(1, 14), slice(2, 16))
    with torch.no_grad():
        decoded = vse.decoder(features, fixed(vse, (16, 16)), window=window)
        whole = vse.decoder(features, fixed(vse, (16, 16))).output[..., *window]
    assert seen[0][2:] == decoded.output.shape[2:] == (13, 14)
    torch.testing.assert_close(decoded.output[..., 1:-1, 1:], whole[..., 1:-1, 1:])
    assert not torch.allclose(decoded.output[..., 0, :], whole[..., 0, :])
