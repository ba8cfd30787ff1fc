"""Training with compiled blocks, if there is a compiler."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn

from denoisplit.core.devices import is_shortage
from denoisplit.core.network.compiled_block import CompiledBlock, Pass

_LOG = logging.getLogger("denoisplit.training")

Backend = str | Callable[..., Any]
"""Backend of ``torch.compile``."""

BLOCK_SHAPES: Final = 64
"""Number of shapes of blocks of one class that are compiled before torch gives up; its own limit, 8, is too
low for a deep hierarchy."""

_INSIDE_TORCH: Final = r"torch\.(_\w+|fx|jit|utils)\b"

_FAILURES: Final = (RuntimeError, AssertionError, TypeError, OSError, ImportError)
"""Errors that compilers raise: torch's own are of the first class; a machine without a compiler, or without
a place for its results, raises the others. Errors that have nothing to do with the compiler come again when
the pass runs without one."""


@contextmanager
def compiled_blocks(network: nn.Module, *, backend: Backend = "inductor") -> Iterator[None]:
    """Context in which all blocks of a network train with compiled passes.

    A block is compiled at its first pass. Blocks of one shape share the result, so that compiling them takes
    far less time than a whole network. After the first failure, every block continues without a compiler.
    """
    # These imports take seconds; they are only needed to compile.
    from torch._dynamo import config as tracing
    from torch._inductor import config as inductor

    blocks = _outermost(network)
    if not blocks:
        _LOG.warning("training.compile: this network has no part that can be compiled")

    def give_up(error: Exception) -> None:
        _release(blocks)
        cause = getattr(error, "inner_exception", error)
        _LOG.warning(
            "training.compile: the compiler failed, training goes on without it (%s: %s)",
            type(cause).__name__,
            str(cause).strip().partition("\n")[0],
        )

    with warnings.catch_warnings():
        # Compilers warn about torch's own internals.
        warnings.filterwarnings("ignore", module=_INSIDE_TORCH)
        # Draw from torch's generators as without a compiler, so that dropout stays the same.
        with tracing.patch(recompile_limit=BLOCK_SHAPES), inductor.patch(fallback_random=True):
            for block in blocks:
                block.use(_attempt(block, backend, give_up))
            try:
                yield
            finally:
                _release(blocks)


def _attempt(block: CompiledBlock, backend: Backend, give_up: Callable[[Exception], None]) -> Pass:
    """Return the compiled pass of a block, which falls back to its recorded one if it fails."""
    compiled: Pass = torch.compile(block.recorded, dynamic=False, backend=backend)

    def attempt(*maps: Tensor) -> Tensor:
        try:
            return compiled(*maps)
        except _FAILURES as error:
            if is_shortage(error):
                raise
            give_up(error)
            return block.recorded(*maps)

    return attempt


def _outermost(module: nn.Module) -> list[CompiledBlock]:
    if isinstance(module, CompiledBlock):
        return [module]
    return [block for child in module.children() for block in _outermost(child)]


def _release(blocks: list[CompiledBlock]) -> None:
    for block in blocks:
        block.use(None)
