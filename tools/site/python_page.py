"""The page of the Python API, from the signatures and docstrings of the public names."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any, Final

import denoisplit
from denoisplit.core import errors
from tools.site.docstrings import as_markdown

_HEAD: Final = """\
# Python API

Everything that `import denoisplit` offers. Names are imported when they are first used, so that the import
itself takes no time. For components of your own, see [Extending](extending.md).
"""

WIDTH: Final = 80
CHAPTERS: Final[dict[str, tuple[str, ...]]] = {
    "Train": ("train", "train_sequence", "import_checkpoint", "Watcher"),
    "Open and predict": ("load", "load_sequence", "read_image", "Run", "SequentialRun", "Prediction"),
    "Specs and networks": ("load_spec", "read_spec", "build"),
    "Components": ("register", "installed_registry", "hookimpl"),
}
"""The public names, in the order of the page; errors follow in a chapter of their own."""


def page() -> str:
    """Return the whole page, Markdown."""
    parts = [_HEAD]
    for title, names in CHAPTERS.items():
        parts.append(f"## {title}\n")
        parts += [_entry(name, getattr(denoisplit, name)) for name in names]
    parts.append("## Errors\n\nIn `denoisplit.errors`. Every deliberate error is a `DenoisplitError`.\n")
    parts += [f"`{name}`\n:   {as_markdown(inspect.getdoc(found) or '')}\n" for name, found in _errors()]
    return "\n".join(parts)


def _errors() -> Iterator[tuple[str, type]]:
    for name, found in vars(errors).items():
        if inspect.isclass(found) and issubclass(found, errors.DenoisplitError):
            yield name, found


def _entry(name: str, found: Any) -> str:
    """A function, or a class with its methods and properties; of another library, only its title."""
    home = getattr(inspect.unwrap(found), "__module__", "")
    text = inspect.getdoc(found) or ""
    if not home.startswith("denoisplit"):
        text = text.splitlines()[0]
    if not inspect.isclass(found):
        shown = _call(f"denoisplit.{name}", found) if inspect.isroutine(found) else ""
        return f"### {name}\n\n{shown}{as_markdown(text)}\n"
    parts = [f"### {name}\n\n{as_markdown(text)}\n"]
    for member, value in _members(found):
        documented = as_markdown(inspect.getdoc(value) or "")
        call = "" if isinstance(value, property) else _call(member, value)
        parts.append(f"#### {name}.{member}\n\n{call}{documented}\n")
    return "\n".join(parts)


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties, those of the bases first."""
    seen: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        if base.__module__.startswith("denoisplit"):
            seen |= {name: value for name, value in vars(base).items() if not name.startswith("_")}
    for name, value in seen.items():
        if isinstance(value, property) or inspect.isfunction(value):
            yield name, value


def _call(name: str, function: Any) -> str:
    """How a function is called: arguments and defaults, without types; on several lines if they are long."""
    signature = inspect.signature(function)
    plain = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in signature.parameters.values()
        if one.name != "self"
    ]
    text = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    text = re.sub(r"<function (\w+) at \w+>", r"\1", text)
    if len(name) + len(text) > WIDTH:
        inside = textwrap.fill(text[1:-1], WIDTH - 4, break_on_hyphens=False)
        text = f"(\n{textwrap.indent(inside, '    ')}\n)"
    return f"```python\n{name}{text}\n```\n\n"
