"""Export of a trained network, in a format that is chosen by name."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from denoisplit.core.errors import ArgumentError, ExportError
from denoisplit.core.exporting.about import About
from denoisplit.core.exporting.bioimage_package import BioimagePackage
from denoisplit.core.exporting.exported import Exported
from denoisplit.core.exporting.exported_graph import exported_graph
from denoisplit.core.exporting.exporter import Exporter, Trained
from denoisplit.core.exporting.onnx_model import OnnxModel
from denoisplit.core.exporting.torch_program import TorchProgram
from denoisplit.core.given import shown
from denoisplit.core.network.vse import VSE
from denoisplit.core.staging import staged
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.storage.write_guards import require_name, require_ours, require_outside_runs

EXPORTERS: Final[Mapping[str, Callable[[About], Exporter]]] = {
    "bioimageio": BioimagePackage,
    "onnx": lambda _: OnnxModel(),
    "torch": lambda _: TorchProgram(),
}
"""Formats by name."""


def export(vse: VSE, bundle: Bundle, out: Path, file_format: str, about: About) -> Exported:
    """Write a network to a file; for arguments and errors, see ``Run.export``."""
    if file_format not in EXPORTERS:
        raise ArgumentError(
            f"file_format: must be one of {', '.join(EXPORTERS)} (got {shown(file_format)}). Choose one."
        )
    exporter = EXPORTERS[file_format](about)
    _require_file(out, exporter)
    exporter.require_packages()
    graph, ports = exported_graph(vse, bundle.spec.channels, bundle.mixed_bounds)
    trained = Trained(graph=graph, ports=ports, bundle=bundle)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / f"network{exporter.ending}"
        agreement = exporter.write(trained, made)
        with staged(out) as new:
            shutil.copyfile(made, new)
    return Exported(path=out, ports=ports, agreement=agreement)


def _require_file(out: Path, exporter: Exporter) -> None:
    if out.suffix != exporter.ending:
        raise ExportError(
            f"{out}: files of this format have names that end in {exporter.ending}. Choose such a name."
        )
    require_name(out)
    require_outside_runs(out)
    require_ours(out, "network", exporter.recognise)
