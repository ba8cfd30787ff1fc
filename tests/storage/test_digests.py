"""A file that a run keeps is what was written, or one line says that it is not."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch

import denoisplit
from denoisplit.core.errors import RunError
from denoisplit.core.storage.atomic import write_bytes
from denoisplit.core.storage.bundle import load_bundle, save_bundle
from denoisplit.core.storage.digests import NAME, ZEROS, sealed
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.states import load_state, load_weights, save_state, save_weights
from tests.storage.test_bundle import untrained

WEIGHTS = {
    "a.b": torch.arange(5.0),
    "c": torch.tensor([2**40, -1]),
    "d": torch.zeros(2, 0, dtype=torch.bfloat16),
}
STATE = {"step": 7, "weights": WEIGHTS, "nested": {"best": [1 / 3, None, "x"]}}


def _write_description(path: Path) -> None:
    save_bundle(RunFolder(path.parent), *untrained())


FILES: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "model.safetensors": (lambda path: save_weights(path, WEIGHTS), load_weights),
    "resume.ckpt": (lambda path: save_state(path, STATE), load_state),
    "model.json": (_write_description, lambda path: load_bundle(RunFolder(path.parent))),
}


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_one_line(tmp_path: Path, name: str) -> None:
    write, read = FILES[name]
    path = tmp_path / name
    write(path)
    read(path)
    whole = path.read_bytes()
    draw = random.Random(0)
    edges = {*range(90), *range(len(whole) - 90, len(whole))}  # the digest is there
    for place in sorted(edges | {draw.randrange(len(whole)) for _ in range(200)}):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(RunError, match=rf"{name}: .*\. (Copy|Restore)") as caught:
            read(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("part", [0.0, 0.3, 0.999])
def test_a_truncated_file_is_one_line(tmp_path: Path, name: str, part: float) -> None:
    write, read = FILES[name]
    path = tmp_path / name
    write(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(RunError, match=rf"{name}: ") as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    save_weights(tmp_path / "w", WEIGHTS)
    save_state(tmp_path / "s", STATE)
    weights, state = load_weights(tmp_path / "w"), load_state(tmp_path / "s")
    assert all(torch.equal(weights[key], WEIGHTS[key]) for key in WEIGHTS)
    assert all(torch.equal(state["weights"][key], WEIGHTS[key]) for key in WEIGHTS)
    assert (state["step"], state["nested"]) == (STATE["step"], STATE["nested"])


def test_files_without_a_digest_open_and_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As earlier versions wrote them."""
    from safetensors.torch import save_file

    save_file(WEIGHTS, tmp_path / "w")
    torch.save(STATE, tmp_path / "s")
    assert torch.equal(load_weights(tmp_path / "w")["a.b"], WEIGHTS["a.b"])
    assert load_state(tmp_path / "s")["step"] == STATE["step"]
    folder = RunFolder(tmp_path / "run")
    save_bundle(folder, *untrained())
    plain = json.loads(folder.bundle.read_text())
    assert len(plain.pop(NAME)) == len(ZEROS)
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        str(tmp_path / name) for name in "ws"
    ]
    caplog.clear()
    for indent in (2, None):
        folder.bundle.write_text(json.dumps(plain, indent=indent))
        load_bundle(folder)
        (record,) = caplog.records
        assert record.message.startswith(f"{folder.bundle}: holds no sha256, as files of early versions")
        caplog.clear()


REWRITTEN: dict[str, Callable[[dict[str, object]], str]] = {
    "in one line": json.dumps,
    "with tabs": lambda plain: json.dumps(plain, indent="\t"),
    "sorted": lambda plain: json.dumps(plain, indent=2, sort_keys=True),
    "another": lambda plain: json.dumps({**plain, NAME: "0" * 63}, indent=2),
    "no text": lambda plain: json.dumps({**plain, NAME: 5}, indent=2),
    "no text in one line": lambda plain: json.dumps({**plain, NAME: None}),
    "a list": lambda plain: json.dumps({**plain, NAME: []}, indent=2),
    "a changed number": lambda plain: json.dumps({**plain, "steps": 10**6}, indent=2),
}


@pytest.mark.parametrize("change", REWRITTEN.values(), ids=REWRITTEN)
def test_a_description_that_was_changed_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Callable[[dict[str, object]], str]
) -> None:
    folder = RunFolder(tmp_path)
    save_bundle(folder, *untrained())
    plain = json.loads(folder.bundle.read_text())
    load_bundle(folder)
    assert not caplog.records
    folder.bundle.write_text(change(plain) + "\n")
    with pytest.raises(
        RunError, match=r"model\.json: (was changed after it was written|the file is damaged) \("
    ):
        load_bundle(folder)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_are_neither_saved_nor_loaded(tmp_path: Path, number: float) -> None:
    folder = RunFolder(tmp_path / "run")
    vse, bundle = untrained()
    save_bundle(folder, vse, bundle)
    shutil.copytree(folder.path, tmp_path / "other")
    with pytest.raises(ValueError, match=r"mixed_mean.* must be finite"):
        attrs.evolve(bundle.statistics, mixed_mean=number)
    for path, text in (("mixed_mean", "statistics"), ("background_shift", "fitted_range")):
        plain = json.loads(folder.bundle.read_text())
        plain[text][path] = number
        damaged = {NAME: ZEROS, **{key: value for key, value in plain.items() if key != NAME}}
        write_bytes(tmp_path / "other" / "model.json", sealed(json.dumps(damaged, indent=2).encode()))
        with pytest.raises(RunError, match=r"model\.json: is not the description of a run \(.*finite.*\)\."):
            denoisplit.load(tmp_path / "other")
    with torch.no_grad():
        next(vse.parameters()).view(-1)[-1] = number
    before = folder.weights.read_bytes()
    with pytest.raises(RunError, match=r"model\.safetensors: weights have to be finite \(got"):
        save_bundle(folder, vse, bundle)
    assert folder.weights.read_bytes() == before
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in vse.state_dict().items()}, folder.weights)
    with pytest.raises(RunError, match=r"weights have to be finite .*\. Copy the run folder again"):
        denoisplit.load(folder.path)
