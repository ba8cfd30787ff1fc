"""Training with compiled blocks, where a compiler can be had."""

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
"""As ``torch.compile`` takes it."""

BLOCK_SHAPES: Final = 64
"""Blocks that differ in shape, of one class, that are compiled before torch gives up; its own limit of 8 is
less than what a deep hierarchy has."""

_INSIDE_TORCH: Final = r"torch\.(_\w+|fx|jit|utils)\b"

_FAILURES: Final = (RuntimeError, AssertionError, TypeError, OSError, ImportError)
"""What compilers are seen to raise: torch's own errors are of the first kind, and a machine without a
compiler, or without a place for its results, gives the others. Errors that have nothing to do with the
compiler come again when the pass runs without one."""


@contextmanager
def compiled_blocks(network: nn.Module, *, backend: Backend = "inductor") -> Iterator[None]:
    """Let all blocks of a network train with compiled passes, until the context ends.

    A block is compiled at its first pass. Those of one shape share what was compiled, so that all of them
    take far less time than a whole network. At the first failure, every block goes on as it was.

    Args:
        network: with or without blocks.
        backend: what compiles.
    """
    # Importing them takes seconds, which only those who compile wait for.
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
        # Compilers warn of what torch does inside of itself.
        warnings.filterwarnings("ignore", module=_INSIDE_TORCH)
        # The generators of torch are drawn from as without a compiler, so that dropout stays the same.
        with tracing.patch(recompile_limit=BLOCK_SHAPES), inductor.patch(fallback_random=True):
            for block in blocks:
                block.use(_attempt(block, backend, give_up))
            try:
                yield
            finally:
                _release(blocks)


def _attempt(block: CompiledBlock, backend: Backend, give_up: Callable[[Exception], None]) -> Pass:
    """The compiled pass of a block, and its recorded one if that fails."""
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
