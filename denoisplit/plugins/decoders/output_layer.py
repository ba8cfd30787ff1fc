"""The last layer of a decoder, in full precision whatever that of the network."""

import torch
from torch import Tensor, nn

from denoisplit.core.network.interfaces import Window
from denoisplit.plugins.blocks import KERNEL
from denoisplit.plugins.decoders.ladder_plan import image_maps
from denoisplit.plugins.windows import by_windows


def emitted(layer: nn.Module, state: Tensor, binning: tuple[int, ...], window: Window = ()) -> Tensor:
    """Return output maps at the resolution of the finest level; ``window`` is cut out before the layer."""
    return image_maps(lambda x: in_full_precision(layer, x), state, binning, window)


def in_full_precision(layer: nn.Module, state: Tensor) -> Tensor:
    """Apply a layer with a kernel of up to ``KERNEL`` pixels, in the precision of its weights.

    In bfloat16, which has eight significant bits, the spread of samples would vanish in rounding.
    """
    dtype = next(layer.parameters()).dtype
    with torch.autocast(state.device.type, enabled=False):
        reach = (KERNEL // 2,) * (state.ndim - 2)
        return by_windows(lambda part: layer(part.to(dtype)), state, reach=reach)
