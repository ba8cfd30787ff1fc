"""Every block of code in the documentation works."""

import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import tifffile

import denoisplit
from denoisplit.cli import main
from denoisplit.core.registry.hookspecs import GROUP
from denoisplit.core.registry.manager import Offer
from denoisplit.core.registry.registry import installed_registry
from denoisplit.core.registry.registry_file import read_manifest
from denoisplit.core.spec import load_spec, to_yaml
from denoisplit.plugins.datasets.simulated import Simulated

ROOT = Path(denoisplit.__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
pages = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())

TINY = (
    "data.train.channel_index=[]",
    "model.encoder={levels: 2, width: 4}",
    "model.decoder={latent_channels: 4}",
    "model.noise_model={components: 1, fit_pairs: 1000, fit_steps: 2}",
    "training={steps: 2, batch: 1, patch: 16, precision: float32}",
    "prediction={samples: 8}",
)


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def _assert_known(words: list[str], command: click.Command) -> None:
    """The words are sub-commands and options that exist."""
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"no command {words[0]}"
        command, words = found, words[1:]
    # A parse without running it: unknown options, missing arguments and wrong types raise.
    command.make_context(command.name, words)


@pages
def test_commands_exist_and_take_these_options(path: Path) -> None:
    for block in blocks(path, "bash"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["denoisplit"]:
                _assert_known(words[1:], main)
            elif words[:1] == ["make"]:
                assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pages
def test_specs_resolve_and_manifests_register(path: Path, tmp_path: Path) -> None:
    for block in blocks(path, "yaml"):
        file = tmp_path / "block.yaml"
        file.write_text(block, encoding="utf-8")
        if "spec_version" in block:
            if path.name != "extending.md":  # whose component is made on the page: see tests/packaging
                load_spec(file)
        else:
            offer = Offer("my-package", "1")
            read_manifest(file).denoisplit_register(offer)
            assert offer.components


@pages
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_entry_points_are_in_the_group_that_is_read() -> None:
    (block,) = blocks(ROOT / "README.md", "toml")
    assert tomllib.loads(block)["project"]["entry-points"].keys() == {GROUP}


@pytest.fixture
def _fresh_registry() -> Iterator[None]:
    """What a test registers is gone after it."""
    yield
    installed_registry.cache_clear()


@pytest.mark.usefixtures("_fresh_registry")
def test_the_python_of_the_readme_runs_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/train")
    folder.mkdir(parents=True)
    images = Simulated(Simulated.Options(fields=4, size=48), channels=("filaments", "mitochondria")).fields()
    for number, field in enumerate(images):
        for kind, image in (("noisy", field.observed), ("clean", field.clean)):
            tifffile.imwrite(folder / f"{number}_{kind}.tif", image, imagej=True, metadata={"axes": "CYX"})
    tifffile.imwrite("mixed.tif", images[0].observed[...].sum(0), imagej=True)
    (spec,) = [block for block in blocks(ROOT / "README.md", "yaml") if "spec_version" in block]
    Path("readme.yaml").write_text(spec, encoding="utf-8")
    Path("mine.yaml").write_text(to_yaml(load_spec(Path("readme.yaml"), TINY)), encoding="utf-8")
    Path("readme.py").write_text("\n".join(blocks(ROOT / "README.md", "python")), encoding="utf-8")

    left = runpy.run_path("readme.py", run_name="notebook")

    assert left["mean"].shape == left["expected_error"].shape == (2, 48, 48)
    with tifffile.TiffFile("split.ome.tif") as written:
        assert written.series[0].shape == (6, 48, 48)
    assert "use: notebook/my_camera" in Path("runs/camera/spec.yaml").read_text(encoding="utf-8")
