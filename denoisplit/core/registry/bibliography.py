"""Citations of components: the ``source`` of a row of the registry, as BibTeX.

A package may ship a ``bibliography.yaml`` beside its ``__init__.py``: a mapping of sources, as its
``registry.yaml`` writes them, to BibTeX entries. A row with several sources separates them by semicolons.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from denoisplit.core.documents import read_document, read_text, show
from denoisplit.core.errors import BrokenPluginError, SpecError
from denoisplit.core.registry.component import Component
from denoisplit.core.registry.manager import beside_package

FILE_NAME: Final = "bibliography.yaml"
_RELATIONS: Final = re.compile(r"^(after|in the form of) ")

Bibliography = Mapping[str, str]


@attrs.frozen(kw_only=True)
class Citation:
    """One BibTeX entry.

    Attributes:
        bibtex: the entry.
        cited_for: packages and components that it is cited for.
    """

    bibtex: str
    cited_for: tuple[str, ...]


def citations(components: Iterable[Component]) -> tuple[Citation, ...]:
    """All citations for some components, each once: packages first, then sources in the order of use.

    Raises:
        BrokenPluginError: the bibliography of a package cannot be read.
    """
    components = tuple(components)
    found: dict[str, list[str]] = {}
    for row in components:
        users = found.setdefault(_software(row), [])
        if row.package not in users:
            users.append(row.package)
    for row in components:
        known = bibliography(row)
        for source in sources(row):
            entry = known.get(named_source(source, known), "") or _unlisted(row, source)
            found.setdefault(entry, []).append(f"{row.kind} {row.qualified}")
    return tuple(Citation(bibtex=entry, cited_for=tuple(users)) for entry, users in found.items())


def sources(row: Component) -> tuple[str, ...]:
    """The sources of a component, one by one, without the word for their relation to it.

    A source that names the developers of the package is left out: it is cited with the package.
    """
    parts = (part.strip() for part in row.source.split(";"))
    own = f"The {row.package} developers, {row.package}"
    return tuple(_RELATIONS.sub("", part) for part in parts if part and part != own)


def named_source(source: str, known: Bibliography) -> str:
    """The source as named in a bibliography: in full, or its beginning up to a comma; empty if unknown."""
    return next((name for name in known if source == name or source.startswith(f"{name},")), "")


def bibliography(row: Component) -> Bibliography:
    """The bibliography of a component's package, empty if there is none; imports no code.

    Raises:
        BrokenPluginError: not a mapping of texts to texts.
    """
    path = (
        beside_package(row.target_text.partition(":")[0], FILE_NAME) if isinstance(row.target, str) else None
    )
    if path is None:
        return {}
    try:
        root = read_document(read_text(path), str(path))
    except SpecError as error:
        raise BrokenPluginError(str(error)) from error
    entries = root.value if isinstance(root.value, Mapping) else {"": root}
    texts = {name: node.value.strip() for name, node in entries.items() if isinstance(node.value, str)}
    if "" in entries or len(texts) < len(entries):
        raise BrokenPluginError(
            f"{root.where}: expected a mapping of sources to BibTeX (got {show(root.value)}). "
            f"Write 'source: |' and the entry below it."
        )
    return texts


def _software(row: Component) -> str:
    """BibTeX entry for the package of a component."""
    return (
        f"@software{{{row.package},\n"
        f"  author = {{{{The {row.package} developers}}}},\n"
        f"  title = {{{_escaped(row.package)}}},\n"
        f"  version = {{{_escaped(row.version)}}}\n}}"
    )


def _unlisted(row: Component, source: str) -> str:
    """BibTeX entry for a source that no bibliography lists."""
    key = re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-")
    note = _escaped(f"Source of the {row.kind} {row.name} of {row.package} {row.version}")
    return f"@misc{{{key},\n  title = {{{{{_escaped(source)}}}}},\n  note = {{{note}}}\n}}"


def _escaped(text: str) -> str:
    r"""The text escaped for TeX: ``&`` becomes ``\&`` and so on."""
    return re.sub(r"([&%$#_{}])", r"\\\1", text.replace("\\", ""))
