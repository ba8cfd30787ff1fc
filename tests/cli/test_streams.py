"""Standard streams that are closed, full, or read by nobody: no traceback, and an exit code that tells."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from denoisplit.cli import main
from denoisplit.cli.console import messages

WRONG = ("check", "nothing.yaml")
LONG = ("plugins", "list")
FULL = "denoisplit: No space left on device. Check the path, permissions and space."


def shell(tmp_path: Path, redirected: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the redirection of a shell."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirected}', "sh", sys.executable, "-m", "denoisplit", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )


@pytest.mark.skipif(os.name == "nt", reason="needs a shell of Unix")
@pytest.mark.parametrize(
    ("arguments", "redirected", "code", "stderr"),
    [
        (LONG, ">&-", 0, ""),
        (WRONG, "2>&-", 2, ""),
        (LONG, "<&- >&- 2>&-", 0, ""),
        (
            LONG,
            ">/dev/full",
            2,
            "denoisplit: No space left on device. Check the path, permissions and space.\n",
        ),
        (WRONG, "2>/dev/full", 2, ""),
    ],
)
def test_a_closed_or_full_stream(
    tmp_path: Path, arguments: tuple[str, ...], redirected: str, code: int, stderr: str
) -> None:
    if "full" in redirected and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = shell(tmp_path, redirected, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", stderr)


@pytest.mark.parametrize("arguments", [LONG, WRONG])
def test_a_pipe_that_nobody_reads_ends_a_command_without_a_word(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "denoisplit", *arguments],
            stdout=pipe,
            stderr=subprocess.PIPE if arguments is LONG else pipe,
            cwd=tmp_path,
            check=False,
        )
    assert (done.returncode, done.stderr or b"") == (1, b"")


def test_too_little_memory_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError("Unable to allocate\n 2.00 GiB")

    monkeypatch.setattr("denoisplit.core.spec.load_spec", full)
    result = CliRunner().invoke(main, ["cite", "spec.yaml"])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "memory is not enough (got: Unable to allocate 2.00 GiB)" in result.stderr


def test_a_name_that_the_output_cannot_encode_is_escaped(tmp_path: Path) -> None:
    """As in a file on Windows, whose encoding has few letters."""
    spec = "preset: denoisplit\nchannels: [β-tubulin, actin]\ndata: {train: {use: folder, path: images}}\n"
    (tmp_path / "spec.yaml").write_text(spec, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "denoisplit", "check", "spec.yaml"],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        check=False,
    )
    assert r"\u03b2-tubulin" in done.stdout.decode("cp1252")
    assert b"Traceback" not in done.stderr
    assert "β-tubulin" in CliRunner().invoke(main, ["check", str(tmp_path / "spec.yaml")]).stdout


def test_a_warning_is_shown_once_and_every_other_line_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("denoisplit.somewhere")
    with messages():
        for _ in range(2):
            logger.warning("a0.tif: compressed with JPEG.")
            logger.info("Step 20.")
    with messages():
        logger.warning("a0.tif: compressed with JPEG.")
    shown = capsys.readouterr().err.splitlines()
    assert shown == ["a0.tif: compressed with JPEG.", "Step 20.", "Step 20.", "a0.tif: compressed with JPEG."]
