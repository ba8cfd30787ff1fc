"""Base of all conformance suites. A law is a test method whose name states it in plain words."""

import functools
import io
import typing
from collections.abc import Callable
from typing import Any, ClassVar, Final, NoReturn, TypeVar

import attrs
import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from torch import Tensor, nn

from denoisplit.core.errors import DenoisplitError, SpecError, in_one_line
from denoisplit.core.registry import installed_registry
from denoisplit.testing import strategies
from denoisplit.testing.option_values import assert_accepted, edges

RANKS: Final = (2, 3)
"""Numbers of spatial axes."""

_UNSUPPORTED: Final = "model.dimensions"
"""Beginning of the ``SpecError`` of a component that does not take this number of spatial axes."""

_EXAMPLES: Final = 24
"""Number of options to draw by default."""

_DRAWS: Final = 20
"""Number of draws until some options fit each other."""

_Module = TypeVar("_Module", bound=nn.Module)
_Built = TypeVar("_Built")
_Law = Callable[..., None]

in_two_and_three_dimensions = pytest.mark.parametrize("rank", RANKS, ids=["2d", "3d"])


def law(examples: int) -> settings:
    """Return the settings of a law: the same number of examples, and the same ones, every time."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def tried(examples: int, /, **drawn: st.SearchStrategy[Any]) -> Callable[[_Law], _Law]:
    """Try a law with some examples of its arguments.

    Args:
        examples: number of examples.
        drawn: what each argument is drawn from.
    """
    return lambda test: law(examples)(given(**drawn)(test))


NOT_EXAMINED: Final = "not examined: "
"""Beginning of the reason for skipping a law that may not hold."""


def not_examined(missing: str) -> NoReturn:
    """Skip a law because the named thing is missing; the examination is then incomplete."""
    pytest.skip(f"{NOT_EXAMINED}{missing}")


class ComponentTests:
    """Base of the suites. Inherit from the suite of a kind; pytest collects names that begin with ``Test``.

    Attributes:
        kind: kind of the components that the suite examines.
        component: the class, or its name in the registry.
        unseen: options whose effect the suite cannot show, by name.
    """

    kind: ClassVar[str]
    component: ClassVar[type[Any] | str]
    unseen: ClassVar[frozenset[str]] = frozenset()

    def target(self) -> Any:
        """The class under examination."""
        if isinstance(self.component, str):
            return installed_registry().find(self.kind, self.component).load()
        return self.component

    def name(self) -> str:
        """Name of the component in the registry; it may have none if it is given as a class."""
        if isinstance(self.component, str):
            return self.component.rpartition("/")[2]
        own = f"{self.component.__module__}:{self.component.__qualname__}"
        return next((row.name for row in installed_registry().components(self.kind) if row.target == own), "")

    def options(self) -> st.SearchStrategy[Any]:
        """Draw options to examine the component with: by default derived from types and validators."""
        return strategies.options(self.target().Options)

    def defaults(self) -> Any:
        """Return the default options, or the simplest where some are required."""
        cls = self.target().Options
        needed = any(field.init and field.default is attrs.NOTHING for field in attrs.fields(cls))
        return self.smallest() if needed else cls()

    def smallest(self) -> Any:
        """Return the simplest options of the strategy."""
        suite: Any = type(self)
        return _smallest(suite)

    def test_ranges_of_options_are_as_told(self) -> None:
        """A number is accepted at the edge of its range, with some values of other options, not beyond it."""
        assert_accepted(self.defaults)
        drawn, cls = examples(self.options()), self.target().Options
        hints = typing.get_type_hints(cls)
        for field in (one for one in attrs.fields(cls) if one.init and one.validator):
            within, beyond = edges(field, hints[field.name])
            for value, wanted in (*((one, True) for one in within), *((one, False) for one in beyond)):
                taken = any(is_valid(one, field, value) for one in drawn)
                assert taken == wanted, (
                    f"{field.alias}: {value} is {'taken' if taken else 'refused'}, unlike what its range says"
                )


def examples(options: st.SearchStrategy[Any], count: int = _EXAMPLES) -> list[Any]:
    """Draw a few options, the same ones every time."""
    found: list[Any] = []

    @settings(law(count), phases=(Phase.generate,))
    @given(options)
    def collect(one: Any) -> None:
        found.append(one)

    collect()
    return found


@functools.cache
def _smallest(suite: Any) -> Any:
    found = settings(law(50), phases=(Phase.generate, Phase.shrink))
    return hypothesis.find(suite().options(), lambda _: True, settings=found)


def is_valid(options: Any, field: "attrs.Attribute[Any]", value: float) -> bool:
    """Whether the validator of a field accepts a value, with the other values of some options."""
    try:
        if field.validator is not None:
            field.validator(options, field, value)
    except (ValueError, TypeError, DenoisplitError):
        return False
    return True


def accepted(build: Callable[[], Any]) -> Any:
    """Return what was built; examples whose options do not fit each other are passed over.

    The test is skipped where the component says that it does not take this number of dimensions.
    """
    try:
        return build()
    except SpecError as error:
        if str(error).startswith(_UNSUPPORTED):
            pytest.skip(str(error))
        hypothesis.reject()


def usable(
    data: st.DataObject,
    options: st.SearchStrategy[Any],
    build: Callable[[Any], _Built],
    refusals: tuple[type[DenoisplitError], ...] = (SpecError,),
) -> _Built:
    """Return what is built from the first drawn options that are not refused.

    The test is skipped where the component says that it does not take this number of dimensions.
    """
    for _ in range(_DRAWS):
        try:
            return build(data.draw(options))
        except refusals as error:
            if str(error).startswith(_UNSUPPORTED):
                pytest.skip(str(error))
    raise UnsatisfiedAssumption


def takes(build: Callable[[], Any]) -> bool:
    """Whether something can be built; False where it refuses this number of dimensions."""
    try:
        build()
    except SpecError as error:
        if str(error).startswith(_UNSUPPORTED):
            return False
        raise
    return True


def generic(make: Callable[[], _Module], seed: int = 0) -> _Module:
    """Return a module in evaluation mode and float64 whose numbers are all random, also initial zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make().double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
                part.running_mean.normal_(0, 0.3, generator=generator)
                if part.running_var is not None:
                    part.running_var.uniform_(0.5, 2, generator=generator)
    return module.eval()


def copied(module: _Module, make: Callable[[], _Module]) -> _Module:
    """Return a new module with the saved state of the first one."""
    other = make().double()
    other.load_state_dict(module.state_dict(), strict=True)
    return other.eval()


def dead_parameters(attempts: Callable[[int], tuple[nn.Module, Tensor]]) -> list[str]:
    """Return the names of trainable parameters whose gradient is zero in every attempt.

    Args:
        attempts: function from a seed to a module and a scalar that depends on all of it.
    """
    dead: set[str] | None = None
    for seed in range(4):
        module, scalar = attempts(seed)
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        if not named:
            return []
        if not scalar.requires_grad:
            dead = {name for name, _ in named}
            continue
        found = torch.autograd.grad(scalar, [p for _, p in named], allow_unused=True)
        reached = [g is not None and not float(g.abs().max()) <= 1e-12 for g in found]
        zero = {name for (name, _), alive in zip(named, reached, strict=True) if not alive}
        dead = zero if dead is None else dead & zero
        if not dead:
            break
    return sorted(dead or ())


def assert_equal(found: Tensor, expected: Tensor, what: str) -> None:
    """Check that shapes and numbers are the same, to the last bit."""
    assert found.shape == expected.shape, f"{what}: shape {_sides(found)} instead of {_sides(expected)}"
    assert torch.equal(found, expected), f"{what} (largest difference {_difference(found, expected)})"


def assert_close(
    found: Tensor, expected: Tensor, what: str, *, rtol: float = 1e-9, atol: float = 1e-10
) -> None:
    """Check that shapes are the same, and numbers within a tolerance."""
    assert found.shape == expected.shape, f"{what}: shape {_sides(found)} instead of {_sides(expected)}"
    same = torch.allclose(found, expected, rtol=rtol, atol=atol)
    assert same, f"{what} (largest difference {_difference(found, expected)})"


def assert_differs(found: Tensor, other: Tensor, what: str) -> None:
    """Check that some number differs by more than rounding."""
    assert not torch.allclose(found, other, rtol=1e-10, atol=1e-12), what


def _sides(values: Tensor) -> tuple[int, ...]:
    return tuple(values.shape)


def _difference(found: Tensor, expected: Tensor) -> str:
    return f"{float((found - expected).detach().abs().max()):.3g}" if found.numel() else "none"


def tensor(values: Any) -> Tensor:
    """Return an array or numbers as a float64 tensor."""
    return torch.as_tensor(np.asarray(values, dtype=np.float64))


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    """Save and load a state as a resume point does.

    Raises:
        AssertionError: the state holds more than tensors and plain numbers.
    """
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    try:
        found: dict[str, Any] = torch.load(file, weights_only=True)
    except Exception as error:
        said = in_one_line(error, 120)
        raise AssertionError(f"the state is not made of tensors and plain numbers ({said})") from error
    return found
