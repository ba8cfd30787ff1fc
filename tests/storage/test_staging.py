"""What is written appears whole, and what killed processes leave is removed by the next."""

import errno
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from denoisplit.core import staging
from denoisplit.core.staging import Staging, hidden, place_of, staged, sweep
from denoisplit.core.storage.lock import LOCK, exclusive
from denoisplit.core.storage.run_folder import RunFolder


def _file(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _folder(path: Path, text: str) -> None:
    (path / "c").mkdir(parents=True)
    (path / "c" / "0").write_text(text)


def _content(path: Path) -> str:
    return (path / "c" / "0").read_text() if path.is_dir() else path.read_text(encoding="utf-8")


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


KINDS: dict[str, Callable[[Path, str], None]] = {"file": _file, "folder": _folder}


def _dies(act: Callable[[], object], at: int) -> bool:
    """Do it in a process of its own that is killed at its ``at``-th call of the system; whether it was."""
    child = os.fork()
    if child == 0:
        count = 0

        def look(event: str, _: object) -> None:
            nonlocal count
            if event.startswith(("os.", "open", "shutil.")):
                count += 1
                if count == at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)
        act()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(("kind", "exchange"), [("file", True), ("folder", True), ("folder", False)])
def test_killed_at_any_moment_the_old_or_the_new_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, exchange: bool
) -> None:
    make, path = KINDS[kind], tmp_path / "out"
    make(path, "old")
    if not exchange:
        monkeypatch.setattr(staging, "_exchanged", lambda *_: False)

    def replace() -> None:
        with staged(path) as new:
            make(new, "new")

    moment, seen = 1, set()
    while _dies(replace, moment):
        if exchange or kind == "file":
            seen.add(_content(path))
        sweep(tmp_path)
        seen.add(_content(path))
        assert _names(tmp_path) == ["out"], moment
        moment += 1
    assert seen == {"old", "new"}
    assert moment > 8, "hardly any moment was tried"


def test_what_a_living_process_holds_stays(tmp_path: Path) -> None:
    mine = Staging(tmp_path / "a.tif")
    _file(mine.new, "growing")
    assert os.waitpid(_killed_while_writing(tmp_path / "a.tif"), 0)[1] == signal.SIGKILL
    assert len(_names(tmp_path)) == 2
    with staged(tmp_path / "b.tif") as new:
        _file(new, "b")
    assert _names(tmp_path) == sorted([mine.new.parent.name, "b.tif"])
    mine.publish()
    mine.close()
    assert _names(tmp_path) == ["a.tif", "b.tif"]


def _killed_while_writing(path: Path) -> int:
    child = os.fork()
    if child == 0:
        _file(Staging(path).new, "growing")
        os.kill(os.getpid(), signal.SIGKILL)
    return child


FOREIGN: dict[str, Callable[[Path], object]] = {
    ".a.tif.backup.part": lambda path: _folder(path, "mine"),
    ".b.tif.0123456789ab.part": lambda path: _folder(path, "mine"),
    ".c.tif.0123456789ab.part": lambda path: _folder(path / "new", "mine"),
    ".d.tif.0123456789ab.part": lambda path: _folder(path / "place", "mine"),
    ".e.tif.0123456789ab.part": lambda path: _file(path, "mine"),
    ".f.tif.0123456789abcdef0123456789abcdef.part": lambda path: _folder(path, "mine"),
}


def test_what_others_made_stays_whatever_its_name(tmp_path: Path) -> None:
    for name, make in FOREIGN.items():
        make(tmp_path / name)
    _file(tmp_path / ".b.tif.0123456789ab.part" / "place", "of my birth")
    (tmp_path / ".g.tif.0123456789ab.part").symlink_to(tmp_path / ".b.tif.0123456789ab.part")
    before = sorted(tmp_path.rglob("*"))
    for name in "abcdefg":
        with staged(tmp_path / f"{name}.tif") as new:
            _file(new, name)
    sweep(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.suffix != ".tif") == before


@pytest.mark.parametrize("length", [1, 99, 100, 101, 235, 236, 237, 255])
@pytest.mark.parametrize("letter", ["a", "µ"])
def test_whatever_name_a_file_can_have_can_be_staged(tmp_path: Path, length: int, letter: str) -> None:
    name = letter * (length // len(letter.encode())) or "a"
    path = tmp_path / name
    with staged(path) as new:
        assert place_of(new) == path
        assert all(len(os.fsencode(entry)) < 143 for entry in _names(tmp_path))
        _file(new, name)
    os.waitpid(_killed_while_writing(path), 0)
    (hidden_one,) = set(_names(tmp_path)) - {name}
    assert place_of(tmp_path / hidden_one / "new") == path
    sweep(tmp_path)
    assert _names(tmp_path) == [name]


def test_long_names_that_differ_in_the_end_have_hidden_names_of_their_own(tmp_path: Path) -> None:
    first, second = (hidden(tmp_path / f"{'a' * 250}{end}", ".jobs") for end in "12")
    assert first != second
    assert first == hidden(tmp_path / f"{'a' * 250}1", ".jobs")
    assert hidden(tmp_path / "cells.tif", ".jobs") == tmp_path / ".cells.tif.jobs"


def test_an_old_folder_that_was_set_aside_comes_back(tmp_path: Path) -> None:
    """Earlier versions renamed it, and could be killed before the new one was in its place."""
    _folder(tmp_path / ".p.zarr.0123456789abcdef0123456789abcdef.part.old", "old")
    sweep(tmp_path)
    assert _content(tmp_path / "p.zarr") == "old"


def test_a_lock_that_is_held_stays(tmp_path: Path) -> None:
    with exclusive(tmp_path):
        RunFolder(tmp_path).sweep()
        assert _names(tmp_path) == [LOCK]
    assert _names(tmp_path) == []


def test_a_run_removes_what_earlier_versions_left(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.resume_point.parent.mkdir()
    kept = [
        folder.resume_point,
        folder.resume_point.with_name("other.ckpt"),
        tmp_path / ".notes.txt.abcdefgh.txt",
        tmp_path / ".git",
    ]
    left = (".resume.ckpt.a_c3efgh.ckpt", ".best.safetensors.abcdefgh.safetensors")
    for path in (*kept, *(folder.resume_point.parent / name for name in left)):
        path.touch()
    (tmp_path / ".model.json.abcdefgh.json").touch()
    (tmp_path / LOCK).touch()
    folder.sweep()
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


@pytest.mark.parametrize("kind", KINDS)
def test_links_are_followed(tmp_path: Path, kind: str) -> None:
    make = KINDS[kind]
    (tmp_path / "real").mkdir()
    make(tmp_path / "real" / "out", "old")
    for link, target in (("link", "real/out"), ("dangling", "real/other")):
        (tmp_path / link).symlink_to(target)
        with staged(tmp_path / link) as new:
            make(new, "new")
        assert _content(tmp_path / target) == "new"
    assert _names(tmp_path) == ["dangling", "link", "real"]
    assert _names(tmp_path / "real") == ["other", "out"]


def test_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with staged(tmp_path / "a") as new:
            _file(new, "a")
        with staged(tmp_path / "b") as new:
            _folder(new, "b")
    finally:
        os.umask(before)
    found = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "b", "b/c", "b/c/0")]
    assert found == [0o640, 0o750, 0o750, 0o640]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_file_systems_that_cannot_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with staged(tmp_path / "a") as new:
        _file(new, "a")
    assert (tmp_path / "a").read_text() == "a"


@pytest.mark.parametrize("step", ["mkdir", "write", "flush", "replace"])
def test_errors_name_the_path_that_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "sub" / "a"
    if step == "flush":
        monkeypatch.setattr(os, "fsync", full)
    elif step != "write":
        monkeypatch.setattr(Path, step, full)

    def write() -> None:
        with staged(path) as new:
            if step == "write":
                full()
            _file(new, "a")

    with pytest.raises(OSError, match="No space left") as caught:
        write()
    monkeypatch.undo()
    assert caught.value.filename == str(path)
    assert not path.exists()
    assert not path.parent.exists() or _names(path.parent) == []
