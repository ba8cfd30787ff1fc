"""A step in parts is the step."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from denoisplit.core.network.dropout import ChannelDropout
from denoisplit.core.network.objective import LossTerms, numbers_of, with_numbers
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.steps.parts import Part
from denoisplit.core.training.steps.task import SplittingTask
from tests.network.small import counts, network

SIZE = (8, 8)
BATCH = 5


@given(total=st.integers(1, 50), number=st.integers(1, 60), again=st.integers(1, 9))
def test_parts_are_all_of_a_batch_in_order(total: int, number: int, again: int) -> None:
    whole = Part.whole(total)
    parts = whole.divided(number)
    assert [row for part in parts for row in part.rows] == list(range(total))
    sizes = [len(part.rows) for part in parts]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == min(number, total)
    assert sum(part.share for part in parts) == pytest.approx(1)
    rows = [row for part in parts for smaller in part.divided(again) for row in smaller.rows]
    assert rows == list(range(total))


def test_a_part_has_its_patches_of_images_and_camera() -> None:
    mixed, targets, camera = torch.rand(4, 1, 2), torch.rand(4, 2, 2), torch.rand(3, 4, 2, 2)
    (_, second) = Part.whole(4).divided(2)
    cut = second.of((mixed, targets, camera))
    assert len(cut) == 3
    for found, expected in zip(cut, (mixed[2:], targets[2:], camera[:, 2:]), strict=True):
        assert torch.equal(found, expected)


def gradients(vse: VSE, batch: tuple[Tensor, Tensor], parts: int) -> tuple[LossTerms, list[Tensor]]:
    task, numbers = SplittingTask(vse, TrainingSpec()), []
    vse.zero_grad()
    for part in Part.whole(BATCH).divided(parts):
        terms = task(part.of(batch), 3, part)
        torch.autograd.backward(terms.total * part.share)
        numbers.append(numbers_of(terms) * part.share)
    gradients = [one.grad.clone() for one in vse.parameters() if one.grad is not None]
    return with_numbers(terms, torch.stack(numbers).sum(0)), gradients


def test_the_parts_of_a_step_add_up_to_it() -> None:
    """Objective and gradients, with noise and dropout of the step; batch norms would see other patches."""
    vse = network().double().train()
    for module in vse.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.eval()  # as of the whole
        if isinstance(module, ChannelDropout):
            module.p = 0.5
    close = partial(torch.testing.assert_close, rtol=1e-12, atol=1e-13)
    batch = counts(vse, SIZE, batch=BATCH)
    terms, expected = gradients(vse, batch, 1)
    for parts in (2, 3, BATCH):
        found, own = gradients(vse, batch, parts)
        close(numbers_of(found), numbers_of(terms))
        for one, other in zip(own, expected, strict=True):
            close(one, other)


def test_numbers_go_back_to_where_they_came_from() -> None:
    vse = network()
    terms = SplittingTask(vse, TrainingSpec())(counts(vse, SIZE), 3)
    for found in (with_numbers(terms, numbers_of(terms)), with_numbers(terms, -numbers_of(terms))):
        sign = torch.sign(found.total * terms.total.detach())
        for name in ("total", "distortion", "distortion_per_channel", "rate", "rate_per_level"):
            assert torch.equal(getattr(found, name) * sign, getattr(terms, name).detach())
