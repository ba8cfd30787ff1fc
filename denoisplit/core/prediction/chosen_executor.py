"""Choice of the executor by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from denoisplit.core.documents import node_of, read_document
from denoisplit.core.errors import SpecError
from denoisplit.core.main_guard import stop_in_worker
from denoisplit.core.prediction.executor import Executor
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.records import Chosen
from denoisplit.core.spec.structure import Structurer
from denoisplit.core.spec.tree import USE

DEFAULT: Final = "threads"
_WHERE: Final = "executor"


def chosen_executor(wanted: str | Mapping[str, Any] | Executor) -> Executor:
    """Build an executor from its description in a spec; return one that is built already.

    Args:
        wanted: a name, or a mapping with ``use`` and options, also as text: ``{use: dask, scheduler: ...}``;
            threads where it is empty.

    Raises:
        SpecError: there is no such executor, or it does not take these options.
        MissingPackageError: it needs a package that is not installed.
        BrokenPluginError: it cannot be imported or built.
    """
    if isinstance(wanted, Executor):
        return wanted
    text = isinstance(wanted, str)
    node = read_document(str(wanted or DEFAULT), _WHERE) if text else node_of(wanted, _WHERE)
    if isinstance(node.value, str):
        node = node_of({USE: node.value}, _WHERE)
    structurer = Structurer(installed_registry(), Path())
    chosen = structurer.value(node, Chosen, "$", _WHERE)
    if structurer.problems:
        raise SpecError(structurer.problems)
    executor: Executor = chosen.build()
    return executor


def executor_to_start(wanted: str | Mapping[str, Any] | Executor) -> Executor:
    """Return the chosen executor, for a prediction that starts it; end a worker that would start workers.

    Raises:
        SpecError, MissingPackageError, BrokenPluginError: see ``chosen_executor``.
    """
    executor = chosen_executor(wanted)
    if executor.elsewhere:
        stop_in_worker()
    return executor
