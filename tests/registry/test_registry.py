"""Finding components, and registering them in a notebook."""

import re
from collections.abc import Iterator

import attrs
import pytest

import denoisplit
from denoisplit.core.errors import BrokenPluginError, DuplicateNameError, UnknownComponentError
from denoisplit.core.images.bases import Dataset, Field
from denoisplit.core.registry.component import KINDS, Component
from denoisplit.core.registry.registry import Registry, installed_registry, load_registry


def row(name: str, package: str = "denoisplit", **changes: str) -> Component:
    values = {"kind": "dataset", "target": "a.b:C", "version": "1", "summary": "Some images."}
    return Component(name=name, package=package, **{**values, **changes})


@pytest.fixture
def _fresh_session() -> Iterator[None]:
    installed_registry.cache_clear()
    yield
    installed_registry.cache_clear()


def test_every_builtin_has_a_unique_row_and_every_kind_a_builtin() -> None:
    rows = load_registry().components()
    builtin = [row for row in rows if row.package == "denoisplit"]
    assert {row.kind for row in builtin} == set(KINDS)
    assert all(row.target_text.startswith("denoisplit.plugins.") for row in builtin)
    assert all(row.version == denoisplit.__version__ for row in builtin)


def test_components_are_ordered_by_kind_and_name() -> None:
    registry = Registry([row("b"), row("a"), row("z", kind="encoder")])
    assert [(found.kind, found.name) for found in registry.components()] == [
        ("encoder", "z"),
        ("dataset", "a"),
        ("dataset", "b"),
    ]
    assert [found.name for found in registry.components("dataset")] == ["a", "b"]


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("dataset", "foldr", "dataset foldr: not installed. Did you mean folder? Installed: folder, other."),
        (
            "dataset",
            "denoisplt/folder",
            "Did you mean denoisplit/folder? Installed: denoisplit/folder, denoisplit/",
        ),
        ("encoder", "folder", "encoder folder: not installed. Installed: none."),
        ("encoder", "x" * 10_000, f"encoder {'x' * 80}...: not installed. Installed: none."),
        ("datasets", "folder", "unknown kind (got 'datasets'). Use one of encoder, "),
        ("dataset", "notebook/mine", "Run the cell that registers it first."),
    ],
)
def test_an_unknown_name_says_what_there_is(kind: str, name: str, message: str) -> None:
    registry = Registry([row("folder"), row("other")])
    with pytest.raises(UnknownComponentError, match=re.escape(message)):
        registry.find(kind, name)


def test_a_deprecated_component_is_found_and_warns() -> None:
    registry = Registry([row("old", status="deprecated", summary="Use new.")])
    with pytest.warns(FutureWarning, match=r"denoisplit/old is deprecated: Use new\."):
        assert registry.find("dataset", "old").name == "old"


def test_a_refused_package_leaves_nothing_behind() -> None:
    registry = Registry([row("folder")])
    with pytest.raises(DuplicateNameError):
        registry.extend([row("fine", "lab"), row("folder", "lab")])
    assert [found.name for found in registry.components()] == ["folder"]


def dataset_class() -> type[Dataset]:
    class Mine(Dataset):
        """My images.

        More about them.
        """

        @attrs.frozen
        class Options:
            pass

        def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
            pass

        def fields(self) -> tuple[Field, ...]:
            return ()

    return Mine


@pytest.mark.usefixtures("_fresh_session")
def test_a_notebook_cell_can_run_again() -> None:
    first = denoisplit.register("dataset", "mine")(dataset_class())
    assert installed_registry().find("dataset", "mine").load() is first
    second = denoisplit.register("dataset", "mine", summary="Better.")(dataset_class())
    found = installed_registry().find("dataset", "notebook/mine")
    assert found.load() is second
    assert found.summary == "Better."
    assert found.target_text == f"{__name__}:dataset_class.<locals>.Mine"


@pytest.mark.usefixtures("_fresh_session")
def test_a_notebook_gives_every_field_of_a_row() -> None:
    fields = {"summary": "Old.", "source": "Doe", "since": "2", "status": "deprecated", "replaced_by": "new"}
    denoisplit.register("dataset", "mine", **fields)(dataset_class())
    (found,) = (row for row in installed_registry().components("dataset") if row.package == "notebook")
    assert {name: getattr(found, name) for name in fields} == fields
    with pytest.raises(BrokenPluginError, match=r"dataset notebook/mine: replaced by itself"):
        denoisplit.register("dataset", "mine", **{**fields, "replaced_by": "mine"})(dataset_class())


@pytest.mark.usefixtures("_fresh_session")
def test_the_docstring_serves_as_summary() -> None:
    denoisplit.register("dataset", "mine")(dataset_class())
    assert installed_registry().find("dataset", "mine").summary == "My images."


@pytest.mark.usefixtures("_fresh_session")
def test_a_notebook_cannot_take_an_installed_name() -> None:
    with pytest.raises(DuplicateNameError, match="packages denoisplit and notebook"):
        denoisplit.register("dataset", "folder")(dataset_class())
    installed_registry().extend([row("theirs", "lab")])
    with pytest.raises(DuplicateNameError, match="packages lab and notebook"):
        denoisplit.register("dataset", "theirs")(dataset_class())


@pytest.mark.usefixtures("_fresh_session")
def test_a_class_of_the_wrong_kind_is_refused_when_registering() -> None:
    with pytest.raises(
        BrokenPluginError, match=r"not a subclass of denoisplit\.core\.images\.bases:ImageFormat"
    ):
        denoisplit.register("image_format", "mine")(dataset_class())
    assert "mine" not in [found.name for found in installed_registry().components()]
