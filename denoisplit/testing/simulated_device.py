"""A simulated accelerator, for tests without a GPU.

Its tensors compute on the CPU but refuse to meet tensors of the CPU, as a GPU's do. Transfers between the two
are counted, and so is every wait for a number:

    device = simulated_device()
    with counted_transfers() as transfers:
        layer = nn.Conv2d(1, 2, 3).to(device)
        layer(image.to(device)).mean().backward()
    assert transfers == Transfers(there=3)  # weight, bias, image

It shows which device a piece of code uses, but neither rounding nor speed of a real device.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any, Final, NoReturn

import attrs
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from denoisplit.core.devices import PROCESSOR

NAME: Final = "simulated"

_ATEN: Final = torch.ops.aten

_INDEXING: Final = frozenset(
    {
        _ATEN.index.Tensor,
        _ATEN.index_put.default,
        _ATEN.index_put_.default,
        _ATEN._index_put_impl_.default,
    }
)
"""Operators that also take indices on the CPU."""

_WAITING: Final = frozenset(
    {
        _ATEN._local_scalar_dense.default,
        _ATEN.equal.default,
        _ATEN.masked_select.default,
        _ATEN.nonzero.default,
    }
)
"""Operators whose values, or the number of them, the CPU has to know."""


class MixedDevicesError(RuntimeError):
    """A tensor or generator on the CPU meets a tensor on the device."""


@attrs.define
class Transfers:
    """Counts of transfers and waits.

    Attributes:
        there: tensors copied from the CPU to the device.
        back: tensors copied from the device to the CPU.
        waits: waits for single numbers, or for the number of them.
    """

    there: int = 0
    back: int = 0
    waits: int = 0


_WATCHING: Final[list[Transfers]] = []
"""Global like the device, since threads of torch compute derivatives."""


def simulated_device() -> torch.device:
    """Return the device, which exists from the first call on until the process ends.

    Torch counts devices when it first computes a derivative: call this before, at the top of a test module.
    """
    _register()
    return torch.device(NAME, 0)


@contextmanager
def counted_transfers() -> Iterator[Transfers]:
    """Count transfers between the device and the CPU in a block."""
    found = Transfers()
    _WATCHING.append(found)
    try:
        yield found
    finally:
        _WATCHING[:] = [one for one in _WATCHING if one is not found]


class SimulatedTensor(Tensor):
    """A tensor on the device."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "SimulatedTensor":
        """Make a tensor on the device with these numbers, without a copy."""
        with torch.inference_mode(inner.is_inference()):  # a view is an inference tensor if its base is
            made: SimulatedTensor = torch.Tensor._make_wrapper_subclass(
                cls,
                inner.size(),
                strides=inner.stride(),
                storage_offset=inner.storage_offset(),
                dtype=inner.dtype,
                layout=inner.layout,
                device=torch.device(NAME, 0),
            )
        made.numbers = inner
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]  # torch declares no types
        return f"SimulatedTensor({self.numbers!r})"

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        """Let ``Module.to`` exchange the numbers of existing parameters, together with its counterpart."""
        return ["numbers"], None

    @staticmethod
    def __tensor_unflatten__(parts: Mapping[str, Tensor], *_: Any) -> "SimulatedTensor":
        return SimulatedTensor(parts["numbers"])

    def tolist(self) -> Any:
        """Return the numbers, which are copied for this."""
        return self.cpu().tolist()

    def numpy(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse the conversion.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"numpy: a tensor of the device {NAME!r} is no array. Use Tensor.cpu() first.")

    __array__ = numpy

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch declares it without the operator
        cls, operator: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        # Without autograd, torch has not decomposed operators yet.
        parts = operator.decompose(*args, **kwargs or {})
        return _perform(operator, args, kwargs or {}) if parts is NotImplemented else parts


def _perform(operator: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Compute an operator some of whose arguments are tensors on the device."""
    if operator is _ATEN._to_copy.default:
        return _to_copy(*args, **kwargs)
    if operator is _ATEN.copy_.default:
        return _copy(args[0], args[1])
    leaves, form = pytree.tree_flatten((args, kwargs))
    _require_one_device(operator, leaves)
    for one in _WATCHING:
        one.waits += operator in _WAITING or (operator in _INDEXING and _has_mask(args[1]))
    wanted = kwargs.get("device")
    inner_args, inner_kwargs = pytree.tree_unflatten([_inner(leaf) for leaf in leaves], form)
    if wanted is not None:
        inner_kwargs = {**inner_kwargs, "device": PROCESSOR}
    found = _ON_PROCESSOR.get(operator, operator)(*inner_args, **inner_kwargs)
    if wanted is not None and torch.device(wanted).type != NAME:
        return found
    # A tensor changed in place stays the same object.
    known = {id(leaf.numbers): leaf for leaf in leaves if isinstance(leaf, SimulatedTensor)}
    return pytree.tree_map_only(
        Tensor, lambda one: known[id(one)] if id(one) in known else SimulatedTensor(one), found
    )


def _to_copy(source: Tensor, *, device: torch.device | None = None, **how: Any) -> Tensor:
    there = isinstance(source, SimulatedTensor) if device is None else torch.device(device).type == NAME
    _count_copy(there, source)
    how = {name: value for name, value in how.items() if name not in ("non_blocking", "pin_memory")}
    found: Tensor = _ATEN._to_copy.default(_inner(source), **how)
    return SimulatedTensor(found) if there else found


def _copy(into: Tensor, source: Tensor, *_: object) -> Tensor:
    _count_copy(isinstance(into, SimulatedTensor), source)
    _inner(into).copy_(_inner(source))
    return into


def _count_copy(there: bool, source: Tensor) -> None:
    if there != isinstance(source, SimulatedTensor):
        for one in _WATCHING:
            one.there += there
            one.back += not there


def _require_one_device(operator: Any, leaves: Sequence[Any]) -> None:
    """Refuse tensors on the CPU, except single numbers and indices, as a GPU does.

    Raises:
        MixedDevicesError: another tensor on the CPU.
    """
    if any(isinstance(leaf, torch.Generator) for leaf in leaves):
        raise MixedDevicesError(
            f"{operator}: a generator of the processor for the device {NAME!r}. Draw on the processor and "
            f"move what was drawn, or make the generator with the device of the tensor."
        )
    others = [leaf for leaf in leaves if isinstance(leaf, Tensor) and not isinstance(leaf, SimulatedTensor)]
    if operator not in _INDEXING and any(one.ndim for one in others):
        raise MixedDevicesError(
            f"{operator}: tensors of the device {NAME!r} and of the processor (got one of "
            f"{[tuple(one.shape) for one in others]} there). Make or move them where the others are."
        )


def _has_mask(indices: Sequence[Tensor | None]) -> bool:
    return any(one is not None and one.dtype in (torch.bool, torch.uint8) for one in indices)


def _inner(value: Any) -> Any:
    return value.numbers if isinstance(value, SimulatedTensor) else value


def _convolution_backward(
    gradient: Tensor, image: Tensor, weight: Tensor, *how: Any
) -> tuple[Tensor | None, ...]:
    transposed, groups = how[3], how[5]
    biases = [weight.shape[1] * groups if transposed else weight.shape[0]]
    found: tuple[Tensor | None, ...] = _ATEN.convolution_backward.default(
        gradient, image, weight, biases, *how
    )
    return found


_ON_PROCESSOR: Final[Mapping[Any, Any]] = {
    _ATEN.convolution_overrideable.default: _ATEN.convolution.default,
    _ATEN.convolution_backward_overrideable.default: _convolution_backward,
}
"""Operators that torch leaves to each kind of device, computed on the CPU."""


@cache
def _register() -> Any:
    """Register the device with torch, for as long as the returned library exists."""
    module: Any = ModuleType(NAME)
    module.is_available = module.is_initialized = lambda: True
    module._is_in_bad_fork = lambda: False
    module.device_count = lambda: 1
    module.current_device = lambda: 0
    module.manual_seed_all = lambda _seed: None
    module.get_amp_supported_dtype = lambda: [torch.bfloat16, torch.float16]
    _setup_privateuseone_for_python_backend(NAME, module)
    of_torch: Any = torch.library
    library = of_torch.Library("aten", "IMPL")
    library.impl("empty.memory_format", _empty, "PrivateUse1")
    library.impl("empty_strided", _empty_strided, "PrivateUse1")
    for name in ("arange", "arange.start", "arange.start_step"):
        library.impl(name, _arange, "PrivateUse1")  # torch would resize an empty tensor
    library.impl("_copy_from", lambda source, into, *_: _copy(into, source), "PrivateUse1")
    return library


def _empty(size: Sequence[int], *, memory_format: Any = None, dtype: Any = None, **_: Any) -> Tensor:
    layout = memory_format or torch.contiguous_format
    return SimulatedTensor(torch.empty(size, dtype=dtype, memory_format=layout))


def _empty_strided(size: Sequence[int], stride: Sequence[int], *, dtype: Any = None, **_: Any) -> Tensor:
    return SimulatedTensor(torch.empty_strided(size, stride, dtype=dtype))


def _arange(*bounds: float, dtype: Any = None, **_: Any) -> Tensor:
    return SimulatedTensor(torch.arange(*bounds, dtype=dtype))
