"""Settings of a run of the benchmarks."""

from pathlib import Path
from typing import Final

import attrs
from attrs.validators import in_

from benchmarks.inputs import FULL, SLIM, SMALL, TINY, Architecture
from benchmarks.timing import CLOCKS


@attrs.frozen(kw_only=True)
class Settings:
    """Sizes and rounds of all measures.

    Attributes:
        quick: whether this run only tries the benchmark; recorded with the results.
        architectures: networks for training, prediction and limit.
        batches: patch sides and numbers of patches of a training step.
        compiled: whether compiled training is measured, too; compiling takes minutes and a compiler.
        rounds: rounds of training steps and of the limit.
        side: side of the predicted frame, pixels.
        samples: posterior samples of a prediction.
        patch, cell: sides of patches and cells of the reference's prediction.
        passes: passes of the reference over one batch of patches, from which the whole is scaled.
        prediction_rounds: rounds of predictions.
        memory_sides: sides of the frames whose memory of prediction is measured.
        memory_architecture: the network for them; large frames take long, and the memory that has to stay
            flat does not depend on the width.
        memory_tile: the tile for them; by itself, the toolkit chooses larger tiles for some sides.
        fixed_rounds: number of starts of a process.
        executor_side, executor_samples, executor_rounds: size of the predictions by several executors.
        matrix: side of the matrix product that the limit is measured with.
        rival: environment with CAREamics, or None to leave it out.
        clock: ``wall``, or ``processor`` for one thread on a machine that others use.
    """

    quick: bool
    architectures: tuple[Architecture, ...]
    batches: tuple[tuple[int, int], ...]
    compiled: bool
    rounds: int
    side: int
    samples: int
    patch: int
    cell: int
    passes: int
    prediction_rounds: int
    memory_sides: tuple[int, ...]
    memory_architecture: Architecture
    memory_tile: int
    fixed_rounds: int
    executor_side: int
    executor_samples: int
    executor_rounds: int
    matrix: int
    rival: Path | None = None
    clock: str = attrs.field(default="wall", validator=in_(tuple(CLOCKS)))


THOROUGH: Final = Settings(
    quick=False,
    architectures=(FULL, SMALL),
    batches=((128, 8), (64, 32)),
    compiled=True,
    rounds=5,
    side=1024,
    samples=50,
    patch=128,
    cell=64,
    passes=2,
    prediction_rounds=3,
    memory_sides=(1024, 4096, 16384),
    memory_architecture=SLIM,
    memory_tile=1536,
    fixed_rounds=7,
    executor_side=1024,
    executor_samples=2,
    executor_rounds=3,
    matrix=2048,
)

QUICK: Final = Settings(
    quick=True,
    architectures=(TINY,),
    batches=((32, 2),),
    compiled=False,
    rounds=2,
    side=128,
    samples=4,
    patch=64,
    cell=32,
    passes=2,
    prediction_rounds=2,
    memory_sides=(64, 128),
    memory_architecture=TINY,
    memory_tile=64,
    fixed_rounds=1,
    executor_side=128,
    executor_samples=2,
    executor_rounds=1,
    matrix=256,
)
