"""The images of a network that was trained elsewhere."""

from typing import final

import attrs

from denoisplit.core.errors import ImageError
from denoisplit.core.images.interfaces import Dataset, Field


@final
class Elsewhere(Dataset):
    """Stands for images that are not here; whoever wants to read them is told how to name some."""

    @attrs.frozen(kw_only=True)
    class Options:
        """No options."""

    def __init__(self, options: Options, *, channels: tuple[str, ...]) -> None:
        self.options, self.channels = options, channels

    def fields(self) -> tuple[Field, ...]:
        """No fields.

        Raises:
            ImageError: always.
        """
        raise ImageError(
            "data set elsewhere: the images that this network was trained on are not here. "
            "To evaluate it, name others, for example --set "
            '\'data.test={use: folder, path: FOLDER, observed: "*_noisy.tif", clean: "*_clean.tif"}\'.'
        )
