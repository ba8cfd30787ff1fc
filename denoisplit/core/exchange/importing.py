"""Conversion of another program's checkpoint to a run folder."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from denoisplit.core.documents import show
from denoisplit.core.errors import CheckpointError
from denoisplit.core.exchange.architecture import Architecture, describe
from denoisplit.core.exchange.checkpoint import read_checkpoint
from denoisplit.core.exchange.config import ForeignConfig, read_config
from denoisplit.core.exchange.foreign_statistics import ForeignStatistics, read_statistics
from denoisplit.core.exchange.likelihood import Likelihood, describe_likelihood
from denoisplit.core.exchange.mixtures import require_same
from denoisplit.core.exchange.tensor_names import our_name, their_name
from denoisplit.core.exchange.weights import Weights, sort_tensors
from denoisplit.core.network.composer import compose
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import component_versions, parse_spec, resolve, to_yaml
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.spec.resolution import escape
from denoisplit.core.storage.atomic import write_text
from denoisplit.core.storage.bundle import Bundle, save_bundle
from denoisplit.core.storage.digests import file_hash
from denoisplit.core.storage.run_folder import RunFolder

_NOISE = "noise_model."


def import_network(
    checkpoint: Path,
    config: Path | Mapping[str, Any],
    folder: RunFolder,
    *,
    noise_models: Sequence[Path] = (),
    statistics: ForeignStatistics | None = None,
    channels: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> None:
    """Write a run folder with a network that denoiSplit, muSplit, HDN or CAREamics trained.

    Args:
        checkpoint: Lightning checkpoint or state dict.
        config: configuration of its training, a JSON or YAML file or plain values.
        folder: run folder to write; empty.
        noise_models: ``.npz`` files, one per channel or one for all; empty for those in the config or
            checkpoint.
        statistics: statistics of the training images; missing ones come from the config.
        channels: names of the target channels; empty for ``channel_1`` and so on.
        overrides: changes ``a.b=c`` to the spec derived from the config.

    Raises:
        RunError: the folder is not empty.
        CheckpointError: checkpoint, config, statistics and noise models do not belong to one network.
        NoiseModelError: a file is not a noise model.
        SpecError: the config cannot be read, or the overrides are invalid.
    """
    folder.require_free()
    where = str(checkpoint)
    read = read_checkpoint(checkpoint)
    settings = read_config(config)
    stats = read_statistics(statistics or ForeignStatistics(), settings)
    weights = sort_tensors(read.tensors, where)
    names = tuple(channels) or tuple(f"channel_{number + 1}" for number in range(stats.channels))
    if len(names) != stats.channels:
        raise CheckpointError(
            f"--channel: {len(names)} names for {stats.channels} target channels (got {', '.join(names)}). "
            f"Give one name, mean and standard deviation per channel."
        )
    architecture = describe(weights.shapes, settings)
    likelihood = describe_likelihood(
        weights.shapes, settings, weights.noise, noise_models, channels=stats.channels, where=where
    )
    spec = _spec(architecture, likelihood, settings, names, overrides)
    vse = compose(spec.model, stats, channels=spec.channels, patch=spec.training.patch)
    require_same(likelihood.mixtures, where)
    vse.load_state_dict(_state(vse, weights, likelihood, where), strict=True)
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.spec, to_yaml(spec))
    write_text(folder.log, "".join(f"{line}\n" for line in _report(checkpoint, settings)))
    save_bundle(
        folder,
        vse.eval(),
        Bundle(
            spec=spec,
            statistics=stats,
            noise_reports=(),
            calibration=None,
            components=component_versions(spec),
            data_fingerprint="",
            versions={name: version(name) for name in ("denoisplit", "torch")},
            steps=read.steps,
            best_step=read.steps,
            best_loss=None,
        ),
    )


_NOT_HERE: Final = "images-that-the-network-was-trained-on"


def _spec(
    architecture: Architecture,
    likelihood: Likelihood,
    config: ForeignConfig,
    channels: tuple[str, ...],
    overrides: Sequence[str],
) -> ResolvedSpec:
    """The spec of the experiment as far as known, without its images."""
    plain = {
        "spec_version": 1,
        "channels": list(channels),
        "data": {
            "train": {"use": "folder", "path": _NOT_HERE},
            "mixing": {"mode": "sum" if config.flag("input_is_sum", False) else "mean"},
        },
        "model": {
            "dimensions": architecture.dimensions,
            "encoder": architecture.encoder,
            "decoder": architecture.decoder,
            "noise_model": likelihood.noise_model,
            "kl_scheme": likelihood.kl_scheme,
        },
        "calibrator": {"use": "scale"},
        # In full precision, so that predictions equal those of the original program.
        "training": {"patch": architecture.patch, "precision": "float32"},
    }
    text = json.dumps(_escaped(plain), ensure_ascii=False)
    name = f"spec from {config.name}"
    return resolve(parse_spec(text, overrides, name=name, folder=Path.cwd()), installed_registry())


def _escaped(value: Any) -> Any:
    """The value with its texts escaped, so that no environment variable is looked up."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escape(value) if isinstance(value, str) else value


def _state(vse: VSE, weights: Weights, likelihood: Likelihood, where: str) -> dict[str, Tensor]:
    """The state of the network with the imported tensors.

    Raises:
        CheckpointError: names every tensor that is missing, unexpected, or of a wrong shape.
    """
    own = vse.state_dict()
    state = {name: tensor for name, tensor in own.items() if name.startswith(_NOISE)}
    expected = {name: tensor for name, tensor in own.items() if name not in state}
    unexpected: list[str] = []
    misshapen: list[str] = []
    for name, tensor in weights.network.items():
        ours = our_name(name, projects=weights.shapes.projects)
        if ours is None or ours not in expected:
            unexpected.append(name)
            continue
        wanted = expected[ours]
        if tensor.shape != wanted.shape:
            misshapen.append(f"{name}, got {list(tensor.shape)}, expected {list(wanted.shape)}")
        state[ours] = tensor.to(wanted.dtype)
    missing = [their_name(name) for name in expected if name not in state]
    problems = [
        f"{len(found)} {what}: {'; '.join(found)}"
        for what, found in (("missing", missing), ("unexpected", unexpected), ("of wrong shape", misshapen))
        if found
    ]
    if problems:
        raise CheckpointError(
            f"{where}: tensors do not fit the network of the config ({' - '.join(problems)}). "
            f"Give the whole state dict, and the config that this network was trained with."
        )
    return {**state, **likelihood.tensors}


def _report(checkpoint: Path, config: ForeignConfig) -> list[str]:
    """Lines for the log of the run folder."""
    lines = [f"imported from {checkpoint.absolute()} (sha256 {file_hash(checkpoint)}) and {config.name}"]
    assumed = [
        f"{config.key(setting)} = {show(value)}"
        for setting, value in (("analytic", False), ("encoder_dropout", 0.1), ("kl_weight", 1.0))
        if setting not in config
    ]
    if assumed:
        lines.append(f"assumed, which matters for further training only: {', '.join(assumed)}")
    if config.unused:
        lines.append(f"keys of the config that were not needed: {', '.join(config.unused)}")
    return lines
