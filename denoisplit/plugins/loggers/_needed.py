"""What loggers of optional packages share."""

import importlib.util
from pathlib import Path
from typing import Any

from denoisplit.core.errors import MissingPackageError
from denoisplit.core.training.logger import Logger


class PackageLogger(Logger):
    """A logger of numbers and pictures whose package, which is an extra of denoisplit, is ``package``.

    Raises:
        MissingPackageError: the package is missing; says how to install it.
    """

    takes_pictures = True
    package: str

    def __init__(self, options: Any, *, folder: Path) -> None:
        super().__init__(options, folder=folder)
        if importlib.util.find_spec(self.package) is None:
            raise MissingPackageError(
                f"training.loggers: {self.package} needs the package {self.package}, which is not installed. "
                f"Install it with: pip install 'denoisplit[{self.package}]'."
            )


class ServiceLogger(PackageLogger):
    """A logger whose records belong to a run of a service, which a resumed training continues."""

    _id: str | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the identifier of the run."""
        return {"id": self._id}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the run of a saved state."""
        self._id = state_dict["id"]
