"""``denoisplit plugins new``: writes a package with a working component, from templates."""

import keyword
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

import attrs
import jinja2

from denoisplit.core.errors import PluginError
from denoisplit.core.registry import installed_registry
from denoisplit.core.registry.api_version import PLUGIN_API
from denoisplit.core.registry.contract import BASES
from denoisplit.core.registry.manager import BUILTIN, canonical
from denoisplit.core.version import VERSION

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_DISTRIBUTION: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME: Final = 30
_LONGEST_DISTRIBUTION: Final = 40
_TAKEN: Final = frozenset({BUILTIN, "tests"})
_TEMPLATE_SUFFIX: Final = ".jinja"
_FIRST_VERSION: Final = "0.1.0"


@attrs.frozen(kw_only=True)
class NewComponent:
    """Names of a new component and its package.

    Attributes:
        distribution: name of the package for pip and in runs, for example ``my-lab``.
        package: name under which Python imports it.
        version: version of the package.
        kind: kind of the component, one of ``KINDS``.
        name: name of the component, as written after ``use:``.
        module: module of the package that defines it.
        test: file name of its tests.
    """

    distribution: str
    package: str
    version: str
    kind: str
    name: str
    module: str
    test: str

    @property
    def class_name(self) -> str:
        """Name of the class, from the component's name and kind, so that no base class has it."""
        words = "".join(word.capitalize() for word in self.name.split("_"))
        return words + BASES[self.kind].partition(":")[2]

    @property
    def of_component(self) -> dict[str, str]:
        """Templates of the component's files, by path."""
        return {
            f"{self.package}/{self.module}.py": f"kinds/{self.kind}/component.py",
            f"tests/{self.test}": f"kinds/{self.kind}/test.py",
        }

    @property
    def of_package(self) -> dict[str, str]:
        """Templates of the other files of a package, by path."""
        return {
            "pyproject.toml": "pyproject.toml",
            "README.md": "README.md",
            f"{self.package}/__init__.py": "package/__init__.py",
            self.manifest: "package/registry.yaml",
        }

    @property
    def manifest(self) -> str:
        """Path of the list of components."""
        return f"{self.package}/registry.yaml"

    def render(self, files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield path and text of files, from their templates."""
        templates = jinja2.Environment(
            loader=jinja2.PackageLoader("denoisplit.cli", "templates"),
            autoescape=jinja2.select_autoescape(),  # nothing here is HTML
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
        )
        known = {
            "class_name": self.class_name,
            "denoisplit_version": VERSION,
            "distribution": self.distribution,
            "kind": self.kind,
            "kind_words": self.kind.replace("_", " "),
            "name": self.name,
            "module": self.module,
            "package": self.package,
            "plugin_api": _same_major(PLUGIN_API),
            "version": self.version,
        }
        for path, template in files.items():
            yield path, templates.get_template(f"{template}{_TEMPLATE_SUFFIX}").render(known)


def write_package(path: Path, *, kind: str, name: str) -> NewComponent:
    """Write a package into a new folder, complete or not at all; it is named after the folder.

    Raises:
        PluginError: the folder exists, or a name cannot be used.
        OSError: a file cannot be written.
    """
    check_name(kind, name)
    distribution = _distribution(path)
    new = NewComponent(
        distribution=distribution,
        package=distribution.replace("-", "_"),
        version=_FIRST_VERSION,
        kind=kind,
        name=name,
        module=kind,
        test=f"test_{name}.py",
    )
    if path.exists() or path.is_symlink():
        raise PluginError(f"{path}: exists already. Choose another folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        unfinished = Path(folder) / path.name
        for relative, text in new.render(new.of_package | new.of_component):
            file = unfinished / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        unfinished.rename(path)
    return new


def check_name(kind: str, name: str) -> None:
    """Refuse a name that is not valid for a component, or that a built-in has."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise PluginError(
            f"--name: not a name for a component (got {name!r}). Use up to {_LONGEST_NAME} lower-case "
            f"letters and digits, words joined by _, for example student_t."
        )
    if any(row.package == BUILTIN and row.name == name for row in installed_registry().components(kind)):
        raise PluginError(f"--name: there is a built-in {kind} of this name (got {name!r}). Choose another.")


def _distribution(path: Path) -> str:
    """Return the name of the package, from that of its folder."""
    folder = path.absolute().name
    distribution = canonical(folder)
    package = distribution.replace("-", "_")
    usable = len(distribution) <= _LONGEST_DISTRIBUTION and _DISTRIBUTION.fullmatch(distribution)
    if not usable or keyword.iskeyword(package):
        raise PluginError(
            f"{path}: the folder gives the package its name, which is not valid (got {folder!r}). Use up to "
            f"{_LONGEST_DISTRIBUTION} letters and digits, words joined by -, for example denoisplit-student."
        )
    installed = {canonical(name) for name in metadata.packages_distributions()}
    installed |= {canonical(one.name) for one in metadata.distributions()}
    if package in _TAKEN or package in sys.stdlib_module_names or distribution in installed:
        raise PluginError(f"{path}: the package name {package} is taken. Choose another folder name.")
    return distribution


def _same_major(version: str) -> str:
    """Return the range of versions that are compatible with this one."""
    major = int(version.partition(".")[0])
    return f">={major},<{major + 1}"
