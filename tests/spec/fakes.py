"""A registry with one or two small components of every kind."""

import inspect
from pathlib import Path
from typing import Any, Literal

import attrs
from attrs.validators import deep_iterable, ge, gt, in_, optional, or_

from denoisplit.core.registry.component import Component
from denoisplit.core.registry.contract import BASES, imported
from denoisplit.core.registry.registry import Registry

POSITIVE: Any = or_(ge(1), deep_iterable(ge(1)))


@attrs.frozen(kw_only=True)
class Nothing:
    """No options."""


@attrs.frozen(kw_only=True)
class Images:
    """Every type that an option may have."""

    path: Path
    extra: tuple[Path, ...] = ()
    label: str = "plain"
    limit: int | None = attrs.field(default=None, validator=optional(ge(1)))


@attrs.frozen(kw_only=True)
class Layers:
    levels: int = attrs.field(default=4, validator=ge(2))
    width: int | tuple[int, ...] = attrs.field(default=64, validator=POSITIVE)
    dropout: float = attrs.field(default=0.1, validator=ge(0))
    gated: bool = True


@attrs.frozen(kw_only=True)
class Mixture:
    components: int = attrs.field(default=3, validator=ge(1))
    mode: Literal["pixel", "global"] = "pixel"
    table: dict[str, float] = attrs.Factory(dict)
    pair: tuple[float, int] = (1.0, 2)


@attrs.frozen(kw_only=True)
class Weights:
    free_bits: float = attrs.field(default=1.0, validator=ge(0))
    weight: float = attrs.field(default=1.0, validator=gt(0))


@attrs.frozen(kw_only=True)
class Bounded:
    low: float = 0.0
    high: float = attrs.field(default=1.0)
    side: str = attrs.field(default="both", validator=in_(("left", "right", "both")))

    @high.validator
    def _above_low(self, attribute: Any, value: float) -> None:
        if value <= self.low:
            raise ValueError(f"must be above low (got {value}). Raise it.")


def fake(kind: str, name: str, options: type) -> Component:
    """A component whose class keeps to the contract and does nothing."""
    base: Any = imported(BASES[kind])
    names = {*base.__abstractmethods__, "__init__"}
    methods = {method: lambda self, *args, **known: None for method in names}
    properties = {name: property(lambda self: None) for name in methods if _is_property(base, name)}
    target = type(name.title(), (base,), {**methods, **properties, "Options": options})
    assert not inspect.isabstract(target)
    return Component(kind=kind, name=name, target=target, package="lab", version="1.2", summary="Fake.")


def _is_property(base: type, name: str) -> bool:
    return isinstance(inspect.getattr_static(base, name), property)


REGISTRY = Registry(
    [
        fake("dataset", "folder", Images),
        fake("encoder", "ladder", Layers),
        fake("decoder", "ladder", Layers),
        fake("noise_model", "mixture", Mixture),
        fake("noise_model", "gaussian", Nothing),
        fake("kl_scheme", "denoisplit", Weights),
        fake("calibrator", "scale", Nothing),
        fake("calibrator", "bounded", Bounded),
    ]
)

SPEC = """\
channels: [mitochondria, actin]
data:
  train: {use: folder, path: data/train}
model:
  encoder: {use: ladder, levels: 3}
  decoder: {use: ladder}
  noise_model: {use: mixture, components: 2}
  kl_scheme:
    use: denoisplit
    free_bits: 0.5
calibrator: {use: scale}
training: {steps: 100, learning_rate: 1e-4}
"""
