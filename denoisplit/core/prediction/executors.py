"""The executor that was asked for."""

import attrs

from denoisplit.core.errors import SpecError, UnknownComponentError
from denoisplit.core.prediction.executor import Executor
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import Chosen

DEFAULT = "threads"


def chosen_executor(wanted: str | Chosen) -> Executor:
    """An executor by name, ``package/name``, or with options; threads where none is asked for.

    Raises:
        SpecError: there is no such executor, or it needs options.
        MissingPackageError: it needs a package that is not installed.
        BrokenPluginError: it cannot be imported or built.
    """
    if isinstance(wanted, Chosen):
        given: Executor = wanted.build()
        return given
    registry = installed_registry()
    try:
        row = registry.find("executor", wanted or DEFAULT)
    except UnknownComponentError as error:
        known = ", ".join(sorted(one.name for one in registry.components("executor")))
        problem = f"prediction: there is no such executor (got {wanted}). Use one of {known}."
        raise SpecError([problem]) from error
    options = row.load().Options
    needed = [field.alias for field in attrs.fields(options) if field.default is attrs.NOTHING]
    if needed:
        problem = f"prediction: the executor {wanted} needs options (got no {', '.join(needed)}). Give them."
        raise SpecError([problem])
    found: Executor = Chosen(component=row, options=options()).build()
    return found
