"""The sections about where a network comes from, and how to cite it."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from denoisplit.core.errors import DenoisplitError
from denoisplit.core.registry.bibliography import citations
from denoisplit.core.report.elements import Element, Facts, Section, Source, Text
from denoisplit.core.spec.records import ResolvedSpec, components
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.digests import file_hash
from denoisplit.core.storage.run_folder import RunFolder

_MEANING: Final = (
    "Everything that is needed to get the same network again: the spec with all defaults, the seeds, the "
    "versions and the identity of the images. Numbers of two runs may be compared if their images have one "
    "fingerprint."
)
_CITE: Final = (
    "Please cite the software and the methods that this network is made of. 'denoisplit cite SPEC' prints "
    "the same for any spec."
)
_TIME: Final = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.MULTILINE)
_PACKAGES: Final = ("denoisplit", "torch")
_LOG_LETTERS: Final = 60_000


def about_origin(folder: RunFolder, bundle: Bundle, device: str) -> Section:
    """Provenance of a run."""
    return Section(
        name="origin",
        title="Provenance",
        meaning=_MEANING,
        elements=tuple(_all(folder, bundle, device)),
    )


def about_citing(spec: ResolvedSpec) -> Section:
    """What to cite, as BibTeX."""
    try:
        found = citations(components(spec))
    except DenoisplitError as error:
        elements: tuple[Element, ...] = (Text(f"The citations could not be read: {error}", "quiet"),)
    else:
        entries = "\n\n".join(one.bibtex for one in found)
        told = (Text(f"{_title(one.bibtex)}: for {', '.join(one.cited_for)}.") for one in found)
        elements = (*told, Source("BibTeX", entries))
    return Section(name="citing", title="How to cite", meaning=_CITE, elements=elements)


def _all(folder: RunFolder, bundle: Bundle, device: str) -> Iterator[Element]:
    log = _text(folder.log)
    yield Facts(tuple(_facts(folder, bundle, device, log)))
    yield Facts(tuple((kind.replace("_", " "), f"{name} {one}") for kind, name, one in bundle.components))
    yield Source("The spec, with all defaults (spec.yaml)", _text(folder.spec) or "not there any more")
    yield Source("Messages of the training (train.log)", log[-_LOG_LETTERS:] or "not there any more")


def _facts(folder: RunFolder, bundle: Bundle, device: str, log: str) -> Iterator[tuple[str, str]]:
    spec, times = bundle.spec, _TIME.findall(log)
    yield "run", str(folder.path)
    if times:
        yield "trained", f"{times[0]} to {times[-1]}"
    yield "steps", f"{bundle.steps:,}; the weights are those of step {bundle.best_step:,}"
    yield "device of the training", bundle.device or "not recorded"
    yield "versions in training", ", ".join(f"{name} {one}" for name, one in bundle.versions.items())
    now = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield "this report", f"{now}, on {device}"
    yield "seeds", f"{spec.training.seed} (training), {spec.prediction.seed} (prediction)"
    yield "samples of a prediction", str(spec.prediction.samples)
    if bundle.start is None:
        yield "started from", "weights drawn at random"
    else:
        drawn = f", {len(bundle.start.drawn)} drawn anew" if bundle.start.drawn else ""
        yield (
            "started from",
            (
                f"{bundle.start.run}: {bundle.start.taken} tensors taken{drawn}; SHA-256 of its weights "
                f"{bundle.start.weights}"
            ),
        )
    yield "fingerprint of the training images", bundle.data_fingerprint or "trained elsewhere"
    yield "SHA-256 of the weights", file_hash(folder.weights)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _title(bibtex: str) -> str:
    """The title of a BibTeX entry; empty if there is none."""
    found = re.search(r"^\s*title\s*=\s*\{+(.*?)\}+,?\s*$", bibtex, re.MULTILINE)
    return "" if found is None else re.sub(r"[{}\\]", "", found[1])
