"""What docstrings cite: the parts of their last words, ``Source: this; that.``"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import denoisplit

PACKAGE = Path(denoisplit.__file__).parent
_SOURCE = re.compile(r"^Source: (.*?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef


def cited_sources() -> Iterator[tuple[str, str]]:
    """Path in the package and one source, without remarks in parentheses."""
    for path in sorted(PACKAGE.rglob("*.py")):
        code = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(code)) if "Source: " in code else ():
            text = (ast.get_docstring(node) if isinstance(node, _DOCUMENTED) else None) or ""
            for found in _SOURCE.findall(text):
                for part in re.sub(r" \(.*?\)", "", " ".join(found.split())).split("; "):
                    yield path.relative_to(PACKAGE).as_posix(), part.rstrip(".")
