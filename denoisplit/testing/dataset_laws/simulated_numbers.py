"""Numbers of denoisplit's simulations, which stay as long as their names."""

from collections.abc import Mapping
from typing import Any, Final

import attrs


@attrs.frozen(kw_only=True)
class Known:
    """Fields of a simulation.

    Attributes:
        channels: number of channels.
        options: options other than the defaults.
        numbers: of all fields, as the law reads them, separated by blanks.
    """

    channels: int
    options: Mapping[str, Any]
    numbers: str


NUMBERS: Final[Mapping[str, tuple[Known, ...]]] = {
    "simulated": (
        Known(
            channels=4,
            options={"fields": 2, "size": 32},
            numbers=(
                "106.238 106.735 104.808 113.399 102.072 102.002 102.428 105.089 123.138 102.227 "
                "102.238 104.698 102.824 104.683 101.305 115.699 13.1306 13.3492 10.5417 17.6103 "
                "104.696 115.664 107.173 109.513 113.011 131.726 102.28 102.555 102.023 103.321 "
                "107.436 108.686 133.229 130.246 101.075 96.9928 10.5396 21.1345 12.8926 16.0472 "
            ),
        ),
        Known(
            channels=2,
            options={
                "fields": 1,
                "size": 48,
                "camera": "em",
                "structures": ("mitochondria", "membranes"),
                "psf": 0.7,
                "haze": 0.5,
                "gain": 1.5,
                "repeats": 2,
                "seed": 3,
            },
            numbers=(
                "104.169 106.106 101.512 102.591 104.706 107.133 98.8544 103.19 9.56716 10.1981 "
                "99.5415 99.8142 100.285 105.317 "
            ),
        ),
    ),
    "simulated_variety": (
        Known(
            channels=4,
            options={"fields": 2, "size": 32},
            numbers=(
                "128.651 132.519 115.479 121.141 125.34 129.459 102.327 116.993 135.876 117.908 "
                "145.937 107.755 148.194 117.201 101.788 133.826 26.8971 30.3684 32.1099 14.9344 "
                "110.516 141.543 109.735 120.891 102.952 130.917 107.095 113.743 102.866 104.259 "
                "103.699 114.628 102.088 157.715 133.859 126.017 18.3912 35.198 9.93032 9.58934 "
            ),
        ),
        Known(
            channels=1,
            options={
                "fields": 3,
                "size": 40,
                "structures": (("puncta", "filaments"),),
                "haze": (0.5, 0.9),
                "seed": 2,
            },
            numbers=(
                "160.571 128.567 127.168 116.266 35.4172 109.129 110.132 107.69 102.742 8.40193 "
                "122.914 119.931 115.843 102.828 28.234 "
            ),
        ),
    ),
}
