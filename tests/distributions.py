"""Small real distributions on ``sys.path``: packages with metadata, found as if they were installed."""

import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[..., Path]

MANIFEST = """
- kind: calibrator
  name: {name}
  target: {package}.parts:Mine
  summary: Calibrator of {package}.
"""


def installer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that writes a distribution; the folder is on ``sys.path`` from now on."""
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def install(
        name: str, version: str = "1.2", *, code: str = "", manifest: str = "", target: str = ""
    ) -> Path:
        package = name.replace("-", "_")
        for module in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, module)  # of another test's distribution of this name
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(dedent(code))
        if manifest:
            (folder / package / "registry.yaml").write_text(manifest.format(name="mine", package=package))
        info = folder / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[denoisplit]\n{package} = {target or package}\n")
        return folder / package

    return install
