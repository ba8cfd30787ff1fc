"""Kill training, sequences and predictions at every step that matters, and see that nothing is lost or left.

``python -m tests.e2e.kills --count 125``. A process forks with everything imported, does its work, and is
ended by SIGKILL: at one of its changes to the disk, or at a random time. What it had begun is then gone on
with or done again, and killed again.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import h5py
import numpy as np
import torch

import denoisplit
from denoisplit.core import staging
from denoisplit.core.images.bases import Image
from denoisplit.core.images.io import open_image
from denoisplit.core.storage.image_files import installed_formats, save_image
from tests.e2e.test_sequence import DENOISE, SPLIT

TRAINING: Final = """
spec_version: 1
preset: denoisplit
channels: [filaments, mitochondria]
data:
  train: {use: simulated, fields: 3, size: 32, seed: 1}
  validation_fraction: 0.4
model:
  encoder: {levels: 2, width: 4, blocks: 1}
  decoder: {latent_channels: 2, blocks: 1}
  noise_model: {fit_pairs: 1000, fit_steps: 3}
training: {steps: 8, batch: 1, patch: 16, validate_every: 2, checkpoint_every: 1, precision: float32}
prediction: {samples: 2}
"""
OUTPUTS: Final = ("p.ome.tif", "p.tif", "p.ome.zarr", "p.zarr", "p.h5", "p.npz", "cells.h5/pred")
CHANGES: Final = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "shutil.rmtree")
WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@attrs.define
class Counts:
    """What was done.

    Attributes:
        kills: processes that were ended, by what they did.
        checks: of results after kills.
        faults: what was lost or left, a sentence each.
    """

    kills: dict[str, int] = attrs.field(factory=dict)
    checks: int = 0
    faults: list[str] = attrs.field(factory=list)


@attrs.define
class Killer:
    """Runs work in processes of their own, which it kills."""

    draw: random.Random
    counts: Counts = attrs.field(factory=Counts)

    def whole(self, work: Callable[[], object]) -> tuple[int, float]:
        """Do the work undisturbed; how many changes it made, and how many seconds it took."""
        begin = time.monotonic()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            with _counted(lambda count: None) as made:
                _work(work)
            os.write(writer, str(made[0]).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        if status:
            raise RuntimeError(f"the work failed undisturbed (status {status})")
        return int(said), time.monotonic() - begin

    def killed(self, what: str, work: Callable[[], object], changes: int, seconds: float) -> bool:
        """Do the work and kill it at a change or a time; whether it was killed before it was done."""
        at = self.draw.randint(1, changes) if self.draw.random() < 0.75 else 0
        child = os.fork()
        if child == 0:

            def end(count: int) -> None:
                if count == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            with _counted(end):
                _work(work)
            os._exit(0)
        if not at:
            time.sleep(self.draw.uniform(0, seconds))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            self.counts.kills[what] = self.counts.kills.get(what, 0) + 1
            if sum(self.counts.kills.values()) % 10 == 0:
                sys.stderr.write(f"{self.counts.kills}, {len(self.counts.faults)} faults\n")
            return True
        if status:
            self.counts.faults.append(
                f"{what}: the work failed with status {os.waitstatus_to_exitcode(status)}"
            )
        return False

    def check(self, right: object, fault: str) -> None:
        """Note a fault unless something is right."""
        self.counts.checks += 1
        if not right:
            self.counts.faults.append(fault)
            sys.stderr.write(f"FAULT {fault}\n")


@contextmanager
def _counted(tell: Callable[[int], object]) -> Iterator[list[int]]:
    """Tell the number of every change to the disk, before it is made."""
    made = [0]

    def count() -> None:
        made[0] += 1
        tell(made[0])

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if writes or event in CHANGES:
            count()

    flush, exchange = os.fsync, staging._exchanged

    def flushed(fd: Any) -> None:
        count()
        flush(fd)

    def exchanged(one: Path, other: Path) -> bool:
        count()
        done = exchange(one, other)
        count()
        return done

    os.fsync, staging._exchanged = flushed, exchanged
    sys.addaudithook(look)
    yield made


def _work(work: Callable[[], object]) -> None:
    sink = os.open(os.devnull, os.O_WRONLY)
    log = os.open(os.environ.get("KILLS_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(sink, 1)
    os.dup2(log, 2)
    done = False
    try:
        work()
        done = True
    finally:
        if not done:
            traceback.print_exc()
            os._exit(1)


def _strays(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob(".*"))


def _runs(folder: Path) -> dict[str, tuple[bytes, list[str]]]:
    """Weights, and rows of the training curve, of all runs in a folder."""
    found = {}
    for weights in sorted(folder.rglob("model.safetensors")):
        with (weights.parent / "metrics.csv").open(newline="", encoding="utf-8") as file:
            rows = [",".join(row) for row in csv.reader(file)]
        found[weights.parent.relative_to(folder).as_posix()] = (weights.read_bytes(), rows)
    return found


def kill_training(killer: Killer, folder: Path, count: int, *, sequence: bool) -> None:
    """Kill trainings again and again until they end, and compare with one that was left alone."""
    what = "train-sequence" if sequence else "train"
    for name, text in (("denoise", DENOISE), ("split", SPLIT), ("spec", TRAINING)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def train(out: Path) -> Callable[[], object]:
        if sequence:
            specs = folder / "denoise.yaml", folder / "split.yaml"
            return lambda: denoisplit.train_sequence(*specs, out, resume=out.exists())
        return lambda: denoisplit.train(folder / "spec.yaml", out, resume=out.exists())

    changes, seconds = killer.whole(train(folder / "whole"))
    expected, number = _runs(folder / "whole"), 0
    while killer.counts.kills.get(what, 0) < count:
        out, number = folder / f"run{number}", number + 1
        for _ in range(killer.draw.randint(2, 12)):
            if not killer.killed(what, train(out), changes, seconds):
                break
        killer.whole(train(out))
        killer.check(_runs(out) == expected, f"{what}: {out.name} has other bits than one left alone")
        killer.check(not _strays(out), f"{what}: {out.name} keeps {_strays(out)}")


def kill_predictions(killer: Killer, folder: Path, count: int, *, overwrite: bool) -> None:
    """Kill predictions into new files, or over old ones, in all formats."""
    what = "overwrite" if overwrite else "predict"
    (folder / "spec.yaml").write_text(TRAINING, encoding="utf-8")
    out = folder / "out"
    killer.whole(lambda: denoisplit.train(folder / "spec.yaml", folder / "run"))
    run = denoisplit.load(folder / "run")
    mixed = np.random.default_rng(0).normal(300, 40, (24, 21)).astype(np.float32)
    save_image(folder / "mixed.tif", Image(data=mixed, axes="yx"))
    sizes: dict[str, tuple[int, float]] = {}
    pixels: dict[int, Any] = {}

    def predict(path: Path, seed: int) -> Callable[[], object]:
        return lambda: run.predict_file(folder / "mixed.tif", path, seed=seed, tile=16)

    for seed in (1, 2):
        predict(folder / f"{seed}.npz", seed)()
        pixels[seed] = open_image(folder / f"{seed}.npz", installed_formats()).pixels
    while killer.counts.kills.get(what, 0) < count:
        name = killer.draw.choice(OUTPUTS)
        path, file = out / name, out / name.partition("/")[0]
        out.mkdir(exist_ok=True)
        if name.startswith("cells") and not file.exists():
            with h5py.File(file, "w") as made:
                made["raw"] = mixed
        before = _seed_of(path, pixels)
        if overwrite and not before:
            predict(path, 1)()
            before = 1
        after = 3 - before if before else 2
        if name not in sizes:
            sizes[name] = killer.whole(predict(folder / "whole" / name, 1))
        if not killer.killed(what, predict(path, after), *sizes[name]):
            continue
        found = _seed_of(path, pixels)
        killer.check(found in (before, after), f"{what}: {name} is neither the old nor the new ({found})")
        predict(path, after)()
        killer.check(_seed_of(path, pixels) == after, f"{what}: {name} is not the new one")
        killer.check(not _strays(out), f"{what}: {name} leaves {_strays(out)}")
        if name.startswith("cells"):
            with h5py.File(file) as kept:
                killer.check(np.array_equal(kept["raw"][...], mixed), f"{what}: raw data were changed")
        if not overwrite:
            shutil.rmtree(out)


def _seed_of(path: Path, pixels: dict[int, Any]) -> int:
    """Which prediction a file is; 0 for none, -1 for something else."""
    file = path.parent if path.name == "pred" else path
    if not file.exists():
        return 0
    if ".h5" in file.name:  # which the format looks at in a process of its own: it takes a second
        with h5py.File(file, "r") as opened:
            name = "pred" if file != path else "data"
            if name not in opened:
                return 0
            found = opened[name][...]
    else:
        found = open_image(path, installed_formats()).pixels
    return next((seed for seed, known in pixels.items() if np.array_equal(found, known)), -1)


WORKS: Final[dict[str, Callable[[Killer, Path, int], None]]] = {
    "predict": partial(kill_predictions, overwrite=False),
    "overwrite": partial(kill_predictions, overwrite=True),
    "train": partial(kill_training, sequence=False),
    "sequence": partial(kill_training, sequence=True),
}


def kill(count: int, folder: Path, *, seed: int = 0, works: Sequence[str] = tuple(WORKS)) -> Counts:
    """Kill ``count`` processes of each kind of work."""
    torch.set_num_threads(1)
    killer = Killer(random.Random(seed))
    for name in works:
        (folder / name).mkdir()
        WORKS[name](killer, folder / name, count)
    return killer.counts


def main() -> None:
    """Kill, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("works", nargs="*", help=f"{', '.join(WORKS)}; all of them if none is given")
    parser.add_argument("--count", type=int, default=10, help="kills of each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = kill(options.count, Path(folder), seed=options.seed, works=options.works or tuple(WORKS))
    sys.stdout.write(f"{sum(counts.kills.values())} kills {counts.kills}, {counts.checks} checks\n")
    sys.stdout.write("".join(f"FAULT {fault}\n" for fault in counts.faults))
    sys.exit(bool(counts.faults))


if __name__ == "__main__":
    main()
