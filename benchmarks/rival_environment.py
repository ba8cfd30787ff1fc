"""Make an environment in which the ladder VAE of CAREamics can be trained.

    python -m benchmarks.rival_environment DIR

Version 0.2.0 is the last one that could train a splitter. It requires torch below 2.10 and torchvision. Here
it gets the torch that the toolkit is measured with, so that the same kernels run, and a stub in place of
torchvision, of which its network calls only a cropping function, for latents of odd size. Its other imports
come from PyPI.
"""

import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

import click

from benchmarks.machine import ROOT
from benchmarks.rival_process import STUBS

VERSION: Final = "0.2.0"

NEEDED: Final = (
    "bioimageio-core>=0.9,<=0.9.5",
    "matplotlib",
    "microssim",
    "numpy",
    "pillow",
    "psutil",
    "pydantic>=2.11",
    "pytorch-lightning>=2.2,!=2.6.2,!=2.6.3",
    "pyyaml",
    "scikit-image",
    "tifffile",
    "torchmetrics>0.7",
    "tqdm",
    "zarr>=3,<4",
)
"""Its imports except torch and torchvision."""

CROP: Final = '''\
"""Stands for torchvision: the one function that the ladder VAE of CAREamics calls."""


def center_crop(image, size):
    """The centre of the last two axes."""
    height, width = (size, size) if isinstance(size, int) else size
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]
'''


def torch_version() -> str:
    """Return the line about torch in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def write_stubs(folder: Path) -> None:
    """Write a package ``torchvision`` that has only the function above."""
    package = folder / STUBS / "torchvision" / "transforms"
    package.mkdir(parents=True, exist_ok=True)
    for file in (package.parent / "__init__.py", package / "__init__.py"):
        file.write_text('"""Stands for torchvision."""\n\n__version__ = "0.0.0"\n', encoding="utf-8")
    (package / "functional.py").write_text(CROP, encoding="utf-8")


def install(folder: Path, *words: str) -> None:
    """Run pip in the environment.

    Raises:
        subprocess.CalledProcessError: it failed, and said why.
    """
    # All words are from this module.
    subprocess.run(  # noqa: S603
        [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *words], check=True
    )


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Make the environment FOLDER."""
    if sys.platform == "win32":
        raise click.ClickException("the environment is laid out for Linux and macOS")
    venv.create(folder, with_pip=True)
    install(folder, torch_version())
    # torch first: later packages may need it, but must not replace it.
    install(folder, torch_version(), *NEEDED)
    install(folder, "--no-deps", f"careamics=={VERSION}")
    write_stubs(folder)
    click.echo(f"{folder}: careamics {VERSION} with {torch_version()}")


if __name__ == "__main__":
    main()
