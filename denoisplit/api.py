"""The Python API: train, load, build, predict, evaluate."""

from collections.abc import Sequence

from denoisplit.core.arrays import AnyArray
from denoisplit.core.assessment.scores import EvaluatedField, Scores
from denoisplit.core.devices import AUTO
from denoisplit.core.errors import ArgumentError, RunError
from denoisplit.core.given import items_of, path_of, require, require_function, shown
from denoisplit.core.main_guard import stop_in_worker
from denoisplit.core.network.composer import compose
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.notebook_bar import notebook_bar
from denoisplit.core.prediction.outputs.result import PathLike, Prediction
from denoisplit.core.prediction.progress import Progress, Stages
from denoisplit.core.runs import after_training
from denoisplit.core.runs.run import Run, load
from denoisplit.core.spec import load_spec
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.processes.seat import host_of
from denoisplit.core.training.watchers.watching import Watcher
from denoisplit.core.workable import load_workable

__all__ = [
    "AnyArray",
    "PathLike",
    "Prediction",
    "Progress",
    "Run",
    "build",
    "draw",
    "load",
    "train",
]


def train(
    spec: PathLike | ResolvedSpec,
    out: PathLike,
    *,
    overrides: Sequence[str] = (),
    resume: bool = False,
    stages: Stages = notebook_bar,
    watchers: Sequence[Watcher] = (),
    device: str = AUTO,
) -> Run:
    """Train a model from a spec and store it as a run folder, with a report (``report.html``) in it.

    Example::

        run = train("spec.yaml", "runs/first", overrides=["training.steps=2000"])
        run.predict("mixed.tif").save("split.ome.tif")

    Args:
        spec: file, or an already resolved spec.
        out: run folder to write; must be empty or missing unless ``resume``.
        overrides: ``a.b=c`` as on the command line.
        resume: continue an interrupted run.
        stages: shows progress: called with the name of a stage, such as "Training", it gives a context with
            the callback (done, total, note) for this stage. By default, a notebook shows a bar.
        watchers: observers of the training steps.
        device: device on which the network is trained and the run opened: ``cpu``, ``cuda``, ``cuda:1``,
            ``mps``; ``auto`` takes a CUDA GPU if there is one.

    Raises:
        DenoisplitError: says what is wrong and what to do.
        ArgumentError: an argument of a wrong type.
        RunError: this is not the first of several hosts, and the trained run is not on it.
    """
    stop_in_worker()
    require_function(stages, "stages")
    require(isinstance(resume, bool), "resume", resume, "True or False")
    items_of(watchers, Watcher, "watchers", "denoisplit.Watcher")
    folder = RunFolder(path_of(out, "out"))
    resolved = (
        spec
        if isinstance(spec, ResolvedSpec)
        else load_workable(
            path_of(spec, "spec"), overrides, device=device, resumed=folder.path if resume else None
        )
    )
    # The training modules take seconds to import.
    from denoisplit.core.training.fit import fit

    finished = resume and folder.is_finished and folder.report.is_file()
    fit(resolved, folder, resume=resume, stages=stages, watchers=watchers, device=device)
    if host_of(resolved.training) and not folder.is_run:
        raise RunError(
            f"{folder.path}: is on the first host only; this one took part in its training. Load it there."
        )
    run = load(folder.path, device=device)
    if not finished:
        after_training.report_after_training(folder, run.vse, run.bundle, stages)
    return run


def build(spec: PathLike | ResolvedSpec, *, stats: IntensityStats, overrides: Sequence[str] = ()) -> VSE:
    """Compose the untrained network of a spec.

    Args:
        spec: file, or an already resolved spec.
        stats: intensity statistics of the training images.
        overrides: ``a.b=c`` as on the command line.

    Raises:
        SpecError, PluginError, ChannelCountError: the spec cannot be built.
        ArgumentError: an argument is not a path, or not statistics.
    """
    if not isinstance(stats, IntensityStats):
        raise ArgumentError(
            f"stats: must be IntensityStats (got {shown(stats)}). Take those of a run: run.bundle.statistics."
        )
    resolved = spec if isinstance(spec, ResolvedSpec) else load_spec(path_of(spec, "spec"), overrides)
    return compose(resolved.model, stats, channels=resolved.channels, patch=resolved.training.patch)


def draw(path: PathLike, run: Run, field: EvaluatedField, scores: Scores) -> None:
    """Write a PNG of one field: mixed image, predictions, truth, std and the calibration curves."""
    from denoisplit.core.assessment.figure import demo_figure  # only figures need matplotlib

    demo_figure(
        path_of(path, "path"),
        mixed=field.mixed,
        predictions=field.mean,
        truth=field.truth,
        std=field.std,
        calibrated_std=field.calibrated_std,
        channel_names=run.spec.channels,
        scores=scores,
        title=f"{' + '.join(run.spec.channels)}: split and denoised in one step",
        pixel_size=field.pixel_size,
    )
