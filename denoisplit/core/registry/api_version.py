"""The version of the plugin API, and the check that a plugin supports it.

The plugin API consists of ``hookspecs``, ``registry.yaml`` and the base classes of the kinds. Its major
number increases when plugins have to change, its minor number when plugins can use something new.
"""

from typing import Final

from denoisplit.core.errors import BrokenPluginError

PLUGIN_API: Final = "1.1"
"""The plugin API of this denoisplit."""


def check_plugin_api(where: str, supported: str) -> None:
    """Check that a plugin supports this plugin API.

    Raises:
        BrokenPluginError: not a range, or this plugin API is outside it.
    """
    if not supported.strip():
        return
    # Most plugins name no range, and the import takes longer than reading their rows.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import Version

    try:
        supports = SpecifierSet(supported)
    except InvalidSpecifier as error:
        raise BrokenPluginError(
            f"{where}: plugin_api is not a range of versions (got {supported!r}). Write for example '>=1,<2'."
        ) from error
    here = Version(PLUGIN_API)
    if here in supports:
        return
    newer = any(
        specifier.operator in (">=", ">", "==", "~=")
        and Version(specifier.version.removesuffix(".*")) >= here
        for specifier in supports
    )
    advice = "Update denoisplit, or install an older version of the plugin" if newer else "Update the plugin"
    raise BrokenPluginError(
        f"{where}: made for another plugin API (got {supported}, this denoisplit has {PLUGIN_API}). {advice}."
    )
