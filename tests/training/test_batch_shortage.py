"""A training for whose batch the memory is not enough says what is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import denoisplit
from denoisplit.core.errors import SpecError
from denoisplit.core.network.objective import LossTerms
from denoisplit.core.network.vse import VSE
from tests.training.test_fit import SPEC


def with_room_for(patches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = VSE.loss

    def loss(vse: VSE, mixed: Tensor, *args: Any, **how: Any) -> LossTerms:
        if torch.is_grad_enabled() and vse.training and len(mixed) > patches:
            raise torch.OutOfMemoryError("CUDA out of memory.\n Tried to allocate 2.00 GiB.")
        return real(vse, mixed, *args, **how)

    monkeypatch.setattr(VSE, "loss", loss)
    monkeypatch.setattr("denoisplit.core.training.fit.rehearse", lambda *_, **__: None)


@pytest.mark.parametrize(
    ("room", "advice"),
    [
        (3, "A step in 4 parts fits: set training.accumulate to 4, or training.batch to 2."),
        (0, "Not even a single patch fits: choose a smaller training.patch, or a smaller network."),
    ],
)
def test_it_says_how_many_patches_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, advice: str
) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    with_room_for(room, monkeypatch)
    with pytest.raises(SpecError) as refusal:
        denoisplit.train(tmp_path / "spec.yaml", tmp_path / "run", overrides=["training.batch=8"])
    (problem,) = refusal.value.problems
    said = "training.batch: the memory is not enough (got: CUDA out of memory. Tried to allocate 2.00 GiB.). "
    assert problem == said + advice
