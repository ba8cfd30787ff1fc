"""The installed image formats that work, and the faults of the others."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import attrs

from denoisplit.core.errors import BrokenPluginError, DenoisplitError, PluginError
from denoisplit.core.images.bases import ImageFormat
from denoisplit.core.images.disputed import DisputedFormat
from denoisplit.core.registry import BrokenPlugin, Component, Registry
from denoisplit.core.registry.blame import blaming
from denoisplit.core.registry.manager import BUILTIN


@attrs.frozen
class Formats:
    """Image formats with their default options.

    Attributes:
        usable: formats that work, built-ins first, which keep their suffixes. A format whose suffix is
            disputed follows a ``DisputedFormat`` for this suffix.
        faults: faults of the others, and suffixes claimed in vain.
    """

    usable: tuple[ImageFormat, ...]
    faults: tuple[BrokenPlugin, ...]


def examine_formats(registry: Registry) -> Formats:
    """Build every image format of a registry, once. This imports their code."""
    return _examined(
        tuple(sorted(registry.components("image_format"), key=lambda row: row.package != BUILTIN))
    )


@lru_cache(maxsize=2)
def _examined(rows: tuple[Component, ...]) -> Formats:
    made: dict[Component, ImageFormat] = {}
    faults = []
    for row in rows:
        try:
            made[row] = _built(row)
        except PluginError as error:
            faults.append(_fault(row, str(error)))
        except (DenoisplitError, OSError, MemoryError, SystemExit) as error:
            reason = f"cannot be built ({type(error).__name__}: {error})"
            faults.append(_fault(row, f"{row.kind} {row.qualified}: {reason}. Fix it ({row.target_text})."))
    own = [image_format for row, image_format in made.items() if row.package == BUILTIN]
    theirs = {row: image_format for row, image_format in made.items() if row.package != BUILTIN}
    taken = {suffix: row for row in made if row.package == BUILTIN for suffix in made[row].suffixes}
    for row, suffix in [(row, suffix) for row, one in theirs.items() for suffix in one.suffixes]:
        if suffix in taken:
            what = f"{suffix} is a suffix of the built-in {taken[suffix].name}, which keeps it"
            faults.append(_fault(row, f"{row.kind} {row.qualified}: {what}. Choose another suffix."))
    disputed = [*_disputed(theirs, taken)]
    faults += [_fault(row, one.reason) for one, row in disputed]
    return Formats((*own, *(one for one, _ in disputed), *theirs.values()), tuple(faults))


def _built(row: Component) -> ImageFormat:
    """Build a format with its default options, because a file is opened by its name alone."""
    options = row.load().Options
    needed = [field.alias for field in attrs.fields(options) if field.init and field.default is attrs.NOTHING]
    if needed:
        raise BrokenPluginError(
            f"{row.kind} {row.qualified}: an image format is used without options (got the required "
            f"{', '.join(needed)}). Give every option a default."
        )
    with blaming([row], "its options have no valid defaults"):
        defaults = options()
    built: ImageFormat = row.build(defaults)
    return built


def _disputed(
    formats: Mapping[Component, ImageFormat], taken: Mapping[str, Component]
) -> Iterator[tuple[DisputedFormat, Component]]:
    """Yield every suffix that several plugins claim, with the first of them."""
    for suffix in sorted({suffix for one in formats.values() for suffix in one.suffixes} - taken.keys()):
        rows = [row for row, image_format in formats.items() if suffix in image_format.suffixes]
        if len(rows) > 1:
            claimants = " and ".join(row.qualified for row in rows)
            packages = " or ".join(dict.fromkeys(row.package for row in rows))
            reason = (
                f"image_format: {suffix} is claimed by {claimants}. "
                f"Remove or disable (DENOISPLIT_DISABLE_PLUGINS) {packages}."
            )
            holds_several = any(formats[row].holds_several for row in rows)
            yield DisputedFormat(suffix, reason, holds_several=holds_several), rows[0]


def _fault(row: Component, error: str) -> BrokenPlugin:
    return BrokenPlugin(package=row.package, version=row.version, error=error, component=True)
