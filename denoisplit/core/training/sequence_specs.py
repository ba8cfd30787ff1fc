"""Specs of all runs of a sequence, from those of a denoiser and a splitter."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from denoisplit.core.documents import Node, node_of, show
from denoisplit.core.errors import SpecError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.channel_names import MIXED
from denoisplit.core.images.mixing import drawn_anew
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec import SpecTree, resolve, resolve_plain, unstructure
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.spec.resolution import escape
from denoisplit.core.spec.tree import merge
from denoisplit.core.spec.yaml_text import differences
from denoisplit.core.storage.sequence_folder import CHANNELS, CLEAN, SequenceFolder, file_name
from denoisplit.core.training.data.prepare import evaluation_fields, prepare
from denoisplit.core.training.starts.same_training import decisive, decisive_part, without_devices

PARTS: Final = ("train", "validation", "test")
_OWN_DATA: Final = ("noise_pairs", "statistics")


@attrs.frozen(kw_only=True)
class SequencePlan:
    """The specs of a sequence.

    Attributes:
        denoisers: specs by channel name, ``mixed`` last; each reads the noisy images of the splitter's spec.
        splitter: the given spec of the splitter, on noisy images.
    """

    denoisers: Mapping[str, ResolvedSpec]
    splitter: ResolvedSpec

    def to_json(self) -> dict[str, Any]:
        """Convert to plain values."""
        return {
            "denoisers": {name: _plain(spec) for name, spec in self.denoisers.items()},
            "splitter": _plain(self.splitter),
        }

    def differences_from(self, begun: Mapping[str, Any]) -> tuple[str, ...]:
        """Return where the stored plan of a sequence would give other results, as texts.

        Args:
            begun: what ``to_json`` gave, read back from a file.
        """
        stored = begun.get("denoisers")
        if not isinstance(stored, Mapping) or set(stored) != set(self.denoisers):
            return ("channels",)
        both = [(stored[name], spec, f"denoiser of {name}: ") for name, spec in self.denoisers.items()]
        return tuple(
            f"{where}{found}"
            for plain, spec, where in [*both, (begun.get("splitter"), self.splitter, "splitter: ")]
            for found in _differences(plain, spec)
        )


def _differences(stored: Any, spec: ResolvedSpec) -> tuple[str, ...]:
    read = stored if isinstance(stored, Mapping) else {}
    return differences(decisive_part(read, spec), decisive(spec))


def _plain(spec: ResolvedSpec) -> dict[str, Any]:
    plain: dict[str, Any] = unstructure(without_devices(spec))
    return plain


def plan_sequence(denoise: SpecTree, splitter: ResolvedSpec) -> SequencePlan:
    """Plan the denoisers: each has the spec ``denoise`` with the images and the seed of the splitter.

    Raises:
        SpecError: a spec asks for something that a sequence does not support.

    Source: Ashesh & Jug, denoiSplit, ECCV 2024 (HDN, then muSplit); method section 10.
    """
    problems = [*_problems_of_splitter(splitter), *_problems_of_denoiser(denoise.root)]
    if problems:
        raise SpecError(problems)
    data = unstructure(splitter)["data"]
    own = _entries(_entries(denoise.root).get("data"))
    shared = {key: value for key, value in data.items() if key not in _OWN_DATA}
    shared["recorded"] = list(splitter.channels)
    if "noise_pairs" not in own:
        shared["noise_pairs"] = data["noise_pairs"]
    denoisers = {}
    for name in (*splitter.channels, MIXED):
        over = {"channels": [name], "data": shared, "training": {"seed": splitter.training.seed}}
        root = merge(denoise.root, node_of(over, f"denoiser of {name}"))
        denoisers[name] = resolve(SpecTree(root, denoise.folder), installed_registry())
    nodes = max(one.training.nodes for one in (splitter, *denoisers.values()))
    if nodes > 1:
        problem = f"training.nodes: a sequence is trained on one host (got {nodes})."
        raise SpecError(f"{problem} Use training.devices.")
    return SequencePlan(denoisers=denoisers, splitter=splitter)


def parts_of(spec: ResolvedSpec) -> tuple[dict[str, tuple[Field, ...]], str]:
    """Read all fields of a spec as a training sees them, by split, and their common fingerprint."""
    data = prepare(spec)
    test = data.test if spec.data.test is None else evaluation_fields(spec)[1]
    return dict(zip(PARTS, (data.conditioned, data.validation, test), strict=True)), data.known.of_all


def on_denoised(
    spec: ResolvedSpec, folder: SequenceFolder, parts: Mapping[str, tuple[Field, ...]]
) -> ResolvedSpec:
    """Return the spec of the splitter on the denoised images in ``folder``, with denoised mixed images."""
    plain = unstructure(spec)
    data = plain["data"]
    statistics = dict(data["statistics"])
    if statistics["mixed"] == "auto" and spec.data.mixing.mode == "mean":
        statistics["mixed"] = "pooled"  # as for a mixed image that is made from the channels
    plain["data"] = {
        **{part: _folder(folder.images(part), parts[part], spec) for part in PARTS if parts[part]},
        "mixing": data["mixing"],
        "statistics": statistics,
        # Repeated exposures are not denoised.
        "noise_pairs": "auto" if data["noise_pairs"] == "repeats" else data["noise_pairs"],
    }
    return resolve_plain(plain, source="split")


def has_references(fields: tuple[Field, ...]) -> bool:
    """Whether all fields have a clean reference; a folder of images has them for all fields or none."""
    return all(field.clean is not None for field in fields)


def _folder(path: Path, fields: tuple[Field, ...], spec: ResolvedSpec) -> dict[str, Any]:
    return {
        "use": "folder",
        "path": escape(str(path.resolve())),
        "observed": f"*_{CHANNELS}.ome.tif",
        "mixed": f"*_{MIXED}.ome.tif",
        "clean": f"*_{CLEAN}.ome.tif" if has_references(fields) else "",
        "dimensions": spec.model.dimensions,
    }


def _problems_of_splitter(spec: ResolvedSpec) -> list[str]:
    problems = []
    if len(spec.channels) < 2:
        problems.append(
            f"$.channels: a sequence splits two or more channels (got {', '.join(spec.channels)}). "
            f"To denoise one, use 'denoisplit train'."
        )
    if MIXED in spec.channels:
        problems.append(f"$.channels: the mixed image is called '{MIXED}' here (got it twice). Rename one.")
    files = [file_name(name) for name in spec.channels]
    if len(set(files)) < len(files):
        problems.append(
            f"$.channels: the names are equal as folder names (got {', '.join(files)}). Rename one."
        )
    if spec.data.recorded:
        problems.append(
            f"$.data.recorded: it is for a single denoiser (got {', '.join(spec.data.recorded)}). Remove it."
        )
    once = "images are denoised once, before the splitter is trained"
    drawn = drawn_anew(spec.data.mixing, fresh=spec.data.degradation.fresh)
    problems += [
        f"$.data.{key}: {once} (got {str(value).lower()}). Remove it." for key, value in drawn.items()
    ]
    return problems


def _problems_of_denoiser(root: Node) -> list[str]:
    """Problems of a denoiser's spec: images, seed or channels that it must not have, with their places."""
    entries = _entries(root)
    problems = [
        f"{node.begin} $.data.{key}: the images come from the spec of the splitter. Remove it."
        for key, node in _entries(entries.get("data")).items()
        if key not in _OWN_DATA
    ]
    seed = _entries(entries.get("training")).get("seed")
    if seed is not None:
        problems.append(f"{seed.begin} $.training.seed: it comes from the spec of the splitter. Remove it.")
    channels = entries.get("channels")
    if channels is not None and isinstance(channels.value, tuple) and len(channels.value) != 1:
        problems.append(
            f"{channels.begin} $.channels: a denoiser has one channel (got {show(channels.value)} of "
            f"{len(channels.value)}). Leave channels out, or start from the preset hdn."
        )
    return problems


def _entries(node: Node | None) -> Mapping[str, Node]:
    return node.value if node is not None and isinstance(node.value, Mapping) else {}
