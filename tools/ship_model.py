"""Put a trained run among the models that come with denoisplit: python -m tools.ship_model RUN NAME."""

import sys
from pathlib import Path

import torch
import yaml
from torch import Tensor

from denoisplit.core.storage.digests import file_hash
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.shipped_models import SHIPPED
from denoisplit.core.storage.states import load_weights, save_weights

MOST = 1_500_000
"""Bytes that a model may add to the package."""


def ship(run: RunFolder, name: str) -> str:
    """Copy a run into the package, with its convolutions in half precision.

    Returns:
        The files of its row in the list of models, as YAML.

    Raises:
        ValueError: it is too large.
    """
    run.require_model()
    shipped = RunFolder(SHIPPED / name)
    shipped.path.mkdir(exist_ok=True)
    save_weights(
        shipped.weights, {name: _small(name, tensor) for name, tensor in load_weights(run.weights).items()}
    )
    shipped.bundle.write_bytes(run.bundle.read_bytes())
    files = [
        {"name": file.name, "size": file.stat().st_size, "sha256": file_hash(file)}
        for file in (shipped.weights, shipped.bundle)
    ]
    if (size := shipped.weights.stat().st_size) > MOST:
        raise ValueError(
            f"{shipped.weights}: is too large (got {size} bytes, at most {MOST}). Train fewer maps."
        )
    return yaml.safe_dump({"files": files}, sort_keys=False)


def _small(name: str, tensor: Tensor) -> Tensor:
    """Half precision for the kernels of convolutions, which are nearly all numbers of a network."""
    return tensor.half() if tensor.ndim > 2 and name.startswith(("encoder.", "decoder.")) else tensor


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    sys.stdout.write(ship(RunFolder(Path(sys.argv[1])), sys.argv[2]))
