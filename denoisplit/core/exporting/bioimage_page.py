"""The page of documentation of a package for the BioImage Model Zoo."""

from importlib.resources import files

import jinja2

from denoisplit.core.exporting.about import About
from denoisplit.core.exporting.exported_details import before
from denoisplit.core.exporting.ports import Ports
from denoisplit.core.registry.bibliography import citations
from denoisplit.core.spec import components
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.version import VERSION


def page(
    ports: Ports, bundle: Bundle, about: About, *, least: tuple[int, ...], halo: tuple[int, ...] | None
) -> str:
    """The page, in Markdown.

    Args:
        ports: inputs and outputs of the network.
        bundle: description of the run.
        about: what people know of it.
        least: smallest sides of an image, pixels.
        halo: pixels on each side to cut off from tiles; None to say nothing of it.
    """
    source = (files("denoisplit.core.exporting") / "bioimage_page.md.jinja").read_text(encoding="utf-8")
    markdown = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=False, autoescape=False)  # noqa: S701
    return markdown.from_string(source).render(
        about=about,
        axes=", ".join(ports.axes),
        bundle=bundle,
        citations=citations(components(bundle.spec)),
        halo=halo,
        least=least,
        ports=ports,
        statistics=ports.statistics,
        subtract=before(bundle)["subtract"],
        version=VERSION,
    )
