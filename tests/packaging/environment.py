"""Wheels, and fresh environments to install them into, without any network."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import attrs

Done = subprocess.CompletedProcess[str]

_OFFLINE = ("--no-index", "--no-build-isolation", "--disable-pip-version-check")


def build_wheel(project: Path, folder: Path) -> Path:
    """The wheel of a project, built into an empty folder."""
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(project),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@attrs.frozen
class Environment:
    """A virtual environment that borrows the libraries of this one; what is installed into it comes first.

    Attributes:
        folder: of the environment.
    """

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> "Environment":
        """A new one."""
        venv.create(folder, with_pip=False, symlinks=True)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        return cls(folder)

    def pip_install(self, *what: str, cwd: Path) -> Done:
        """Install from files here."""
        return self.run("python", "-m", "pip", "install", *_OFFLINE, *what, cwd=cwd)

    def run(self, command: str, *words: str, cwd: Path, code: int = 0) -> Done:
        """Run a command of the environment, which has to end with this code."""
        scripts = self.folder / "bin"
        kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DENOISPLIT_DISABLE_PLUGINS")}
        path = os.pathsep.join([str(scripts), kept.get("PATH", "")])
        done = subprocess.run(
            [str(scripts / command), *words],
            cwd=cwd,
            env=kept | {"PATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{command} {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done
