"""Training with compiled blocks: what it computes and leaves alone, and what it does without a compiler."""

import copy
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import denoisplit
from denoisplit.core.network.compiled_block import CompiledBlock
from denoisplit.core.network.dropout import ChannelDropout
from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.steps.compiling import compiled_blocks
from denoisplit.core.training.steps.task import SplittingTask
from denoisplit.plugins.blocks import ResidualBlock
from tests.network.small import counts, network
from tests.training.test_fit import SPEC, Interrupt

SIZE = (8, 8)


class Counting:
    """A compiler that leaves everything as it is, and counts what it was given."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        return graph.forward


def failing(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
    raise OSError("no compiler\nat all")


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    torch._dynamo.reset()


@pytest.fixture
def vse() -> VSE:
    made = network()
    for module in made.modules():
        if isinstance(module, ChannelDropout):
            module.p = 0.5
    return made.train()


def step(vse: VSE) -> dict[str, Tensor]:
    """Loss, gradients and statistics of the batch norms of a step."""
    mixed, targets = counts(vse, SIZE, batch=2)
    torch.manual_seed(3)
    loss = vse.loss(mixed, targets, GeneratorNoise(torch.Generator().manual_seed(1)), kl_weight=1.0).total
    torch.autograd.backward(loss)
    found = {name: p.grad.clone() for name, p in vse.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **found, **{name: b.clone() for name, b in vse.named_buffers()}}


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """By the toolkit; torch talks to itself."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("denoisplit")]


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10, msg=name)


def test_a_compiled_step_is_the_step_and_blocks_of_one_shape_share_what_was_compiled(vse: VSE) -> None:
    expected, compiler = step(copy.deepcopy(vse)), Counting()
    inner = [m for m in vse.modules() if isinstance(m, CompiledBlock)]
    with compiled_blocks(vse, backend=compiler):
        found = step(vse)
        assert 0 < compiler.graphs < len(inner)
        graphs = compiler.graphs
        step(vse)
        assert compiler.graphs == graphs
    assert_same(found, expected)


def test_what_steps_drop_is_no_reason_to_compile_again(vse: VSE) -> None:
    batch, compiler = counts(vse, SIZE, batch=2), Counting()
    expected = [SplittingTask(copy.deepcopy(vse), TrainingSpec())(batch, step).total for step in (0, 1)]
    with compiled_blocks(vse, backend=compiler):
        found = [SplittingTask(vse, TrainingSpec())(batch, 0).total]
        graphs = compiler.graphs
        found.append(SplittingTask(vse, TrainingSpec())(batch, 1).total)
    assert compiler.graphs == graphs > 0
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)


def test_weights_keep_their_names_and_afterwards_nothing_is_compiled(
    vse: VSE, caplog: pytest.LogCaptureFixture
) -> None:
    names, compiler = list(vse.state_dict()), Counting()
    with compiled_blocks(vse, backend=compiler):
        step(vse)
        assert list(vse.state_dict()) == names
    graphs = compiler.graphs
    torch._dynamo.reset()
    step(vse)
    assert compiler.graphs == graphs
    assert not said(caplog)


def test_validation_is_not_compiled(vse: VSE) -> None:
    """Its fields have sizes of their own, and each would have to be compiled for."""
    compiler, (mixed, _) = Counting(), counts(vse, (12, 20))
    with compiled_blocks(vse, backend=compiler):
        vse.eval()
        noise = GeneratorNoise(torch.Generator().manual_seed(1))
        vse.decode(mixed, noise)
        with torch.no_grad():
            vse.decode(mixed, noise)
    assert compiler.graphs == 0


def test_more_shapes_are_compiled_than_torch_would_by_itself() -> None:
    blocks, compiler = [ResidualBlock(2, 2 + n, dropout=0.0) for n in range(9)], Counting()
    with compiled_blocks(nn.ModuleList(blocks), backend=compiler):
        for n, block in enumerate(blocks):
            block(torch.zeros(1, 2 + n, 4, 4))
    assert compiler.graphs == len(blocks)


def test_without_a_compiler_a_step_is_the_step_and_one_line_says_why(
    vse: VSE, caplog: pytest.LogCaptureFixture
) -> None:
    expected = step(copy.deepcopy(vse))
    with caplog.at_level(logging.WARNING, logger="denoisplit"), compiled_blocks(vse, backend=failing):
        assert_same(step(vse), expected)
        step(vse)
    (line,) = said(caplog)
    assert line == "training.compile: the compiler failed, training goes on without it (OSError: no compiler)"


def test_errors_of_the_network_stay_what_they_are() -> None:
    block = ResidualBlock(2, 4, dropout=0.0)
    with (
        compiled_blocks(block, backend=Counting()),
        pytest.raises(RuntimeError, match="running_mean should"),
    ):
        block(torch.zeros(1, 3, 4, 4))


def test_a_network_without_blocks_is_trained_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with compiled_blocks(nn.Conv2d(1, 1, 3), backend=failing):
        pass
    assert said(caplog) == ["training.compile: this network has no part that can be compiled"]


COMPILED = "training.compile=true"


def compiler(test: Callable[..., None]) -> Callable[..., None]:
    """Compiling for real takes a minute."""
    there = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
    marked: Callable[..., None] = pytest.mark.slow(there(test))
    return marked


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


def test_on_a_machine_without_a_compiler_a_training_gives_the_same_weights(
    spec: Path, tmp_path: Path
) -> None:
    expected = load_file(denoisplit.train(spec, tmp_path / "as_it_is").folder.weights)
    from torch._inductor import config

    with config.patch({"cpp.cxx": ("no-compiler-of-this-name",), "force_disable_caches": True}):
        run = denoisplit.train(spec, tmp_path / "run", overrides=[COMPILED])
    found = load_file(run.folder.weights)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert run.folder.log.read_text(encoding="utf-8").count("No working C++ compiler found") == 1


@final
class Dropping(CompiledBlock):
    """Draws a number per element."""

    def forward(self, x: Tensor) -> Tensor:
        return self.training_pass(x)

    def recorded(self, *maps: Tensor) -> Tensor:
        (x,) = maps
        return nn.functional.dropout(x, p=0.5)


@compiler
def test_a_compiled_dropout_draws_the_same_numbers(caplog: pytest.LogCaptureFixture) -> None:
    given, x = Dropping(), torch.ones(1, 2, 16, 16)
    torch.manual_seed(5)
    expected = given(x)
    with compiled_blocks(given):
        torch.manual_seed(5)
        found = given(x)
    assert torch.equal(found, expected)
    assert not said(caplog)  # the compiler did not fail


@compiler
def test_law_12_a_compiled_training_continues_bit_for_bit_and_agrees_with_one_that_is_not(
    spec: Path, tmp_path: Path
) -> None:
    whole = denoisplit.train(spec, tmp_path / "whole", overrides=[COMPILED])
    assert "the compiler failed" not in whole.folder.log.read_text(encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        denoisplit.train(spec, tmp_path / "cut", overrides=[COMPILED], watchers=[Interrupt(3)])
    resumed = denoisplit.train(spec, tmp_path / "cut", overrides=[COMPILED], resume=True)
    plain = denoisplit.train(spec, tmp_path / "plain")
    expected = load_file(whole.folder.weights)
    for name, value in load_file(resumed.folder.weights).items():
        assert torch.equal(value, expected[name]), name
    assert whole.bundle.best_loss == pytest.approx(plain.bundle.best_loss, rel=1e-4)
