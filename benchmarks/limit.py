"""Measure f: arithmetic per second of every stage, relative to a large matrix product."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.inputs import Architecture, batch, network, spec_of, write_noise_models
from benchmarks.records import Row
from benchmarks.settings import Settings
from benchmarks.timing import CLOCKS, Clock
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.precision.probe import Purpose

STAGES: Final = ("encoder", "decoder", "likelihood", "backward")

ELEMENTWISE: Final = (
    *("add", "sub", "rsub", "mul", "div", "neg", "reciprocal", "square", "pow", "sqrt", "rsqrt", "abs"),
    *("exp", "exp2", "log", "log1p", "log2", "erf", "clamp", "clamp_min", "clamp_max", "maximum", "minimum"),
    *("where", "gt", "ge", "lt", "le", "eq", "addcmul", "addcdiv", "masked_fill", "softmax", "_softmax"),
)
"""Elementwise operations of ATen that a likelihood consists of."""


@attrs.frozen
class Operations:
    """Arithmetic of some work.

    Attributes:
        products: additions and multiplications of convolutions and matrix products.
        elementwise: one per element of every other operation on single elements, an exponential included.
    """

    products: int
    elementwise: int

    @classmethod
    def of(cls, work: Callable[[], object]) -> "Operations":
        """Do the work and count its arithmetic."""
        names = {getattr(torch.ops.aten, name): _elements for name in ELEMENTWISE}
        with FlopCounterMode(display=False, custom_mapping=names) as counter:
            work()
        found = counter.get_flop_counts()["Global"]
        single = sum(count for operation, count in found.items() if operation in names)
        return cls(sum(found.values()) - single, single)

    @property
    def total(self) -> int:
        """Products if there are any: next to them the rest is small, and slow for other reasons."""
        return self.products or self.elementwise


def _elements(*_shapes: Any, out_shape: Any = None, **_others: Any) -> int:
    return math.prod(out_shape)


@attrs.frozen
class Steps:
    """A training step cut into its stages; each is called after the one before."""

    vse: VSE
    mixed: Tensor
    targets: Tensor
    held: dict[str, Any] = attrs.field(factory=dict)

    def stages(self) -> dict[str, Callable[[], None]]:
        """Return the stages by name, in order."""
        return dict(zip(STAGES, (self._encode, self._decode, self._likelihood, self._backward), strict=True))

    def _encode(self) -> None:
        with self.vse.autocast():
            self.held["features"] = self.vse.encode(self.mixed)

    def _decode(self) -> None:
        noise = GeneratorNoise(torch.Generator().manual_seed(0))
        with self.vse.autocast():
            self.held["decoded"] = self.vse.decoder(self.held["features"], noise)

    def _likelihood(self) -> None:
        signal = self.vse.statistics.to_counts(self.held["decoded"].output.float())
        self.held["distortion"] = -self.vse.noise_model.log_prob(self.targets, signal).mean()

    def _backward(self) -> None:
        pixels = math.prod(self.targets.shape[2:])
        channels = self.vse.channels
        rate = self.vse.kl_scheme(self.held["decoded"].levels, image_pixels=pixels, channels=channels)
        (self.held["distortion"] + rate.total).backward()
        self.vse.zero_grad(set_to_none=True)


def product_rate(side: int, dtype: torch.dtype, clock: Clock) -> float:
    """Measure the GFLOP/s of a product of square matrices."""
    a, b = torch.randn(side, side).to(dtype), torch.randn(side, side).to(dtype)
    start = clock()
    torch.mm(a, b)
    return 2 * side**3 / (clock() - start) / 1e9


def measure(settings: Settings) -> tuple[Row, ...]:
    """Measure the per cent of the rate of the matrix product, for every network and batch."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        noise = write_noise_models(Path(name))
        for architecture in settings.architectures:
            for patch, size in settings.batches:
                rows += _rows(settings, architecture, patch, size, noise)
    return tuple(rows)


def _rows(
    settings: Settings, architecture: Architecture, patch: int, size: int, noise: tuple[Path, ...]
) -> list[Row]:
    vse = network(spec_of(architecture, patch=patch, size=size, noise=noise), Purpose.TRAINING).train()
    given = batch(patch=patch, size=size)
    stages = Steps(vse, torch.from_numpy(given.mixed), torch.from_numpy(given.targets)).stages()
    dtype = vse.network_dtype or torch.float32
    clock = CLOCKS[settings.clock]
    counts: dict[str, int] = {}
    for name, stage in stages.items():
        counts[name] = Operations.of(stage).total
    shares: dict[str, list[float]] = {name: [] for name in stages}
    rates: list[float] = []
    product_rate(settings.matrix, dtype, clock)
    for round_ in range(settings.rounds + 1):
        rate = product_rate(settings.matrix, dtype, clock)
        found = {}
        for name, stage in stages.items():
            start = clock()
            stage()
            found[name] = counts[name] / (clock() - start) / 1e9
        if round_:  # the first one does not count
            rates.append(rate)
            for name, achieved in found.items():
                shares[name].append(100 * achieved / rate)
    case = f"{architecture}, {size} patches of {patch} x {patch}"
    number = str(dtype).removeprefix("torch.")
    product = Row(
        case=case,
        contestant=f"product of {settings.matrix}-matrices, {number}",
        unit="GFLOP/s",
        values=tuple(rates),
    )
    notes = {name: f"{count / 1e9:.3g} GFLOP" for name, count in counts.items()}
    return [
        product,
        *(
            Row(case=case, contestant=name, unit="%", values=tuple(values), note=notes[name])
            for name, values in shares.items()
        ),
    ]
