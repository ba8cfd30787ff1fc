"""Posterior samples of an image of any size, and what is made of them.

The encoder runs once per tile, the decoder once per tile and sample. Noise belongs to places of the image, so
the result does not depend on tiles, batches or workers.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from denoisplit.core.network.interfaces import FloatArray
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.passes import Passes, evaluating
from denoisplit.core.prediction.progress import Progress
from denoisplit.core.prediction.seams import Seams, measure_seams
from denoisplit.core.prediction.summaries import Images, Summary
from denoisplit.core.prediction.tilewise import Visit, plan, predict_tiles
from denoisplit.core.prediction.tiling import Tile


@attrs.frozen(kw_only=True)
class Posterior:
    """What was made of the posterior samples of one image.

    Attributes:
        mean: [c (z) y x], counts.
        std: unbiased, [c (z) y x], counts; None for a single sample, which has no spread.
        samples: number of samples.
        images: of the summaries that were asked for, [c (z) y x] by name.
        seams: whether tiles show in the mean; None without borders between tiles.
    """

    mean: FloatArray = attrs.field(eq=False, repr=False)
    std: FloatArray | None = attrs.field(eq=False, repr=False)
    samples: int
    images: Images = attrs.field(factory=dict, eq=False, repr=False)
    seams: Seams | None = None


def predict(
    vse: VSE,
    mixed: npt.NDArray[Any],
    *,
    samples: int,
    seed: int,
    tile: int = 0,
    sample_batch: int = 0,
    halo: tuple[int, ...] | None = None,
    workers: int = 1,
    summaries: Sequence[Summary] = (),
    progress: Progress | None = None,
    visit: Visit | None = None,
) -> Posterior:
    """Mean and spread of the posterior of an image, and what else is asked for.

    Samples pass by: the memory for mean and std does not grow with their number.

    Args:
        vse: the network; it is in evaluation mode while this runs.
        mixed: image [(z) y x] of any size, counts.
        samples: posterior samples, at least 1.
        seed: of the latent noise field.
        tile: side of the area that one pass predicts, pixels; rounded up to a multiple of the stride. 0 takes
            the whole image if it fits into memory, else the largest tile that does. Changes speed, not the
            result.
        sample_batch: posterior samples per pass on a GPU; 0 chooses from the memory. A processor takes one at
            a time. Changes speed, not the result.
        halo: pixels per spatial axis that a tile needs around it; None measures it (``receptive_field.halo``)
            if the image needs more than one tile. Pass it when predicting many images in tiles.
        workers: tiles predicted at the same time, each by a thread of its own that shares the network; the
            memory is divided among them. Changes speed, not the result.
        summaries: what else to make of the samples; see ``summaries``.
        progress: told after every sample of every tile.
        visit: shown every sample of every tile, by the thread of its worker, for what the moments do not
            tell.

    Returns:
        Arrays of the dtype of the network's output (float32; float64 for a float64 network).

    Raises:
        ImageError: the image has another number of axes than the network, or no pixels.
        SpecError: fewer than one sample or worker.
        PluginError: tiles are needed, but the network, or a noise model that a summary asks, looks at the
            whole image.
    """
    whole: dict[str, FloatArray] = {}

    def put(tile: Tile, images: Images) -> None:
        for name, image in images.items():
            if name not in whole:
                whole[name] = np.empty((len(image), *mixed.shape), dtype=image.dtype)
            whole[name][:, *tile.inner.slices] = image

    passes = plan(
        vse,
        mixed,
        samples=samples,
        seed=seed,
        tile=tile,
        sample_batch=sample_batch,
        halo=halo,
        workers=workers,
        summaries=summaries,
    )
    predict_tiles(
        passes, put, samples=samples, workers=workers, summaries=summaries, progress=progress, visit=visit
    )
    mean, std = whole.pop("mean"), whole.pop("std", None)
    return Posterior(
        mean=mean, std=std, samples=samples, images=whole, seams=measure_seams(mean, passes.tiles)
    )


def draw_samples(
    vse: VSE,
    mixed: npt.NDArray[Any],
    *,
    samples: int,
    seed: int,
    first: int = 0,
    tile: int = 0,
    sample_batch: int = 0,
    halo: tuple[int, ...] | None = None,
) -> FloatArray:
    """Posterior samples of an image, for a look at them; the same ones that ``predict`` averages.

    Args:
        vse: the network.
        mixed: image [(z) y x] of any size, counts.
        samples: how many.
        seed: of the latent noise field.
        first: number of the first sample.
        tile: see ``predict``.
        sample_batch: see ``predict``.
        halo: see ``predict``.

    Returns:
        [s c (z) y x], counts.

    Raises:
        ImageError, SpecError, PluginError: see ``predict``.
    """
    with evaluating(vse):
        passes = Passes.plan(vse, mixed, samples, seed, tile=tile, sample_batch=sample_batch, halo=halo)
        out = passes.empty(samples)
        for part in passes.tiles:
            for i, draw in enumerate(passes.draws(part, range(first, first + samples))):
                out[i][:, *part.inner.slices] = draw.signal
    return out
