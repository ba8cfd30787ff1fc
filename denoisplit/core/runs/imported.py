"""Import of networks that other programs trained, for the Python API."""

from collections.abc import Mapping, Sequence
from typing import Any

from denoisplit.core.exchange.foreign_statistics import ForeignStatistics
from denoisplit.core.exchange.importing import import_network
from denoisplit.core.given import path_of, paths_of, texts_of
from denoisplit.core.prediction.outputs.result import PathLike
from denoisplit.core.runs.run import Run, load
from denoisplit.core.storage.run_folder import RunFolder


def import_checkpoint(
    checkpoint: PathLike,
    config: PathLike | Mapping[str, Any],
    out: PathLike,
    *,
    noise_models: Sequence[PathLike] = (),
    input_mean: float | None = None,
    input_std: float | None = None,
    target_mean: Sequence[float] = (),
    target_std: Sequence[float] = (),
    channels: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> Run:
    """Convert a network of denoiSplit, muSplit, HDN or CAREamics to a run folder.

    Args:
        checkpoint: Lightning checkpoint or state dict (.ckpt, .pt, .pth, .npz, .safetensors). Only tensors
            are read; nothing in it is executed.
        config: configuration of its training: a JSON or YAML file, or a mapping.
        out: run folder to write; must be empty or missing.
        noise_models: ``.npz`` files, one per channel or one for all.
        input_mean: mean subtracted from the mixed image in training, counts; None takes the config's.
        input_std: standard deviation that the mixed image was divided by, counts; None takes the config's.
        target_mean: mean of every target channel, counts; empty takes those of the config.
        target_std: standard deviation of every target channel, counts; empty takes those of the config.
        channels: names of the target channels; empty for ``channel_1`` and so on.
        overrides: changes ``a.b=c`` to the spec derived from the config.

    Raises:
        DenoisplitError: names what does not fit, and what to do.
    """
    folder = RunFolder(path_of(out, "out"))
    import_network(
        path_of(checkpoint, "checkpoint"),
        config if isinstance(config, Mapping) else path_of(config, "config"),
        folder,
        noise_models=paths_of(noise_models, "noise_models"),
        statistics=ForeignStatistics(
            input_mean=() if input_mean is None else (input_mean,),
            input_std=() if input_std is None else (input_std,),
            target_mean=target_mean,
            target_std=target_std,
        ),
        channels=texts_of(channels, "channels"),
        overrides=overrides,
    )
    return load(folder.path)
