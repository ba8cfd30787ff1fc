"""Pages walked by somebody who copies everything: their blocks are run, in order, in a folder with images."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from denoisplit.api import train
from denoisplit.core.runs.run import Run
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
        "training={start_from: null, steps: 2, batch: 2, patch: 16, precision: float32}",
        "prediction={samples: 4}",
    ),
    "train-sequence": (
        "denoise model.encoder={levels: 2, width: 4, blocks: 1}",
        "denoise model.decoder={latent_channels: 2}",
        "denoise training={steps: 2, batch: 2, patch: 16, precision: float32}",
        "denoise prediction={samples: 2}",
        "split model.encoder={levels: 2, width: 4}",
        "split model.decoder={latent_channels: 2}",
        "split training={steps: 2, batch: 2, patch: 16, precision: float32}",
        "split prediction={samples: 4}",
    ),
    "demo": (
        "data.train={use: simulated, fields: 3, size: 32, seed: 1}",
        "data.validation={use: simulated, fields: 1, size: 32, seed: 2}",
        "data.test={use: simulated, fields: 1, size: 32, seed: 3}",
        "model.encoder={levels: 2, width: 4}",
        "model.decoder={latent_channels: 2}",
        "training={start_from: null, steps: 2, batch: 1, patch: 16}",
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
        if named:
            Path(named[1]).write_text(block.text, encoding="utf-8")
        elif block.language == "bash":
            for words in commands(block.text):
                follow(words)
        elif block.language == "python":
            exec(compile(block.text, "page.py", "exec"), names)  # noqa: S102 - what the page says


def small(command: str) -> Iterator[str]:
    """Options that make the work of a command small."""
    for setting in SMALL.get(command, ()):
        part, _, value = setting.partition(" ") if command == "train-sequence" else ("", "", setting)
        yield f"--set-{part}={value}" if part else f"--set={value}"


def follow(words: list[str]) -> None:
    """Run one command of a page."""
    if words[0] == "make":  # of which a test asks that it is there
        return
    assert words[0] == "denoisplit", f"say why this is not run: {' '.join(words)}"
    result = run(words[1], *small(words[1]), *words[2:])
    assert result.exit_code == 0, f"{' '.join(words)}\n{result.output}\n{result.exception!r}"
