"""The scripts of the page on SLURM do what it says, with a scheduler that is played."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from denoisplit.cli import main
from tests.docs.test_pages import DOCS

PAGE = (DOCS / "slurm.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SCRIPTS = [block for block in BLOCKS if block.startswith("#!/bin/bash\n")]
NAMES = [re.sub(r"\W+", "-", re.findall(r"^## (.*)$", PAGE[: PAGE.index(one)], re.M)[-1]) for one in SCRIPTS]
OPTIONS = {
    *(
        "array",
        "cpus-per-task",
        "gres",
        "job-name",
        "mem",
        "nodes",
        "ntasks-per-node",
        "requeue",
        "signal",
        "time",
    )
}
"""Options of sbatch that the page uses."""

PLAYED = {
    "denoisplit": f"""#!{sys.executable}
import json, os, signal, sys
said = open(os.environ["SAID"], "a", encoding="utf-8")
print(json.dumps(["denoisplit", *sys.argv[1:]]), file=said, flush=True)
if os.environ.get("WAIT"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.pause()
""",
    "srun": '#!/bin/bash\nexec "$@"\n',
    "scontrol": """#!/bin/bash
if [ "$1" = show ]; then printf 'node17\\nnode18\\n'; exit; fi
printf '["scontrol", "%s", "%s"]\\n' "$1" "$2" >> "$SAID"
""",
}
"""Commands that take the place of the real ones."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of Unix")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder on a node, with an environment that is played."""
    commands = tmp_path / "denoisplit-env" / "bin"
    commands.mkdir(parents=True)
    for name, text in PLAYED.items():
        (commands / name).write_text(text, encoding="utf-8")
        (commands / name).chmod(0o755)
    (commands / "activate").write_text(f"PATH={commands}:$PATH\n", encoding="utf-8")
    (tmp_path / "list.txt").write_text("a.tif\nb.tif\nraw/c 1.tif\n", encoding="utf-8")
    return tmp_path


def start(folder: Path, script: str, **more: str) -> "subprocess.Popen[str]":
    (folder / "job.sh").write_text(script, encoding="utf-8")
    slurm = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_CPUS_PER_TASK": "4", "SLURM_JOB_NODELIST": "node[17-18]"}
    environment = {**os.environ, **slurm, "SLURM_JOB_ID": "55", "SAID": str(folder / "said"), **more}
    return subprocess.Popen(
        ["bash", "job.sh"],  # noqa: S607
        cwd=folder,
        env=environment,
        text=True,
        stderr=subprocess.PIPE,
    )


def said(folder: Path) -> list[list[str]]:
    file = folder / "said"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.is_file() else []


def parse(words: list[str]) -> None:
    """Unknown commands and options, missing arguments and wrong types raise."""
    command = main.get_command(click.Context(main), words[0])
    assert command is not None
    command.make_context(command.name, words[1:])


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_a_script_runs_and_its_commands_take_these_options(folder: Path, script: str) -> None:
    job = start(folder, script)
    _, errors = job.communicate(timeout=60)
    assert (job.returncode, errors) == (0, "")
    (words,) = said(folder)
    parse(words[1:])
    asked = re.findall(r"^#SBATCH --([\w-]+)", script, re.MULTILINE)
    assert set(asked) <= OPTIONS
    if "--shard" in words:
        (number,) = re.findall(r"--array=1-(\d+)$", script, re.MULTILINE)
        assert words[words.index("--shard") + 1] == f"3/{number}"
    if "$image" in script:
        assert words[words.index("--out") - 1 :][:3] == ["raw/c 1.tif", "--out", "split/c 1.tif.ome.tif"]
    if "--nodes=" in script:
        assert f"--nodes={words[words.index('--nodes') + 1]}" in script


def test_a_training_ends_at_its_time_limit_and_is_queued_again(folder: Path) -> None:
    (script,) = [one for one in SCRIPTS if "requeue " in one]
    job = start(folder, script, WAIT="1")
    for _ in range(600):
        if said(folder):
            break
        time.sleep(0.05)
    time.sleep(0.2)  # until the shell waits
    job.terminate()
    job.communicate(timeout=60)
    assert said(folder)[1:] == [["scontrol", "requeue", "55"]]


def test_commands_of_containers_name_what_there_is() -> None:
    container = (DOCS.parent / "Dockerfile").read_text(encoding="utf-8")
    (block,) = [block for block in BLOCKS if block not in SCRIPTS]
    for name in re.findall(r"--build-arg (\w+)=", block):
        assert f"ARG {name}=" in container
    for words in re.findall(r"denoisplit(?::cuda)? ((?:info|predict).*)$", block, re.MULTILINE):
        parse(words.split())
