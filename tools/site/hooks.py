"""What happens while MkDocs builds the site; mkdocs.yml names this file."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from denoisplit.core.version import VERSION
from tools.site import commands_page, python_page
from tools.site.links import elsewhere, of_repository, with_links
from tools.site.maths import with_formulas

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
FOR_DEVELOPERS: Final = ("decisions/", "repository/", "method-map.md")
"""Pages that answer searches after all others."""
LAST: Final = 1e-4
"""Factor of their relevance."""
ASSETS: Final = ("iframe-worker.js", "site.css")


def decisions_page() -> str:
    """A list of the decisions with their titles."""
    lines = ["# Decisions", "", "Why things are as they are.", ""]
    for path in sorted((ROOT / "docs/decisions").glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title}]({path.name})".replace(". ", "\\. ", 1))
    return "\n".join([*lines, ""])


GENERATED: Final[dict[str, Callable[[], str]]] = {
    "commands.md": commands_page.page,
    "python.md": python_page.page,
    "decisions/index.md": decisions_page,
}
"""Pages that no file has: they follow from the code."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Say in the footer which version is described."""
    config.copyright = f"denoisplit {VERSION}, BSD 3-Clause"
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, the assets, and what pages show of the rest of the repository."""
    for name, page in GENERATED.items():
        files.append(File.generated(config, name, content=page()))
    for name in ASSETS:
        files.append(File.generated(config, f"assets/{name}", content=(HERE / name).read_text("utf-8")))
    waiting = [(file.src_uri, file.content_string) for file in files.documentation_pages()]
    while waiting:
        name, text = waiting.pop()
        for place in elsewhere(text, name, ROOT):
            if files.get_file_from_path(place) is None:
                source = ROOT / of_repository(place)
                if place.endswith(".md"):
                    found = source.read_text(encoding="utf-8")
                    files.append(File.generated(config, place, content=found))
                    waiting.append((place, found))
                else:
                    files.append(File.generated(config, place, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links to the repository into links within the site, and let users find what is for users first."""
    if page.file.src_uri.startswith(FOR_DEVELOPERS):
        page.meta["search"] = {"boost": LAST}
    return with_links(markdown, page.file.src_uri, ROOT)


def on_page_content(html: str, **_: object) -> str:
    """Draw formulas."""
    return with_formulas(html)
