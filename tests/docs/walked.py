"""The pages that are walked, and the simulated images that lie in the folder before."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from denoisplit.core.arrays import AnyArray
from denoisplit.core.images.bases import Field, Image
from denoisplit.plugins.datasets.simulated import Simulated
from denoisplit.plugins.image_formats.ome_zarr import OmeZarr
from tests.cli.refusals import run
from tests.docs.walk import SMALL, commands, follow


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


def large() -> None:
    """An image that is read by regions, and a run in bf16, which has a precision to check."""
    cluster_images = fields(1, seed=60, side=96)[0].observed[...].sum(0) - 100
    OmeZarr(OmeZarr.Options()).write(Path("large.ome.zarr"), Image(data=cluster_images, axes="yx"))
    gpu()
    for number in range(2):
        mixed(Path(f"plate/{number}_mixed.tif"), seed=30 + number)
    Path("list.csv").write_text("file\nplate/0_mixed.tif\nplate/1_mixed.tif\n", encoding="utf-8")
    write(Path("truth.tif"), fields(1, seed=50)[0].observed[...], "cyx")


def labelled() -> None:
    cluster()
    labels(Path("cells.tif"))


def labels(path: Path) -> None:
    """A label image with two regions."""
    regions = np.zeros((64, 64), np.uint16)
    regions[8:24, 8:30], regions[30:44, 20:40] = 1, 2
    write(path, regions, "yx")


def sequence() -> None:
    tutorial()


def specs() -> None:
    trained()
    Path("spec.yaml").write_bytes(Path("mine.yaml").read_bytes())


def gpu() -> None:
    trained()
    settings = [*SMALL["train"], "training.precision=bf16"]
    result = run("train", "mine.yaml", "--out", "runs/first", *(f"--set={one}" for one in settings))
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
        labels(Path(f"cells_{number}.tif"))


def start() -> None:
    recorded(Path("images"), clean=True)
    mixed(Path("mixed.tif"))


IMAGES: dict[str, Callable[[], None]] = {
    "README.md": start,
    "docs/index.md": start,
    "docs/tutorial.md": tutorial,
    "docs/faq.md": cluster,
    "docs/data.md": trained,
    "docs/outputs.md": large,
    "docs/uncertainty.md": labelled,
    "docs/fiji.md": cluster,
    "docs/models.md": trained,
    "docs/report.md": cluster,
    "docs/sequence.md": sequence,
    "docs/plugins.md": specs,
    "docs/how-to/two-channels.md": two_channels,
    "docs/how-to/single-stain.md": single_stain,
    "docs/how-to/movies-and-stacks.md": movies,
    "docs/how-to/noisy-only.md": noisy_only,
    "docs/how-to/cluster.md": cluster,
    "docs/how-to/gpu.md": gpu,
    "docs/how-to/camera.md": camera,
}
"""The pages that are walked, and what is in the folder before."""
