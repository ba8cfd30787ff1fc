"""The version of the plugin API, and how its parts and the names of components grow old."""

import sys
from pathlib import Path

import pluggy
import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from denoisplit.core.errors import BrokenPluginError
from denoisplit.core.registry import hookspecs
from denoisplit.core.registry.api_version import PLUGIN_API, check_plugin_api
from denoisplit.core.registry.hookspecs import GROUP, Register
from denoisplit.core.registry.registry import Registry, load_registry
from tests.distributions import MANIFEST, Install, installer

HOOK = """
from denoisplit import hookimpl

@hookimpl
def denoisplit_register(registry):
    registry("calibrator", "late", "aged.parts:Mine", summary="Known later.")
"""
DEPRECATED = "  status: deprecated\n  replaced_by: newer\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    return installer(tmp_path / "site", monkeypatch)


def whole(plugin_api: str, rows: str = MANIFEST) -> str:
    """A manifest with a range of plugin APIs."""
    indented = "\n".join(f"  {line}" if line else "" for line in rows.splitlines())
    return f'plugin_api: "{plugin_api}"\ncomponents:\n{indented}\n'


def error_of(registry: Registry) -> str:
    (plugin,) = registry.broken
    return plugin.error


@pytest.mark.parametrize("supported", [">=1,<2", "==1.*", ">=0.9", "~=1.0", "", ">=1.0", "!=2"])
def test_a_plugin_made_for_this_api_is_used(install: Install, supported: str) -> None:
    install("fits", manifest=whole(supported))
    registry = load_registry()
    assert registry.broken == ()
    assert registry.find("calibrator", "mine").package == "fits"


@pytest.mark.parametrize(
    ("supported", "advice"),
    [
        (">=2,<3", "Update denoisplit, or install an older version of the plugin."),
        ("==2.*", "Update denoisplit"),
        (">1.1", "Update denoisplit"),
        ("<1", "Update the plugin."),
        ("==0.9", "Update the plugin."),
    ],
)
def test_a_plugin_made_for_another_api_is_broken_and_says_who_has_to_act(
    install: Install, supported: str, advice: str
) -> None:
    install("other", manifest=whole(supported))
    message = (
        f"other: made for another plugin API (got {supported}, this denoisplit has {PLUGIN_API}). {advice}"
    )
    assert message in error_of(load_registry())
    assert Version(PLUGIN_API) not in SpecifierSet(supported)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (whole("one or two"), "plugin_api is not a range of versions (got 'one or two')"),
        ("plugin_api: 1\n", "registry.yaml:1:13: plugin_api must be text (got 1)"),
        (
            "plugin_ap: '1'\n",
            "registry.yaml:1:1: unknown key plugin_ap (allowed: plugin_api, components, hooks)",
        ),
        ("components: mine\n", "registry.yaml:1:13: expected a list of components (got 'mine')"),
    ],
)
def test_a_manifest_with_a_wrong_head_says_where(install: Install, manifest: str, message: str) -> None:
    install("head", manifest=manifest)
    assert message in error_of(load_registry())


def test_the_page_says_which_api_this_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text("utf-8")
    assert f"The plugin API has version {PLUGIN_API}." in page


def test_any_api_will_do_when_none_is_named() -> None:
    check_plugin_api("lab", "")
    with pytest.raises(BrokenPluginError, match="lab: plugin_api is not a range"):
        check_plugin_api("lab", "newest")


def test_a_deprecated_argument_of_the_hook_still_works_and_warns(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = pluggy.HookspecMarker(GROUP)
    warning = FutureWarning("registry is now called register")

    @spec(warn_on_impl_args={"registry": warning})
    def denoisplit_register(register: Register, registry: Register) -> None: ...

    monkeypatch.setattr(hookspecs, "denoisplit_register", denoisplit_register)
    install("aged", code=HOOK)
    with pytest.warns(FutureWarning, match="registry is now called register"):
        registry = load_registry()
    sys.modules.pop("aged")
    assert registry.broken == ()
    assert registry.find("calibrator", "late").package == "aged"


def test_a_deprecated_name_is_found_and_says_what_replaces_it(install: Install) -> None:
    install("renamed", manifest=MANIFEST + DEPRECATED)
    with pytest.warns(
        FutureWarning, match=r"renamed/mine is deprecated: Calibrator of .* Write use: newer\."
    ):
        row = load_registry().find("calibrator", "mine")
    assert (row.status, row.replaced_by) == ("deprecated", "newer")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("  replaced_by: newer\n", "replaced_by is for deprecated components (got 'stable')"),
        (DEPRECATED.replace("newer", "New one"), "replaced_by is not a valid name (got 'New one')"),
        (DEPRECATED.replace("newer", "mine"), "replaced by itself (got 'mine')"),
        (DEPRECATED.replace("newer", "odd/mine"), "replaced by itself (got 'odd/mine')"),
    ],
)
def test_a_replacement_has_to_make_sense(install: Install, rows: str, message: str) -> None:
    install("odd", manifest=MANIFEST + rows)
    assert message in error_of(load_registry())


def test_what_replaces_a_built_in_is_there_and_not_deprecated_itself() -> None:
    registry = load_registry()
    rows = {(row.kind, row.name): row for row in registry.components() if row.package == "denoisplit"}
    for row in rows.values():
        if row.replaced_by:
            assert rows[row.kind, row.replaced_by.removeprefix("denoisplit/")].status != "deprecated"
