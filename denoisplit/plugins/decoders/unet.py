"""Expanding path of a U-Net, the baseline without latents."""

import attrs
import torch
from torch import Tensor, nn

from denoisplit.core.errors import SpecError
from denoisplit.core.network.interfaces import Decoded, Decoder, Features, FeatureShape, Window
from denoisplit.core.network.noise_source import NoiseSource
from denoisplit.plugins.blocks import LINEAR, conv
from denoisplit.plugins.decoders.output_layer import in_full_precision
from denoisplit.plugins.unet_blocks import DoubleConv


class Up(nn.Module):
    """Interpolates linearly to the size of the skip features, then convolves both twice."""

    def __init__(self, skip: FeatureShape, below: FeatureShape, outputs: int, *, align_corners: bool) -> None:
        super().__init__()
        rank, inputs = len(skip.stride), skip.channels + below.channels
        self.enlarge = nn.Upsample(
            scale_factor=tuple(b // s for s, b in zip(skip.stride, below.stride, strict=True)),
            mode=LINEAR[rank],
            align_corners=align_corners,
        )
        self.block = DoubleConv(rank, inputs, outputs, middle=inputs // 2)

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        """[b outputs (z) y x] of the size of ``skip``."""
        result: Tensor = self.block(torch.cat([skip, self.enlarge(below)], dim=1))
        return result


class UNetDecoder(Decoder):
    """From the coarsest features to full size, with skip connections at every level; draws nothing.

    All posterior samples are equal, and there is no rate. With the noise model ``gaussian`` and
    ``log_variance: fixed`` it is trained on the mean squared error.

    Source: Ashesh et al., muSplit, ICCV 2023, code; method section 10.
    """

    @attrs.frozen(kw_only=True)
    class Options:
        """Options of the U-Net decoder.

        Attributes:
            align_corners: interpolate between the centres of the corner pixels, as the reference does. The
                result then depends on the size of the image, and of the tiles of a prediction.
        """

        align_corners: bool = False

    def __init__(
        self,
        options: Options,
        *,
        feature_shapes: tuple[FeatureShape, ...],
        out_maps: int,
        patch: tuple[int, ...],
    ) -> None:
        super().__init__()
        _require_full_size(feature_shapes)
        rank = len(patch)
        skips = feature_shapes[:-1]
        # A level gives as many channels as the skip features that it meets next.
        outputs = [skips[max(0, level - 1)].channels for level in range(len(skips))]
        below = [
            *(FeatureShape(width, shape.stride) for width, shape in zip(outputs[1:], skips[1:], strict=True)),
            feature_shapes[-1],
        ]
        self.levels = nn.ModuleList(
            Up(skip, under, width, align_corners=options.align_corners)
            for skip, under, width in zip(skips, below, outputs, strict=True)
        )
        self.output = conv(rank, outputs[0], out_maps, kernel=1)

    def forward(self, features: Features, noise: NoiseSource, *, window: Window = ()) -> Decoded:
        """Output maps; there are no levels. The last layer sees one pixel, so it may come before the cut."""
        output = self.sample(features, noise)
        return Decoded(output=output[(slice(None), slice(None), *window)], levels=())

    def sample(self, features: Features, noise: NoiseSource) -> Tensor:
        """Output maps, the same for all noise."""
        del noise
        x = features[-1]
        for level, skip in zip(reversed(list(self.levels)), reversed(features[:-1]), strict=True):
            x = level(skip, x)
        return in_full_precision(self.output, x)


def _require_full_size(shapes: tuple[FeatureShape, ...]) -> None:
    plain = all(extent == 1 for shape in shapes for extent in shape.extent)
    if len(shapes) < 2 or any(stride > 1 for stride in shapes[0].stride) or not plain:
        strides = [list(shape.stride) for shape in shapes]
        raise SpecError(
            f"model.decoder: the decoder unet needs features of the image at full size and of at least one "
            f"coarser level (got strides {strides}). Use the encoder unet."
        )
