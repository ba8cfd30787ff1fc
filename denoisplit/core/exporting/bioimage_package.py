"""Export as a package for the BioImage Model Zoo (bioimage.io)."""

from __future__ import annotations

import re
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from denoisplit.core.errors import ExportError, in_one_line
from denoisplit.core.exporting.about import About
from denoisplit.core.exporting.bioimage_page import page
from denoisplit.core.exporting.demonstration import Demonstration, cover, demonstration
from denoisplit.core.exporting.exported import Agreement
from denoisplit.core.exporting.exported_details import exported_details
from denoisplit.core.exporting.exporter import Exporter, Trained
from denoisplit.core.exporting.onnx_model import PACKAGES, save_onnx
from denoisplit.core.exporting.ports import Ports
from denoisplit.core.exporting.torch_program import ARCHIVE
from denoisplit.core.exporting.tracing import quiet
from denoisplit.core.registry.bibliography import citations
from denoisplit.core.spec import components
from denoisplit.core.storage.bundle import Bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from bioimageio.spec.model.v0_5 import ModelDescr

_LARGEST_TEST: Final = 1 << 26
"""Bytes of the inputs of a test, of which a package with a halo needs one of twice the halo and more."""

_DOI: Final = re.compile(r"doi\s*[=:]\s*\{?\s*(10\.\d{4,}/[^\s}]+)")
_TITLE: Final = re.compile(r"\btitle = \{(.*?)\},?\n")
_LONGEST_TITLE: Final = 64
_WORDS: Final[dict[Any, str]] = {
    "name": "--title",
    "description": "--description",
    "license": "--license",
    "authors": "--author",
}
"""Fields of the description to the options that set them."""


@attrs.frozen
class BioimagePackage(Exporter):
    """Writes a zip with description, ONNX weights, test tensors, cover and page."""

    about: About

    ending = ".zip"
    packages = (*PACKAGES, "bioimageio.spec", "bioimageio.core")

    def recognise(self, beginning: bytes) -> bool:
        """See ``Exporter.recognise``."""
        return beginning.startswith(ARCHIVE) and b"cover.png" in beginning

    def write(self, trained: Trained, file: Path) -> Agreement:
        """Write the package; raises as ``Exporter.write``, or if authors or licence are missing."""
        # pydantic builds hundreds of classes when it is imported.
        from denoisplit.core.exporting import bioimage_description as describing

        about, ports = _said(self.about, trained.ports), trained.ports
        halo, least = _tiles(ports)
        shown = demonstration(trained.graph, ports, least, about.image)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            text = page(ports, trained.bundle, about, least=least, halo=halo)
            (folder / describing.PAGE).write_text(text, encoding="utf-8")
            (folder / describing.COVER).write_bytes(cover(shown, ports))
            for name, tensor in _named(shown, ports):
                np.save(folder / describing.tensor_file(name), tensor.numpy())
            describe = partial(
                describing.description,
                ports,
                about=about,
                folder=folder,
                least=least,
                halo=halo,
                cited=_cited(trained.bundle),
            )
            (folder / describing.ONNX).touch()
            _checked(partial(describe, {}), files=False)  # wrong words are told before the long part
            found = save_onnx(trained, folder / describing.ONNX)
            details = exported_details(ports, trained.bundle, found)
            _packed(_checked(partial(describe, details), files=True), file)
        return found


def _said(about: About, ports: Ports) -> About:
    """The texts, completed.

    Raises:
        ExportError: authors or licence are missing.
    """
    for option, given in (("--license", about.license), ("--author", about.authors)):
        if not given:
            raise ExportError(
                f"export: bioimage.io asks for {option}, which was not given. Add for example "
                f"--license CC-BY-4.0 --author 'Ada Lovelace'."
            )
    split = " and ".join(ports.channels)
    title = re.sub(r"[^A-Za-z0-9_+\- ()]", " ", f"denoisplit {' + '.join(ports.channels)}")[:_LONGEST_TITLE]
    sentence = f"Splits a superimposed fluorescence image into {split}, and denoises them in the same step."
    return attrs.evolve(about, title=about.title or title, description=about.description or sentence)


def _tiles(ports: Ports) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    """Halo of tiles, and smallest sides of an image.

    The format wants a test of an image of which the halo leaves something. Where that is too large, no halo
    is stated, and images are predicted whole.
    """
    if ports.halo is None:
        return None, ports.least
    least = tuple(2 * halo + step for halo, step in zip(ports.halo, ports.step, strict=True))
    numbers = sum(int(np.prod(one.shape(1, least))) for one in ports.noise) + int(np.prod(least))
    if numbers * np.dtype(np.float32).itemsize > _LARGEST_TEST:
        return None, ports.least
    return ports.halo, least


def _named(shown: Demonstration, ports: Ports) -> list[tuple[str, Any]]:
    return [
        *zip(ports.inputs, shown.inputs, strict=True),
        *zip(ports.outputs, shown.outputs, strict=True),
    ]


def _cited(bundle: Bundle) -> dict[str, str]:
    """Titles of what is to be cited to their DOIs; entries without a DOI are on the page alone."""
    found = {}
    for one in citations(components(bundle.spec)):
        doi, title = _DOI.search(one.bibtex), _TITLE.search(one.bibtex)
        if doi and title:
            found[re.sub(r"[{}$\\]", "", title[1])] = doi[1]
    return found


def _checked(describe: Callable[[], ModelDescr], *, files: bool) -> ModelDescr:
    """The description, checked with or without the content of its files.

    Raises:
        ExportError: a word is not as the format demands.
    """
    from bioimageio.spec import ValidationContext
    from pydantic import ValidationError

    try:
        with quiet(), ValidationContext(log_warnings=False, perform_io_checks=files):
            return describe()
    except ValidationError as error:
        wrong = [one for one in error.errors() if one["loc"][:1] and one["loc"][0] in _WORDS]
        if not wrong:
            raise
        option = _WORDS[wrong[0]["loc"][0]]
        raise ExportError(
            f"export: bioimage.io does not take this {option} "
            f"(got {wrong[0]['input']!r:.80}: {in_one_line(wrong[0]['msg'])}). Give another."
        ) from error


def _packed(described: ModelDescr, file: Path) -> None:
    from bioimageio.spec import save_bioimageio_package

    with quiet():
        save_bioimageio_package(described, output_path=file)
