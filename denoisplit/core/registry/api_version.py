"""The version of the plugin API, and whether a plugin was made for it.

The plugin API is what ``hookspecs`` and ``registry.yaml`` say, and the base classes of the kinds. Its
major number grows when a plugin has to change, its minor number when there is more that a plugin may use.
"""

from typing import Final

from denoisplit.core.errors import BrokenPluginError

PLUGIN_API: Final = "1.1"
"""The plugin API that this denoisplit has."""


def check_plugin_api(where: str, supported: str) -> None:
    """Check that this plugin API is one that a plugin was made for.

    Args:
        where: the plugin or its file, for messages.
        supported: a range of versions, for example ``>=1,<2``; empty for any.

    Raises:
        BrokenPluginError: it is no range, or this plugin API is outside it.
    """
    if not supported.strip():
        return
    # Most plugins name no range, and the import takes longer than reading their lists.
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
