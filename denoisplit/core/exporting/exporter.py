"""The base of the formats in which networks are exported."""

import importlib.util
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import attrs
import torch

from denoisplit.core.errors import MissingPackageError
from denoisplit.core.exporting.exported import Agreement
from denoisplit.core.exporting.exported_graph import ExportedGraph
from denoisplit.core.exporting.ports import Ports
from denoisplit.core.exporting.tracing import traced
from denoisplit.core.storage.bundle import Bundle


@attrs.frozen(kw_only=True)
class Trained:
    """A trained network, ready to be exported.

    Attributes:
        graph: the network as a function of tensors.
        ports: its inputs and outputs.
        bundle: the description of the run.
    """

    graph: ExportedGraph
    ports: Ports
    bundle: Bundle

    def program(self) -> torch.export.ExportedProgram:
        """The traced network.

        Raises:
            ExportError: it cannot be traced.
        """
        return traced(self.graph, self.ports)


class Exporter(ABC):
    """Writes networks in one format.

    Attributes:
        ending: ending of the file's name.
        packages: optional packages that it needs.
    """

    ending: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def write(self, trained: Trained, file: Path) -> Agreement:
        """Write a network to a file, and compare the file with the network.

        Raises:
            ExportError: this network cannot be written in this format.
        """

    @abstractmethod
    def recognise(self, beginning: bytes) -> bool:
        """Whether a file is of this format, by its first 64 KiB; others are not replaced."""

    def require_packages(self) -> None:
        """Refuse the export where a package is missing.

        Raises:
            MissingPackageError: names them.
        """
        missing = [name for name in self.packages if not _is_there(name)]
        if missing:
            raise MissingPackageError(
                f"export: this format needs packages that are not installed ({', '.join(missing)}). "
                f"Install them with: pip install 'denoisplit[export]'."
            )


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it
        return False
