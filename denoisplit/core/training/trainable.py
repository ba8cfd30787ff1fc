"""Check whether a spec can be trained on this computer, without its images."""

from pathlib import Path

import torch

from denoisplit.core.devices import AUTO, choose_device
from denoisplit.core.errors import RunError, SpecError
from denoisplit.core.images.mixing import drawn_anew
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import DataSpec, ResolvedSpec, TrainingSpec
from denoisplit.core.storage.start_folder import require_known_start
from denoisplit.core.training.processes.seat import require_seats
from denoisplit.core.training.steps.descent import try_descent
from denoisplit.core.training.watchers.logged import loggers_of


def require_trainable(spec: ResolvedSpec, device: str = AUTO) -> torch.device:
    """Refuse a spec that a training would refuse before it reads an image.

    Args:
        spec: the experiment.
        device: device of the training; ``auto`` takes that of the spec.

    Returns:
        The device of that name.

    Raises:
        RunError, SpecError: no such device, or too few devices or patches.
        SpecError, RunError: no model has the name that the training starts from, or it is damaged.
        SpecError: recorded mixed images that are to be mixed anew.
        SpecError, BrokenPluginError: see ``try_descent``.
        MissingPackageError, BrokenPluginError: see ``loggers_of``.
    """
    _refuse_mixed_anew(spec.data)
    where = _device(spec.training, device)
    require_seats(spec.training, where)
    try_descent(spec.training)
    loggers_of(spec, Path())
    require_known_start(spec.training)
    return where


def require_all_axes(vse: VSE) -> None:
    """Refuse to train a network whose output lacks an axis of its input: no data set has such targets.

    Raises:
        SpecError: it makes one plane of a stack.
    """
    if vse.makes_a_plane:
        raise SpecError(
            f"$.model.encoder: the network makes one plane of a stack, and data sets have no such targets "
            f"(got {vse.spatial_rank} axes of images and {len(vse.stride)} of features). Use the encoder "
            f"ladder; its strides [1, 2, 2] keep the planes."
        )


def _refuse_mixed_anew(data: DataSpec) -> None:
    """Refuse what mixes every patch anew where the data set names files of recorded mixed images.

    Its option ``mixed`` names them. What only the images tell is found when they are read.
    """
    if getattr(data.train.options, "mixed", ""):
        drawn = drawn_anew(data.mixing, fresh=data.degradation.fresh)
        problem = "it makes a new mixed image for every patch, but data.train.mixed names recorded ones"
        found = [f"data.{key}: {problem} (got {value!r}). Remove one of them" for key, value in drawn.items()]
        if found:
            raise SpecError(found)


def _device(spec: TrainingSpec, asked: str) -> torch.device:
    if asked != AUTO:
        return choose_device(asked)
    try:
        return choose_device(spec.device)
    except RunError as error:
        raise SpecError(f"training.{error}") from error
