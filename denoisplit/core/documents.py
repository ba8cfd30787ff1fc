"""YAML 1.2 documents whose values know their line and column.

Used for specs and registry manifests. In the core schema of YAML 1.2, ``1e-3`` is a
number and ``no`` is text.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs
import yaml
import yamlcore

from denoisplit.core.errors import SpecError
from denoisplit.core.special_files import special_file

Scalar = None | bool | int | float | str

MOST_BYTES: Final = 2**22
"""Largest size of a document, bytes; the parser takes seconds for this many."""

_LONGEST: Final = 100
_SPARE: Final = 10_000
_DEEPEST: Final = 100
_TAG: Final = "tag:yaml.org,2002:"
_TAGS: Final[Mapping[type[yaml.Node], frozenset[str]]] = {
    yaml.SequenceNode: frozenset({_TAG + "seq"}),
    yaml.MappingNode: frozenset({_TAG + "map"}),
}
_MENDS: Final[Mapping[str, str]] = {
    r"'\t'": "Indent with spaces, not with tabs.",
    "escape": r"In double quotes, write / or \\ instead of \.",
    "alphabetic or numeric": "Put a text that begins with * or & in quotes.",
    "cannot start any token": "Put this text in quotes.",
    "mapping values are not allowed": "Put a text with a colon and a space in quotes, and indent keys alike.",
}
"""What to do, by words of the parser's message; the first that fits."""
_SCALAR_TAGS: Final = frozenset(_TAG + name for name in ("null", "bool", "int", "float", "str"))


@attrs.frozen
class Node:
    """One value of a document.

    Attributes:
        value: a plain scalar, a mapping of nodes, or a sequence of nodes.
        where: ``file:line:column`` of the value.
        key_where: the same for its key; empty for a value without a key.
    """

    value: "Scalar | Mapping[str, Node] | tuple[Node, ...]"
    where: str
    key_where: str = ""

    @property
    def begin(self) -> str:
        """Place of its key, or of the value itself if it has none."""
        return self.key_where or self.where


def problem_at(place: str, path: str, what: str) -> str:
    """Tell a problem of the value at ``path``, which an override on the command line may name already."""
    named = place.startswith(f"--set {path.removeprefix('$.')}=")
    return f"{place}: {what}" if named else f"{place} {path}: {what}"


def read_text(path: Path) -> str:
    """Read a UTF-8 file as text.

    Raises:
        SpecError: the file does not exist or is not text.
    """
    if problem := special_file(path):
        raise SpecError(problem)
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SpecError(
            f"{path}: cannot be read ({error.strerror}). Give the path of a YAML file."
        ) from error
    if len(raw) > MOST_BYTES:
        raise SpecError(f"{path}: too large to be a spec (got more than {MOST_BYTES} bytes). Check the path.")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not text ({error.reason}). Save the file as UTF-8.") from error


def read_document(text: str, name: str) -> Node:
    """Parse one document; an empty one is a node with the value None.

    Raises:
        SpecError: the text is not YAML, or a mapping has a duplicate key or one that is not text.
    """
    return _Reader(text, name).read()


class _TooDeepError(Exception):
    """Carries the place of a value that is nested too deeply."""

    def __init__(self, mark: yaml.Mark) -> None:
        self.mark = mark
        super().__init__(str(mark))


class _Loader(yamlcore.CoreLoader):
    """Stops at values nested too deeply, before the parser has read all of them."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose the next value."""
        self._depth += 1
        if parent is not None and self._depth > _DEEPEST + 2:
            raise _TooDeepError(parent.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Reader:
    """Converts PyYAML's node graph and collects problems with keys."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name
        self.problems: list[str] = []
        # A text without aliases has fewer values than characters; with aliases ten lines may stand for 10^9.
        self.left = len(text) + _SPARE

    def read(self) -> Node:
        try:
            loader = _Loader(self.text)
            graph = loader.get_single_node()
            root = Node(None, f"{self.name}:1:1") if graph is None else self._node(loader, graph, ())
        except _TooDeepError as error:
            raise self._too_much(self._at(error.mark), "values are nested too deeply") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = self.name if mark is None else self._at(mark)
            message = error.problem or "a value is incomplete"
            advice = next((mend for word, mend in _MENDS.items() if word in message), "Correct the syntax.")
            raise SpecError(f"{where}: not valid YAML ({message}). {advice}") from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            raise SpecError(f"{self.name}: not valid YAML ({reason}). Correct the syntax.") from error
        if self.problems:
            raise SpecError(self.problems)
        return root

    def _at(self, mark: yaml.Mark) -> str:
        return f"{self.name}:{mark.line + 1}:{mark.column + 1}"

    def _node(self, loader: yamlcore.CoreLoader, graph: yaml.Node, above: tuple[yaml.Node, ...]) -> Node:
        where = self._at(graph.start_mark)
        if any(graph is parent for parent in above):
            self.problems.append(f"{where}: a value contains itself. Remove the alias.")
            return Node(None, where)
        self.left -= 1
        if self.left < 0 or len(above) > _DEEPEST:
            what = "aliases repeat too much" if self.left < 0 else "values are nested too deeply"
            raise self._too_much(where, what)
        if graph.tag not in _TAGS.get(type(graph), _SCALAR_TAGS):
            self.problems.append(f"{where}: unknown tag (got {graph.tag}). Remove it.")
            return Node(None, where)
        above = (*above, graph)
        if isinstance(graph, yaml.SequenceNode):
            return Node(tuple(self._node(loader, item, above) for item in graph.value), where)
        if isinstance(graph, yaml.MappingNode):
            return Node(self._mapping(loader, graph, above), where)
        return Node(self._scalar(loader, graph, where), where)

    def _too_much(self, where: str, what: str) -> SpecError:
        return SpecError(f"{where}: {what} (got more than any spec needs). Write it out.")

    def _scalar(self, loader: yamlcore.CoreLoader, graph: yaml.Node, where: str) -> Scalar:
        try:
            scalar: Scalar = loader.construct_object(graph)
        except (ValueError, KeyError, IndexError):  # a tag that does not fit the text, or an infinite number
            kind = graph.tag.removeprefix(_TAG)
            self.problems.append(f"{where}: not a value of !!{kind} (got {show(graph.value)}). Correct it.")
            return None
        return scalar

    def _mapping(
        self, loader: yamlcore.CoreLoader, graph: yaml.MappingNode, above: tuple[yaml.Node, ...]
    ) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key_graph, value_graph in graph.value:
            where = self._at(key_graph.start_mark)
            key = self._node(loader, key_graph, above).value
            if not isinstance(key, str):
                self.problems.append(f"{where}: a key must be text (got {show(key)}). Put it in quotes.")
            elif key == "<<":
                what = "YAML 1.2 does not merge mappings (got <<)"
                self.problems.append(f"{where}: {what}. Write the keys out, or *NAME for a whole value.")
            elif key in entries:
                first = entries[key].key_where
                self.problems.append(f"{where}: duplicate key {key} (first at {first}). Remove one of them.")
            else:
                entries[key] = attrs.evolve(self._node(loader, value_graph, above), key_where=where)
        return entries


def node_of(value: object, where: str, depth: int = 0) -> Node:
    """Convert plain dictionaries, lists and scalars to a node, with the same place for all parts.

    Raises:
        SpecError: a value of another type, or values nested too deeply.
    """
    if depth > _DEEPEST:
        raise SpecError(f"{where}: values are nested too deeply (got {depth} levels). Write it out.")
    if isinstance(value, Mapping):
        return Node({str(key): node_of(child, where, depth + 1) for key, child in value.items()}, where)
    if isinstance(value, tuple | list):
        return Node(tuple(node_of(child, where, depth + 1) for child in value), where)
    if value is None or isinstance(value, bool | int | float | str):
        return Node(value, where)
    raise SpecError(f"{where}: not a plain value (got {value!r}). Use text, numbers, lists and mappings.")


def show(value: object) -> str:
    """A value as shown in messages."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, tuple | list):
        return "a list"
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def plain(node: Node) -> object:
    """The node as plain dictionaries, lists and scalars."""
    if isinstance(node.value, Mapping):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain(child) for child in node.value]
    return node.value
