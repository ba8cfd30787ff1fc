"""Every variant has as many parameters as the reference, less those that the reference never uses."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from denoisplit.core.network.composer import compose
from denoisplit.core.network.interfaces import Encoder, IntensityStats
from denoisplit.core.spec import load_spec
from denoisplit.plugins.decoders.ladder import LadderDecoder
from denoisplit.plugins.decoders.unet import UNetDecoder
from denoisplit.plugins.encoders.ladder import LadderEncoder
from denoisplit.plugins.encoders.lateral_context import LateralContextEncoder
from denoisplit.plugins.encoders.unet import UNetEncoder

UNUSED_MERGE = 181_376 // 2
"""A merge of 64 channels; method section 1.4."""


def size(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def ladder_size(encoder: Encoder, *, maps: int, patch: int, **options: Any) -> int:
    decoder = LadderDecoder(
        LadderDecoder.Options(**options),
        feature_shapes=encoder.feature_shapes,
        out_maps=maps,
        patch=(patch, patch),
    )
    return size(encoder, decoder)


@pytest.mark.parametrize(
    ("options", "maps", "count"),
    [({}, 4, 3_004_036), ({}, 2, 3_002_882), ({"levels": 6}, 4, 4_567_300)],
    ids=["gaussian", "noise model", "six levels"],
)
def test_ladder(options: dict[str, Any], maps: int, count: int) -> None:
    """Method section 1.7."""
    with torch.device("meta"):
        encoder = LadderEncoder(LadderEncoder.Options(**options), spatial_rank=2, in_channels=1)
        assert ladder_size(encoder, maps=maps, patch=128) == count


@pytest.mark.parametrize(("maps", "count"), [(2, 1_965_698), (1, 1_965_698 - 289)])
def test_hdn(maps: int, count: int) -> None:
    """Method section 1.7."""
    with torch.device("meta"):
        given = LadderEncoder.Options(levels=6, width=32, blocks=5)
        encoder = LadderEncoder(given, spatial_rank=2, in_channels=1)
        assert ladder_size(encoder, maps=maps, patch=128, latent_channels=32, blocks=5) == count


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"retain": "features"}, 3_657_604),
        ({}, 4_702_084),
        ({"levels": 8}, 7_177_604 - 4 * UNUSED_MERGE),
        ({"retain": "neither"}, 3_657_604),
        ({"input_scales": 3}, 3_567_492 - 2 * UNUSED_MERGE),
    ],
    ids=["lean", "regular", "deep", "neither", "regular with 3 scales"],
)
def test_lateral_context(options: dict[str, Any], count: int) -> None:
    """Method section 1.4."""
    with torch.device("meta"):
        given = LateralContextEncoder.Options(**options)
        encoder = LateralContextEncoder(given, spatial_rank=2, in_channels=1)
        assert ladder_size(encoder, maps=4, patch=64) == count


@pytest.mark.parametrize(
    ("preset", "count"),
    [
        ("musplit-regular", 4_702_084),
        ("musplit-lean", 3_657_604),
        ("musplit-deep", 7_177_604 - 4 * UNUSED_MERGE),
        # Without the log-variances: two maps less at the output, 64 x 3 x 3 weights and a bias each.
        ("denoisplit-regular", 4_702_084 - 2 * 577),
        ("microsplit-regular", 3_567_492 - 2 * UNUSED_MERGE),
    ],
)
def test_presets_with_lateral_context(preset: str, count: int, tmp_path: Path) -> None:
    """Method sections 1.4 and 6.3."""
    file = tmp_path / "spec.yaml"
    file.write_text(f"preset: {preset}\ndata: {{train: {{use: simulated}}}}\n", encoding="utf-8")
    spec = load_spec(file)
    unit = IntensityStats(mixed_mean=0.0, mixed_std=1.0, target_mean=(0.0, 0.0), target_std=(1.0, 1.0))
    with torch.device("meta"):
        vse = compose(spec.model, unit, channels=spec.channels, patch=spec.training.patch)
    assert size(vse.encoder, vse.decoder) == count


def test_unet() -> None:
    """Method section 10: 17.30 million."""
    with torch.device("meta"):
        encoder = UNetEncoder(UNetEncoder.Options(), spatial_rank=2, in_channels=1)
        decoder = UNetDecoder(
            UNetDecoder.Options(), feature_shapes=encoder.feature_shapes, out_maps=2, patch=(64, 64)
        )
        assert round(size(encoder, decoder) / 1e6, 2) == 17.30
    assert [shape.channels for shape in encoder.feature_shapes] == [32, 64, 128, 256, 512, 512]
