"""Export as a program of torch.export (.pt2), which PyTorch runs without denoisplit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from denoisplit.core.exporting.agreement import agreement
from denoisplit.core.exporting.exported import Agreement
from denoisplit.core.exporting.exported_details import KEY, as_text, exported_details
from denoisplit.core.exporting.exporter import Exporter, Trained
from denoisplit.core.exporting.tracing import quiet

ARCHIVE: Final = b"PK\x03\x04"
"""First bytes of a zip, which a program is, too."""

_HEADER: Final = 100

_DETAILS: Final = f"{KEY}.json"


class TorchProgram(Exporter):
    """Writes a ``.pt2`` file; ``denoisplit.json`` in it has the details."""

    ending = ".pt2"

    def recognise(self, beginning: bytes) -> bool:
        """See ``Exporter.recognise``."""
        return beginning.startswith(ARCHIVE) and b"/data/weights/" in beginning[:_HEADER]

    def write(self, trained: Trained, file: Path) -> Agreement:
        """Write the file; raises as ``Exporter.write``."""
        program = trained.program()

        def run(inputs: tuple[Tensor, ...]) -> Sequence[Tensor]:
            with torch.inference_mode():
                found: Sequence[Tensor] = program.module()(*inputs)
            return found

        found = agreement(trained.graph, trained.ports, run)
        details = as_text(exported_details(trained.ports, trained.bundle, found))
        with quiet():
            torch.export.save(program, file, extra_files={_DETAILS: details})
        return found
