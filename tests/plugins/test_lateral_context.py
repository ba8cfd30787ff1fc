"""What the encoder with lateral context adds to a ladder."""

import pytest
import torch

from denoisplit.core.errors import ImageError, SpecError
from denoisplit.core.network.vse import side_multiple
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.encoders.lateral_context import LateralContextEncoder

Options = LateralContextEncoder.Options


def encoder(options: Options, *, rank: int = 2) -> LateralContextEncoder:
    return LateralContextEncoder(options, spatial_rank=rank, in_channels=1).double().eval()


@pytest.mark.parametrize(
    ("options", "sides"),
    [
        (Options(width=2, retain="features"), [32, 16, 8, 4]),
        (Options(width=2), [64, 64, 64, 64]),
        (Options(width=2, levels=8), [64, 64, 64, 64, 32, 16, 8, 4]),
        (Options(width=2, retain="neither"), [32, 16, 8, 4]),
        (Options(width=2, input_scales=3), [64, 64, 32, 16]),
    ],
    ids=["lean", "regular", "deep", "neither", "regular with 3 scales"],
)
def test_the_sides_of_the_reference(options: Options, sides: list[int]) -> None:
    """Method section 1.4, patch of 64 pixels."""
    network = encoder(options)
    assert [shape.size((64, 64)) for shape in network.feature_shapes] == [(side, side) for side in sides]
    with torch.no_grad():
        features = network(torch.zeros(1, options.input_scales, 64, 64, dtype=torch.float64))
    assert [f.shape[-1] for f in features] == sides


@pytest.mark.parametrize(("levels", "scales", "multiple"), [(4, 3, 4), (4, 5, 2), (8, 5, 16), (3, 2, 4)])
def test_images_need_fewer_pixels_where_maps_cover_more(levels: int, scales: int, multiple: int) -> None:
    """Method section 1.4: the top prior of a patch P has the side P / 2^(L+1-M)."""
    retained = encoder(Options(levels=levels, width=1, input_scales=scales))
    assert side_multiple(retained.feature_shapes) == (multiple,) * 2
    lean = encoder(Options(levels=levels, width=1, input_scales=scales, retain="features"))
    assert side_multiple(lean.feature_shapes) == (2**levels,) * 2


def test_without_context_it_is_the_ladder() -> None:
    network = encoder(Options(levels=2, width=3, blocks=2, input_scales=1))
    ladder = LadderEncoder(LadderEncoder.Options(levels=2, width=3, blocks=2), spatial_rank=2, in_channels=1)
    ladder.double().eval().load_state_dict(network.state_dict())
    image = torch.randn(1, 1, 12, 8, dtype=torch.float64)
    for one, two in zip(network(image), ladder(image), strict=True):
        assert torch.equal(one, two)
    assert network.feature_shapes == ladder.feature_shapes


def test_own_blocks_begin_as_copies() -> None:
    """Of a level's own weights only: at the start nothing differs from shared ones."""
    own = encoder(Options(levels=2, width=3, blocks=3, input_scales=2, own_context_blocks=True))
    shared = encoder(Options(levels=2, width=3, blocks=3, input_scales=2))
    state = own.state_dict()
    shared.load_state_dict({k: v for k, v in state.items() if not k.startswith("context_blocks.")})
    image = torch.randn(1, 2, 16, 16, dtype=torch.float64)
    for one, two in zip(own(image), shared(image), strict=True):
        torch.testing.assert_close(one, two)
    extra = sum(p.numel() for p in own.parameters()) - sum(p.numel() for p in shared.parameters())
    assert extra == sum(p.numel() for name, p in own.named_parameters() if name.startswith("levels.0.2")) * 2


def test_the_patch_is_in_the_centre_of_the_map_of_its_surround() -> None:
    """A change at one pixel of the patch and at its place in the surround moves the same features."""
    network = encoder(Options(levels=1, width=3, input_scales=2, dropout=0.0))
    image = torch.zeros(1, 2, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        (before,) = network(image)
        centres = []
        for scale, row, column in ((0, 10, 50), (1, 16 + 10 // 2, 16 + 50 // 2)):
            changed = image.clone()
            changed[0, scale, row, column] = 1
            (after,) = network(changed)
            moved = (after - before).abs().amax((0, 1)) > 0
            centres.append(moved.nonzero().double().mean(0))
    assert float((centres[0] - centres[1]).abs().max()) < 1


def test_a_scale_too_many_is_refused() -> None:
    with pytest.raises(SpecError, match=r"input_scales: .*\(got 5 for 3 levels\)\. Use at most 4"):
        encoder(Options(levels=3, width=2, input_scales=5))


def test_an_image_without_its_surround_is_refused() -> None:
    with pytest.raises(ImageError, match=r"must come in 3 scales .*\(got 1 channels\)\. Add"):
        encoder(Options(levels=2, width=2, input_scales=3))(torch.zeros(1, 1, 8, 8, dtype=torch.float64))
