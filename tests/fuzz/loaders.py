"""Specs, registries, runs, noise models, checkpoints and tables, and how they are read."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import tifffile
import yaml

from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.manager import Offer
from denoisplit.core.registry.registry_file import builtin_manifest, read_manifest
from denoisplit.core.spec import parse_spec, preset_text, resolve, unstructure
from denoisplit.core.spec.resolution import load_spec
from denoisplit.core.storage.image_files import installed_formats
from denoisplit.core.training.sequence_specs import SequencePlan, plan_sequence
from denoisplit.plugins.datasets.manifest import Manifest
from tests.fuzz.engine import Sample, Target
from tests.fuzz.mutations import (
    Mutate,
    damaged,
    garbled,
    json_changed,
    npy_changed,
    safetensors_changed,
    zip_changed,
)

_SPEC: Final = """\
spec_version: 1
preset: denoisplit
channels: [a, b]
data:
  train: {use: folder, path: train, observed: "*.tif"}
  mixing: {mode: sum, alpha: [[0.5, 0.5], [0.5, 0.5]]}
model:
  encoder: {levels: 2, width: 4}
  decoder: {latent_channels: 2}
  noise_model:
    - {use: gaussian}
    - {use: gaussian_mixture, components: 2, fit_steps: 3}
training: {patch: 16, steps: 10, channel_weights: [1, 2.5]}
prediction: {samples: 3}
"""
_SHORT: Final = "{preset: denoisplit, channels: [a, b], data: {train: {use: simulated}}}"
_SETS: Final = (
    *(
        "training.steps=10",
        "model.encoder={use: ladder, levels: 2}",
        "data.mixing.alpha=[[0.1, 0.9], [0.5, 0.5]]",
    ),
    *("channels=[a, b, c]", "preset=hdn", "model.noise_model.use=gaussian", "training.learning_rate=1e-3"),
)


def _one(name: str, mutate: Mutate, content: bytes, **beside: bytes) -> Sample:
    files = {name: content, **{key.replace("__", "."): value for key, value in beside.items()}}
    return Sample(files, {name: mutate}, name)


def _texts(name: str, mutate: Mutate, *contents: str) -> Callable[[Path], Sequence[Sample]]:
    return lambda _: [_one(name, mutate, content.encode()) for content in contents]


def _read_spec(path: Path) -> None:
    unstructure(load_spec(path))


def _set(path: Path) -> None:
    override = path.read_bytes().decode("utf-8", "surrogateescape")
    resolve(parse_spec(_SHORT, [override]), installed_registry())


def _register(path: Path) -> None:
    manifest = read_manifest(path)
    manifest.denoisplit_register(Offer("fuzz", "1"))


def _rows() -> tuple[str, str]:
    rows = yaml.safe_load(builtin_manifest().read_text("utf-8"))[:4]
    return json.dumps(rows), yaml.safe_dump({"plugin_api": ">=1,<2", "components": rows})


@cache
def _run() -> tuple[bytes, bytes]:
    """Description and weights of an untrained run."""
    import tempfile

    from denoisplit.core.storage.bundle import save_bundle
    from denoisplit.core.storage.run_folder import RunFolder
    from tests.storage.test_bundle import untrained

    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        small = ("model.encoder.levels=1", "model.encoder.width=2", "model.encoder.blocks=1")
        save_bundle(folder, *untrained("model.noise_model={use: gaussian}", *small))
        return folder.bundle.read_bytes(), folder.weights.read_bytes()


def _runs(mutated: str, mutate: Mutate) -> Callable[[Path], Sequence[Sample]]:
    def samples(_: Path) -> Sequence[Sample]:
        description, weights = _run()
        whole = {"model.json": description, "model.safetensors": weights}
        open_to_changes = {"model.json": _without_digest(description), "model.safetensors": _bare(weights)}
        early = Sample(open_to_changes, {mutated: mutate}, ".")
        return [Sample(whole, {mutated: mutate}, "."), *[early] * 9]

    return samples


def _without_digest(description: bytes) -> bytes:
    """As early versions wrote it: a digest would tell of every change before anything else is looked at."""
    plain = json.loads(description)
    del plain["sha256"]
    return json.dumps(plain).encode()


def _bare(weights: bytes) -> bytes:
    from safetensors.torch import load, save

    return save(load(weights))


def _weights(_: Path) -> Sequence[Sample]:
    whole = _run()[1]
    return [_one("a.safetensors", safetensors_changed, content) for content in (whole, *[_bare(whole)] * 9)]


def _read_weights(path: Path) -> None:
    from denoisplit.core.storage.states import load_weights

    load_weights(path)


def _resume(_: Path) -> Sequence[Sample]:
    import io

    import torch

    from denoisplit.core.storage.digests import sealed

    content = io.BytesIO()
    torch.save({"state_dict": {"a": torch.ones(3)}, "loops": {"step": 7}, "callbacks": {"x": [1.5]}}, content)
    kinds = {"sealed.ckpt": sealed(content.getvalue()), "early.ckpt": content.getvalue()}
    return [
        *(_one(name, zip_changed(damaged), whole) for name, whole in kinds.items() if name == "early.ckpt"),
        *(_one(name, damaged, whole) for name, whole in kinds.items()),
    ]


def _read_resume(path: Path) -> None:
    from denoisplit.core.storage.states import load_state

    load_state(path)


def _load(path: Path) -> None:
    from denoisplit.core.storage.bundle import load_bundle
    from denoisplit.core.storage.run_folder import RunFolder

    load_bundle(RunFolder(path))


def _mixture(folder: Path) -> Sequence[Sample]:
    from denoisplit.plugins.noise_models.exchange import ChannelMixture, write_mixture

    folder.mkdir(parents=True, exist_ok=True)
    write_mixture(folder / "a.npz", ChannelMixture(np.ones((6, 3)), 1.0, 900.0, 50.0))
    return [_one("a.npz", zip_changed(npy_changed), (folder / "a.npz").read_bytes())]


def _read_mixture(path: Path) -> None:
    from denoisplit.plugins.noise_models.exchange import read_mixture

    read_mixture(path)


def _histogram(folder: Path) -> Sequence[Sample]:
    from denoisplit.plugins.noise_models.histogram_table import ChannelTable, write_table

    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "a.npy", ChannelTable(np.full((4, 4), 0.25), 0.0, 100.0))
    return [_one("a.npy", npy_changed, (folder / "a.npy").read_bytes())]


def _read_histogram(path: Path) -> None:
    from denoisplit.plugins.noise_models.histogram_table import read_table

    read_table(path)


def _checkpoints(folder: Path) -> Sequence[Sample]:
    """Ladder networks by the names of the reference, in every kind of file."""
    import torch
    from safetensors.torch import save_file

    from denoisplit.core.exchange.tensor_names import their_name
    from tests.storage.test_bundle import untrained

    vse, _ = untrained("model.noise_model={use: gaussian}", "model.encoder.width=2", "model.encoder.levels=1")
    state = {
        their_name(name): tensor.clone().contiguous()
        for name, tensor in vse.state_dict().items()
        if not name.startswith("noise_model.")
    }
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state, "global_step": 7}, folder / "a.ckpt")
    torch.save(state, folder / "b.pt", _use_new_zipfile_serialization=False)
    save_file(state, folder / "c.safetensors")
    np.savez(folder / "d.npz", allow_pickle=False, **{name: tensor.numpy() for name, tensor in state.items()})
    ways = {
        "a.ckpt": zip_changed(damaged),
        "b.pt": damaged,
        "c.safetensors": safetensors_changed,
        "d.npz": zip_changed(npy_changed),
    }
    return [_one(name, mutate, (folder / name).read_bytes()) for name, mutate in ways.items()]


def _read_checkpoint(path: Path) -> None:
    from denoisplit.core.exchange.checkpoint import read_checkpoint
    from denoisplit.core.exchange.weights import sort_tensors

    sort_tensors(read_checkpoint(path).tensors, str(path))


def _networks(folder: Path) -> Sequence[Sample]:
    """A network of another program with the config that belongs to it."""
    config = json.loads(json.dumps(_CONFIG))
    config["model"]["z_dims"] = [2]
    config["data"]["image_size"] = 16
    for part in ("encoder", "decoder"):
        config["model"][part]["n_filters"] = 2
    safetensors = _checkpoints(folder)[2]
    files = {"a.safetensors": safetensors.files["c.safetensors"], "a.json": json.dumps(config).encode()}
    return [Sample(files, {"a.safetensors": safetensors_changed, "a.json": json_changed}, ".")]


def _import(path: Path) -> None:
    import tempfile

    from denoisplit.core.exchange.importing import import_network
    from denoisplit.core.storage.run_folder import RunFolder

    with tempfile.TemporaryDirectory(dir=path) as name:
        import_network(path / "a.safetensors", path / "a.json", RunFolder(Path(name)))


_CONFIG: Final = {
    "data": {"image_size": 64, "multiscale_lowres_count": None, "input_is_sum": False},
    "loss": {"free_bits": 1.0, "kl_weight": 1.0},
    "statistics": {"input_mean": 1.0, "input_std": 2.0, "target_mean": [1.0, 2.0], "target_std": [1.0, 2.0]},
    "model": {
        "z_dims": [8, 8],
        "encoder": {"n_filters": 8, "blocks_per_layer": 1, "dropout": 0.1},
        "decoder": {"n_filters": 8, "blocks_per_layer": 1, "dropout": 0.1},
        "analytical_kl": False,
        "var_clip_max": 20,
        "predict_logvar": "pixelwise",
        "logvar_lowerbound": -5,
        "enable_noise_model": False,
        "multiscale_retain_spatial_dims": True,
    },
}


def _read_config(path: Path) -> None:
    from denoisplit.core.exchange.architecture import describe
    from denoisplit.core.exchange.config import read_config
    from denoisplit.core.exchange.foreign_statistics import ForeignStatistics, read_statistics
    from denoisplit.core.exchange.weights import Shapes

    config = read_config(path)
    read_statistics(ForeignStatistics(), config)
    shapes = Shapes(
        latent_channels=(8, 8),
        encoder_width=8,
        decoder_width=8,
        encoder_blocks=1,
        decoder_blocks=1,
        scales=1,
        own_context_blocks=False,
        out_maps=2,
        rank=2,
        top_prior=(16, 16),
        projects=False,
        old_output=False,
    )
    describe(shapes, config)


def _table(folder: Path) -> Sequence[Sample]:
    import io

    files = {}
    for name in ("a.tif", "b.tif"):
        made = io.BytesIO()
        tifffile.imwrite(made, np.arange(30, dtype=np.uint16).reshape(6, 5), metadata=None)
        files[name] = made.getvalue()
    del folder
    lines = (
        "field,channel,file,kind,split\none,mito,a.tif,,train\none,actin,b.tif,observed,train\n"
        "two,mito,b.tif\ntwo,actin,a.tif"
    )
    texts = (lines, lines.replace(",", ";").replace("\n", "\r\n"), f"sep=\t\n{lines}".replace(",", "\t"))
    return [
        Sample({**files, "manifest.csv": text.encode()}, {"manifest.csv": garbled}, ".") for text in texts
    ]


def _read_table(path: Path) -> None:
    dataset = Manifest(Manifest.Options(path=path), channels=("mito", "actin"), formats=installed_formats())
    dataset.fields()


@cache
def _plan() -> SequencePlan:
    splitter = resolve(parse_spec(_SHORT, ["data.mixing={mode: sum}"]), installed_registry())
    return plan_sequence(parse_spec("preset: hdn"), splitter)


def _sequence(_: Path) -> Sequence[Sample]:
    record = json.dumps({"format": 1, **_plan().to_json()}).encode()
    return [Sample({"sequence.json": record}, {"sequence.json": json_changed}, ".")]


def _read_sequence(path: Path) -> None:
    from denoisplit.core.storage.sequence_folder import SequenceFolder

    SequenceFolder(path).require_same(_plan().differences_from)


LOADERS: Final[Sequence[Target]] = (
    Target(
        "spec",
        lambda _: [
            _one("spec.yaml", garbled, _SPEC.encode()),
            _one(
                "spec.yaml",
                garbled,
                f"{preset_text('microsplit')}\ndata: {{train: {{use: simulated}}}}\n".encode(),
            ),
            _one("spec.yaml", json_changed, json.dumps(yaml.safe_load(_SPEC)).encode()),
        ],
        _read_spec,
    ),
    Target("set", _texts("set.txt", garbled, *_SETS), _set),
    Target(
        "registry",
        lambda _: [
            _one("registry.yaml", json_changed, _rows()[0].encode()),
            _one("registry.yaml", garbled, _rows()[1].encode()),
        ],
        _register,
    ),
    Target("manifest", _table, _read_table),
    Target("sequence", _sequence, _read_sequence),
    Target("model_json", _runs("model.json", json_changed), _load),
    Target("run_weights", _runs("model.safetensors", safetensors_changed), _load),
    Target("weights", _weights, _read_weights),
    Target("resume_point", _resume, _read_resume),
    Target("noise_npz", _mixture, _read_mixture),
    Target("histogram", _histogram, _read_histogram),
    Target("checkpoint", _checkpoints, _read_checkpoint),
    Target("import", _networks, _import),
    Target("foreign_config", _texts("config.json", json_changed, json.dumps(_CONFIG)), _read_config),
)
