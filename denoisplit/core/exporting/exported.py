"""The record of an export."""

from pathlib import Path

import attrs

from denoisplit.core.exporting.ports import Ports


@attrs.frozen(kw_only=True)
class Agreement:
    """Largest differences between a file and the network, over random images of several sizes.

    Attributes:
        signal: in stds of a channel of the training images.
        log_variance: in natural logarithms.
    """

    signal: float
    log_variance: float


@attrs.frozen(kw_only=True)
class Exported:
    """A network in a file for other programs.

    Attributes:
        path: the file.
        ports: its inputs and outputs.
        agreement: differences between the file and the network.
    """

    path: Path
    ports: Ports
    agreement: Agreement
