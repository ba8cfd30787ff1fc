"""Somebody who copies the commands of a page, with simulated images, gets where the page leads."""

from pathlib import Path

import pytest
import tifffile

import denoisplit
from denoisplit.core.registry.registry import installed_registry
from tests.docs.walk import blocks, train_small, walk
from tests.docs.walked import IMAGES

ROOT = Path(denoisplit.__file__).parents[1]
SLOW = pytest.mark.slow
QUICK = (
    "docs/index.md",
    "docs/faq.md",
    "docs/uncertainty.md",
    "docs/data.md",
    "docs/models.md",
    "docs/plugins.md",
)
"""Pages that take a few seconds."""
ENDS = {
    "README.md": "split.ome.tif",
    "docs/data.md": "images.png",
    "docs/outputs.md": "dask.ome.zarr",
    "docs/report.md": "first.html",
    "docs/fiji.md": "means.tif",
    "docs/models.md": "lines_blobs.ome.tif",
    "docs/uncertainty.md": "split.sums.csv",
    "docs/sequence.md": "split.ome.tif",
    "docs/plugins.md": "spec.schema.json",
    "docs/faq.md": "runs/second/model.safetensors",
    "docs/index.md": "split.ome.tif",
    "docs/tutorial.md": "movie_split.ome.tif",
    "docs/how-to/two-channels.md": "split.ome.tif",
    "docs/how-to/single-stain.md": "split.ome.tif",
    "docs/how-to/movies-and-stacks.md": "movie_split.ome.tif",
    "docs/how-to/noisy-only.md": "split.ome.tif",
    "docs/how-to/camera.md": "runs/camera/model.safetensors",
    "docs/how-to/cluster.md": "parts.ome.zarr",
    "docs/how-to/gpu.md": "runs/parts/model.safetensors",
}


@pytest.mark.parametrize("page", [pytest.param(page, marks=() if page in QUICK else SLOW) for page in IMAGES])
def test_copying_a_page_leads_where_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(denoisplit, "train", train_small)
    IMAGES[page]()
    try:
        walk((ROOT / page).read_text(encoding="utf-8"))
    finally:
        installed_registry.cache_clear()  # what a page registers is gone after it
    assert (tmp_path / ENDS[page]).exists()
    if ENDS[page].endswith(".tif"):
        with tifffile.TiffFile(tmp_path / ENDS[page]) as written:
            assert written.series[0].shape[-2:] == (64, 64)


def test_every_page_of_how_to_is_walked() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs/how-to").glob("*.md")}
    assert found <= IMAGES.keys()
    assert ENDS.keys() == IMAGES.keys()


def test_a_block_says_why_it_is_not_run() -> None:
    page = (
        "A\n\n<!-- not run: needs a GPU -->\n```bash\na\n```\n\n```yaml\n# x.yaml\n```\n\n```text\nb\n```\n"
    )
    assert [(one.language, one.why) for one in blocks(page)] == [
        ("bash", "needs a GPU"),
        ("yaml", ""),
        ("text", ""),
    ]
