"""Pages walked by somebody who copies everything: their blocks are run, in order, in a folder with images."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import tifffile

from denoisplit.api import train
from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Field
from denoisplit.core.runs.run import Run
from denoisplit.plugins.datasets.simulated import Simulated
from tests.cli.refusals import run

BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
NAMED = re.compile(r"# ([\w.-]+\.yaml)\n")
SMALL = {
    "train": (
        "model.encoder={levels: 2, width: 4}",
        "model.decoder={latent_channels: 2}",
        "training={steps: 2, batch: 2, patch: 16, precision: float32}",
        "prediction={samples: 4}",
    ),
    "demo": (
        "data.train={use: simulated, fields: 3, size: 32, seed: 1}",
        "data.validation={use: simulated, fields: 1, size: 32, seed: 2}",
        "data.test={use: simulated, fields: 1, size: 32, seed: 3}",
        "model.encoder={levels: 2, width: 4}",
        "model.decoder={latent_channels: 2}",
        "training={steps: 2, batch: 1, patch: 16}",
        "prediction={samples: 4}",
    ),
}
"""What makes the work of a command small enough for a test; nothing else is changed."""


@attrs.frozen
class Block:
    """A block of code of a page.

    Attributes:
        language: of the fence.
        text: what is in it.
        why: why it is not run, as the page says in a comment; empty where it does not.
    """

    language: str
    text: str
    why: str


def blocks(page: str) -> list[Block]:
    return [Block(one["language"], one["text"], one["why"] or "") for one in BLOCK.finditer(page)]


def commands(text: str) -> Iterator[list[str]]:
    """Words of every line, without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def train_small(spec: str, out: str, *, overrides: tuple[str, ...] = ()) -> Run:
    """Train as ``denoisplit.train`` does, with less work."""
    return train(spec, out, overrides=[*SMALL["train"], *overrides])


def walk(page: str) -> None:
    """Run all blocks of a page in the working folder: files are written, commands and code run."""
    names: dict[str, Any] = {"__name__": "notebook"}
    for block in blocks(page):
        if block.why:
            continue
        named = NAMED.match(block.text)
        if block.language == "yaml" and named:
            Path(named[1]).write_text(block.text, encoding="utf-8")
        elif block.language == "bash":
            for words in commands(block.text):
                follow(words)
        elif block.language == "python":
            exec(compile(block.text, "page.py", "exec"), names)  # noqa: S102 - what the page says


def follow(words: list[str]) -> None:
    """Run one command of a page."""
    if words[0] == "make":  # of which a test asks that it is there
        return
    assert words[0] == "denoisplit", f"say why this is not run: {' '.join(words)}"
    small = [f"--set={setting}" for setting in SMALL.get(words[1], ())]
    result = run(words[1], *small, *words[2:])
    assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}\n{result.exception!r}"


def fields(count: int, *, seed: int, side: int = 64) -> tuple[Field, ...]:
    """Simulated fields of two structures."""
    options = Simulated.Options(fields=count, size=side, seed=seed)
    return Simulated(options, channels=("filaments", "mitochondria")).fields()


def write(path: Path, counts: AnyArray, axes: str) -> None:
    """A file of a camera, which says what its axes are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.clip(np.round(counts), 0, 65535).astype(np.uint16)
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": axes.upper()})


def recorded(folder: Path, *, count: int = 4, clean: bool = False, seed: int = 0) -> None:
    """Fields of two structures, each in a channel, noisy and clean."""
    for number, one in enumerate(fields(count, seed=seed), 1):
        write(folder / f"cell{number:02}{'_noisy' if clean else ''}.tif", one.observed[...], "cyx")
        if clean:
            assert one.clean is not None
            write(folder / f"cell{number:02}_clean.tif", one.clean[...], "cyx")


def mixed(path: Path, *, frames: int = 0, axes: str = "yx", seed: int = 50, side: int = 64) -> None:
    """An image of both structures in one exposure, or a series of them."""
    made = [one.observed[...].sum(0) - 100 for one in fields(frames or 1, seed=seed, side=side)]
    write(path, np.stack(made) if frames else made[0], axes)


def two_channels() -> None:
    recorded(Path("images"))
    mixed(Path("mixed.tif"))


def single_stain() -> None:
    for seed, name in ((0, "nuclei"), (20, "actin")):
        for number, one in enumerate(fields(3, seed=seed)):
            channel = ("nuclei", "actin").index(name)
            write(Path(f"images/{name}/{name[0]}{number}.tif"), one.observed[channel], "yx")
    mixed(Path("mixed.tif"))


def movies() -> None:
    two_channels()
    mixed(Path("movie.tif"), frames=3, axes="tyx")
    mixed(Path("stack.tif"), frames=3, axes="zyx")
    for number in range(2):
        frames = np.stack([one.observed[...] for one in fields(3, seed=70 + number)])
        write(Path(f"movies/{number}.tif"), frames, "tcyx")


def noisy_only() -> None:
    two_channels()
    for number, one in enumerate(fields(4, seed=5)):
        write(Path(f"single/{number}.tif"), one.observed[0], "yx")
    write(Path("noisy.tif"), one.observed[0], "yx")


def cluster() -> None:
    trained()
    mixed(Path("large.tif"), side=96)
    for number in range(2):
        mixed(Path(f"plate/{number}.tif"), seed=30 + number)
    for words in commands("denoisplit train mine.yaml --out runs/first"):
        follow(words)


def trained() -> None:
    """Images and a spec for them, as another page makes it."""
    two_channels()
    new = ("denoisplit", "new", "mine.yaml", "--data", "images", "--quick", "--channels", "nuclei,actin")
    follow([*new, "--mixing", "sum"])


def gpu() -> None:
    trained()
    result = run(
        "train",
        "mine.yaml",
        "--out",
        "runs/first",
        *(f"--set={one}" for one in SMALL["train"][:2]),
        "--set=training={steps: 2, batch: 1, patch: 16, precision: bf16}",
        "--set=prediction.samples=4",
    )
    assert result.exit_code == 0, result.output


def camera() -> None:
    trained()
    chip = np.random.default_rng(0)
    for name, value in (("gain", 2.0), ("dark_mean", 100.0), ("dark_std", 3.0)):
        tifffile.imwrite(f"{name}.tif", chip.normal(value, value / 50, (64, 64)).astype(np.float32))


def tutorial() -> None:
    recorded(Path("data/train"), clean=True)
    recorded(Path("data/test"), clean=True, count=2, seed=30)
    mixed(Path("mixed.tif"))
    mixed(Path("movie.tif"), frames=2, axes="tyx")
    for number in (1, 2):
        labels = np.zeros((64, 64), np.uint16)
        labels[8:24, 8:30], labels[30:44, 20:40] = 1, 2
        write(Path(f"cells_{number}.tif"), labels, "yx")


def start() -> None:
    recorded(Path("images"), clean=True)
    mixed(Path("mixed.tif"))


IMAGES: dict[str, Callable[[], None]] = {
    "README.md": start,
    "docs/index.md": start,
    "docs/tutorial.md": tutorial,
    "docs/faq.md": cluster,
    "docs/how-to/two-channels.md": two_channels,
    "docs/how-to/single-stain.md": single_stain,
    "docs/how-to/movies-and-stacks.md": movies,
    "docs/how-to/noisy-only.md": noisy_only,
    "docs/how-to/cluster.md": cluster,
    "docs/how-to/gpu.md": gpu,
    "docs/how-to/camera.md": camera,
}
"""The pages that are walked, and what is in the folder before."""
