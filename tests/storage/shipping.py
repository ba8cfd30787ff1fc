"""A list of models for tests, with a network that was trained for a few steps."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from denoisplit.core.storage import shipped_models
from denoisplit.core.storage.digests import file_hash
from denoisplit.core.storage.run_folder import RunFolder

NAME = "lines-and-dots"


def ship(run: RunFolder, at: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Let a run be the only model that comes along; returns its folder there."""
    folder = RunFolder(at / "lines_and_dots")
    folder.path.mkdir(parents=True)
    for file in (run.weights, run.bundle):
        (folder.path / file.name).write_bytes(file.read_bytes())
    write_list(at, folder)
    monkeypatch.setattr(shipped_models, "SHIPPED", at)
    return folder


def write_list(at: Path, folder: RunFolder, **changes: object) -> None:
    (at / "models.yaml").write_text(yaml.safe_dump({"models": [{**_row(folder), **changes}]}), "utf-8")


def _row(folder: RunFolder) -> Mapping[str, object]:
    files = [
        {"name": file.name, "size": file.stat().st_size, "sha256": file_hash(file)}
        for file in (folder.weights, folder.bundle)
    ]
    return {
        "name": NAME,
        "summary": "Splits lines and dots.",
        "channels": ["filaments", "puncta"],
        "network": "2 levels",
        "trained_on": "simulated images",
        "licence": "BSD-3-Clause",
        "since": "0.1",
        "folder": folder.path.name,
        "files": files,
    }
