"""Optional packages that loggers need."""

import importlib.util

from denoisplit.core.errors import MissingPackageError


def require_package(name: str) -> None:
    """Refuse a logger whose package, which is an extra of denoisplit, is not installed.

    Raises:
        MissingPackageError: the package is missing; says how to install it.
    """
    if importlib.util.find_spec(name) is None:
        raise MissingPackageError(
            f"training.loggers: {name} needs the package {name}, which is not installed. "
            f"Install it with: pip install 'denoisplit[{name}]'."
        )
