"""Files whose pixels a compression has changed."""

from collections.abc import Sequence

from denoisplit.core.images.bases import Field


def told_lossy(fields: Sequence[Field]) -> list[str]:
    """Say which compression changed the pixels of how many files; nothing where there is none."""
    found = dict.fromkeys(file for field in fields for file in field.files if file.lossy)
    if not found:
        return []
    first = next(iter(found))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    told = f"{first.path}{more}: compressed with {first.lossy}, which keeps no exact pixels"
    return [f"{told}, so the noise is not that of the camera. Use the microscope's own files."]
