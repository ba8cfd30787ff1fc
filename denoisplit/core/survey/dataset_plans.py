"""Data sets of a proposed spec."""

from typing import Any, Final, get_args, get_type_hints

import attrs

from denoisplit.core.errors import ImageError
from denoisplit.core.images.splits import Split
from denoisplit.core.registry.registry import Registry
from denoisplit.core.survey.channels import ChannelNames
from denoisplit.core.survey.findings import Found, Part
from denoisplit.core.survey.proposal import DatasetPlan

FOLDER: Final = "folder"
CHANNEL_FILES: Final = "channel_files"
SEPARATE_CHANNELS: Final = "separate_channels"


@attrs.frozen(kw_only=True)
class Abilities:
    """Installed features that a spec can use."""

    datasets: frozenset[str]
    split_rules: frozenset[str]

    @classmethod
    def of(cls, registry: Registry) -> "Abilities":
        """Return those of a registry."""
        return cls(
            datasets=frozenset(component.name for component in registry.components("dataset")),
            split_rules=frozenset(get_args(get_type_hints(Split)["rule"])),
        )


def dataset_plan(
    key: str, why: str, part: Part, found: Found, named: ChannelNames, abilities: Abilities
) -> DatasetPlan:
    """Return the data set that reads the images of one purpose.

    Raises:
        ImageError: no installed data set reads files of this kind.
    """
    use = FOLDER
    if part.structures and len(named.names) > 1:
        use = SEPARATE_CHANNELS if part.separate else CHANNEL_FILES
    if use not in abilities.datasets:
        raise ImageError(
            f"{found.folder}: every structure has files of its own ({', '.join(part.structures)}), and no "
            f"data set is installed that joins them (needed: {use}). Save the channels of a field in one "
            "file, or give --channels the one structure to denoise."
        )
    options: list[tuple[str, Any]] = []
    if use == FOLDER:
        (one, *_) = named.index if part.structures else (0,)
        options.append(("observed", part.patterns[one]))
        if part.clean_patterns:
            options.append(("clean", part.clean_patterns[one]))
        if not (part.structures or named.all_taken):
            options.append(("channel_index", list(named.index)))
    else:
        options.append(("observed", [part.patterns[i] for i in named.index]))
        if part.clean_patterns:
            options.append(("clean", [part.clean_patterns[i] for i in named.index]))
    if part.mixed_pattern and use != SEPARATE_CHANNELS:
        options.append(("mixed", part.mixed_pattern))
    if found.axes:
        options.append(("axes", found.axes))
    if any("z" in image.axes for image in part.observed):
        options.append(("dimensions", 2))
    folder = found.folder / part.folder
    return DatasetPlan(key=key, why=why, use=use, path=folder, options=tuple(options))
