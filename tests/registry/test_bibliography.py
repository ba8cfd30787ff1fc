"""What to cite."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import denoisplit
from denoisplit.cli import main
from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry.bibliography import bibliography, citations, named_source, sources
from denoisplit.core.registry.component import Component
from denoisplit.core.registry.registry import load_registry
from tests.cited import cited_sources
from tests.distributions import MANIFEST, Install, installer

BUILT_IN = [row for row in load_registry().components() if row.package == "denoisplit"]
SPEC = "preset: hdn\nchannels: [a]\ndata: {train: {use: folder, path: images}}\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    return installer(tmp_path / "site", monkeypatch)


def well_formed(entry: str) -> bool:
    """One entry: a type, a key, fields with balanced braces."""
    head = re.match(r"@[a-z]+\{[a-z0-9-]+,\n", entry)
    inner = re.sub(r"\\[{}]", "", entry)
    return bool(head) and entry.endswith("}") and inner.count("{") == inner.count("}") and "title = " in entry


@pytest.mark.parametrize("row", BUILT_IN, ids=lambda row: f"{row.kind}-{row.name}")
def test_every_source_of_a_built_in_is_in_the_bibliography(row: Component) -> None:
    known = bibliography(row)
    for source in sources(row):
        entry = known[named_source(source, known)]
        assert well_formed(entry)
        year = re.search(r"\b(19|20)\d\d\b", source)
        assert year is None or f"year = {{{year[0]}}}" in entry


def test_no_entry_of_the_bibliography_is_idle_and_no_key_stands_twice() -> None:
    known = bibliography(BUILT_IN[0])
    used = {source for row in BUILT_IN for source in sources(row)} | {source for _, source in cited_sources()}
    assert known.keys() == {named_source(source, known) for source in used} - {""}
    keys = [entry[: entry.index(",")] for entry in known.values()]
    assert len(set(keys)) == len(keys)


def test_cite_prints_the_software_and_every_source_of_the_spec_once(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    result = CliRunner().invoke(main, ["cite", str(spec), "--set", "model.noise_model={use: gaussian}"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.findall(r"^@\w+\{(.*),$", result.stdout, re.MULTILINE) == [
        "denoisplit",
        "ashesh2024denoisplit",
        "prakash2022hdn",
        "ashesh2023musplit",
        "lei2018distribution",
    ]
    assert f"version = {{{denoisplit.__version__}}}" in result.stdout
    assert (
        "% encoder denoisplit/ladder, decoder denoisplit/ladder\n@inproceedings{prakash2022hdn"
        in result.stdout
    )


def test_a_plugin_brings_its_own_bibliography_and_what_it_lacks_is_made_up_of_its_words(
    install: Install,
) -> None:
    package = install("lab-cite", manifest=MANIFEST + "  source: Doe, 2020; after R&D Lab, 50% report\n")
    (package / "bibliography.yaml").write_text("Doe, 2020: |\n  @misc{doe,\n    title = {Mine}\n  }\n")
    row = load_registry().find("calibrator", "mine")
    software, listed, unlisted = (citation.bibtex for citation in citations([row, row]))
    assert software.startswith("@software{lab-cite,")
    assert "version = {1.2}" in software
    assert listed == "@misc{doe,\n  title = {Mine}\n}"
    assert unlisted.startswith("@misc{r-d-lab-50-report,\n  title = {{R\\&D Lab, 50\\% report}},")
    assert all(map(well_formed, (software, listed, unlisted)))


@pytest.mark.parametrize("text", ["- Doe\n", "Doe: 3\n", "Doe: [\n", ""])
def test_a_bibliography_of_another_form_is_refused(install: Install, text: str) -> None:
    (install("lab-odd", manifest=MANIFEST) / "bibliography.yaml").write_text(text)
    with pytest.raises(BrokenPluginError, match=r"bibliography\.yaml"):
        bibliography(load_registry().find("calibrator", "mine"))
