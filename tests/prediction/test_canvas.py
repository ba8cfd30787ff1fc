"""The image at every scale, about one centre."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from denoisplit.core.images.context_pyramid import pyramid
from denoisplit.core.prediction.latents.box_muller_field import BoxMullerField
from denoisplit.core.prediction.latents.noise_field import CentredNoise, FieldNoise
from denoisplit.core.prediction.outputs.posterior import draw_samples
from denoisplit.core.prediction.tiles.canvas import Canvas, canvas_multiple
from denoisplit.core.prediction.tiles.tiling import Box, Moved, plan_tiles
from denoisplit.core.spec.records import PredictionSpec
from tests.prediction.networks import small_vse

REGULAR = small_vse(levels=2, context={"input_scales": 3})


def test_every_scale_is_cut_about_the_centre_of_the_tile() -> None:
    image = np.random.default_rng(0).normal(120, 30, (128, 192))
    canvas, region = Canvas.of(image, REGULAR), Box((32, 64), (96, 128))
    cut = canvas.cut(region)
    # The centre is pixel (64, 96), which is (32, 48) and (16, 24) of the smaller scales.
    _, half, quarter = pyramid(image, 2)
    np.testing.assert_array_equal(cut[0], image[32:96, 64:128])
    np.testing.assert_array_equal(cut[1], half[:64, 16:80])
    np.testing.assert_array_equal(cut[2][16:48, 8:], np.pad(quarter, ((0, 0), (0, 8)), mode="reflect"))


def test_a_constant_image_is_constant_at_every_scale_and_size() -> None:
    for shape in ((1, 1), (5, 70), (64, 64)):
        canvas = Canvas.of(np.full(shape, 300, np.uint16), REGULAR)
        assert canvas.shape == tuple(-(-n // 8) * 8 for n in shape)
        np.testing.assert_allclose(canvas.cut(Box((0, 0), canvas.shape)), 300, rtol=1e-6)


def test_scales_agree_on_where_things_are() -> None:
    """On an image that is its own row coordinate, every pixel of every scale tells where it lies."""
    rows = np.broadcast_to(np.arange(256.0)[:, None], (256, 64)).copy()
    cut = Canvas.of(rows, REGULAR).cut(Box((112, 0), (144, 64)))
    for scale in range(3):
        size = 2**scale
        first = 128 - 16 * size
        expected = first + size * np.arange(32) + (size - 1) / 2
        np.testing.assert_allclose(cut[scale][:, 5], expected, rtol=1e-9)


def test_a_network_without_context_needs_whole_strides_and_deep_context_less() -> None:
    assert canvas_multiple(small_vse(levels=3)) == (8, 8)
    assert canvas_multiple(REGULAR) == (8, 8)
    assert canvas_multiple(small_vse(levels=5, context={"input_scales": 3})) == (8, 8)
    assert canvas_multiple(small_vse(levels=2, context={"input_scales": 2, "retain": "features"})) == (4, 4)
    stack = small_vse(levels=2, rank=3, context={"input_scales": 2, "strides": ((1, 2, 2), (3, 2, 2))})
    assert canvas_multiple(stack) == (3, 4, 4)


@settings(max_examples=100)
@given(
    size=st.integers(1, 400),
    strides=st.integers(1, 30),
    margin=st.integers(0, 20),
    step=st.sampled_from([4, 8, 16]),
)
def test_windows_cover_the_image_have_one_size_and_keep_the_halo(
    size: int, strides: int, margin: int, step: int
) -> None:
    end = -(-size // 8) * 8
    side, around = strides * step, margin * step
    tiles = plan_tiles((size,), tile=(side,), around=Moved(halo=(around,), stride=(step,), canvas=(end,)))
    covered = [pixel for t in tiles for pixel in range(t.inner.start[0], t.inner.stop[0])]
    assert covered == list(range(size))
    (outer,) = {t.outer.shape[0] for t in tiles}
    assert outer == end or side + 2 * around <= outer < side + 2 * around + 2 * step
    for t in tiles:
        low, high = t.outer.start[0], t.outer.stop[0]
        assert 0 <= low <= max(0, t.inner.start[0] - around)
        assert min(end, t.inner.stop[0] + around) <= high <= end
        assert (low + high - end) % (2 * step) == 0, "centres lie whole strides apart"


def test_noise_counted_from_the_centre_is_a_window_of_the_same_field() -> None:
    strides = ((2, 2), (4, 4))
    centred = CentredNoise(BoxMullerField(7), [3, 4], [(0, 0), (-8, 4)], strides)
    like = torch.empty(2, 2, 6, 10, dtype=torch.float64)
    drawn = centred.normal(1, like)
    for item, start in enumerate([(-3, -5), (-5, -4)]):
        origin = tuple(4 * n for n in start)
        alone = FieldNoise(BoxMullerField(7), [3 + item], [origin], strides).normal(1, like[:1])
        assert torch.equal(drawn[item], alone[0])
    with pytest.raises(ValueError, match="multiple of the stride"):
        CentredNoise(BoxMullerField(0), [0], [(2, 0)], strides).normal(1, like[:1])
    with pytest.raises(ValueError, match="batch of 2"):
        CentredNoise(BoxMullerField(0), [0], [(0, 0)], strides).normal(0, like)


def test_samples_are_the_network_fed_with_all_scales_and_the_noise_field() -> None:
    mixed = np.random.default_rng(0).normal(120, 30, (16, 32))
    scales = Canvas.of(mixed, REGULAR).cut(Box((0, 0), (16, 32)))
    noise = CentredNoise(BoxMullerField(9), [5, 6], [(0, 0)] * 2, REGULAR.level_strides)
    with torch.inference_mode():
        decoded = REGULAR.decode(torch.from_numpy(scales)[None].expand(2, *scales.shape), noise)
    expected = REGULAR.statistics.to_counts(decoded.output).numpy()
    np.testing.assert_allclose(
        draw_samples(REGULAR, mixed, PredictionSpec(samples=2, seed=9), first=5), expected, rtol=1e-10
    )


def test_what_lies_at_a_place_does_not_depend_on_the_window() -> None:
    """Beside the image, too, where its reflections go on for as long as a scale reaches."""
    canvas = Canvas.of(np.random.default_rng(0).normal(120, 30, (48, 40)), REGULAR)
    small, large = canvas.cut(Box((16, 8), (32, 24))), canvas.cut(Box((8, 0), (40, 32)))
    np.testing.assert_array_equal(small, large[:, 8:24, 8:24])
    corner = canvas.cut(Box((0, 0), (16, 16)))
    for scale in (1, 2):
        shift = 8 // 2**scale
        np.testing.assert_array_equal(
            corner[scale][2 * shift :, shift:], small[scale][: 16 - 2 * shift, : 16 - shift]
        )
