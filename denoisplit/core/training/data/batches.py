"""Training batches as a function of the step number, and their loader."""

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from denoisplit.core.images.bases import Field
from denoisplit.core.images.context_pyramid import context_crop, pyramid
from denoisplit.core.images.mixing import Mixing, mixed_image
from denoisplit.core.images.patches import PatchSampler
from denoisplit.core.network.frame_part import FramePart

Pair = tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor]
"""Mixed image [b scales (z) y x] and noisy targets [b c (z) y x], counts.

For a noise model with maps of the camera's pixels, also these maps [m b c (z) y x].
"""

Camera = Callable[[FramePart], Tensor | None]
"""Function from a part of an image to the camera's maps there [m 1 c (1) y x]; None without maps."""

VALIDATION_SIDE = 256
VALIDATION_FIELDS = 8


class StepBatches(Dataset[Pair]):
    """Data set whose item ``step`` is the whole batch of that step."""

    def __init__(self, sampler: PatchSampler) -> None:
        self._sampler = sampler

    def __getitem__(self, step: int) -> Pair:
        """Batch of ``step``, always the same."""
        batch = self._sampler.batch(step)
        mixed, targets = torch.from_numpy(batch.mixed), torch.from_numpy(batch.targets)
        return (mixed, targets) if batch.camera is None else (mixed, targets, torch.from_numpy(batch.camera))


def training_loader(
    sampler: PatchSampler, steps: range, *, workers: int, pinned: bool = False
) -> DataLoader[Pair]:
    """Return a loader of the batches of these steps; pinned ones can be copied to a GPU while it computes."""
    return DataLoader(
        StepBatches(sampler),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        # The loader draws a seed when it starts; its own generator keeps that off the global one.
        generator=torch.Generator().manual_seed(0),
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=pinned,
    )


@final
class Mover:
    """Mover of batches to a device; pinned ones are copied to a GPU while it still computes the last step."""

    def __init__(self, device: torch.device) -> None:
        self._cuda: Any = torch.cuda  # it has no type hints
        self._device = device
        self._beside = self._cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, batch: Pair) -> Pair:
        """Move a batch to the device."""
        with self._cuda.stream(self._beside):
            mixed, targets, *camera = (tensor.to(self._device, non_blocking=True) for tensor in batch)
        if self._beside is not None:
            now = self._cuda.current_stream(self._device)
            now.wait_stream(self._beside)
            for tensor in (mixed, targets, *camera):
                tensor.record_stream(now)  # its memory is not reused before the step is done
        return (mixed, targets, camera[0]) if camera else (mixed, targets)


class ValidationCrops(Dataset[Pair]):
    """Centres of the first ``VALIDATION_FIELDS`` fields, up to ``VALIDATION_SIDE`` pixels a side.

    They come with their surround in ``context`` low-resolution scales.

    Raises:
        ImageError: a field too small for its context.
    """

    def __init__(
        self, fields: Sequence[Field], mixing: Mixing, *, context: int = 0, camera: Camera | None = None
    ) -> None:
        self._pairs = [_centre(field, mixing, context, camera) for field in fields[:VALIDATION_FIELDS]]

    def __len__(self) -> int:
        """Number of crops."""
        return len(self._pairs)

    def __getitem__(self, index: int) -> Pair:
        """One crop as a batch of one."""
        return self._pairs[index]


def validation_loader(
    fields: Sequence[Field], mixing: Mixing, *, context: int = 0, camera: Camera | None = None
) -> DataLoader[Pair]:
    """Return a loader of the validation crops in fixed order; ``camera`` gives the maps of an image part."""
    return DataLoader(
        ValidationCrops(fields, mixing, context=context, camera=camera),
        batch_size=None,
        generator=torch.Generator().manual_seed(0),
    )


def _centre(field: Field, mixing: Mixing, context: int, camera: Camera | None) -> Pair:
    sides = field.observed.shape[1:]
    starts = [max(0, (side - VALIDATION_SIDE) // 2) for side in sides]
    window = (slice(None), *(slice(s, s + VALIDATION_SIDE) for s in starts))
    targets = torch.from_numpy(np.array(field.observed[window]))[None]
    crop = targets.shape[2:]
    scales = pyramid(mixed_image(field, mixing), context)
    mixed = np.concatenate([context_crop(image, starts, crop, scale) for scale, image in enumerate(scales)])
    maps = None if camera is None else camera(field.frame_part.window(tuple(starts), crop))
    pair = torch.from_numpy(mixed)[None], targets
    return pair if maps is None else (*pair, maps)
