"""Trained networks that come with denoisplit: a list of them, and a run folder for each."""

from pathlib import Path
from typing import Final

import attrs
from attrs.validators import ge, matches_re, min_len

from denoisplit.core.documents import plain, read_document, read_text
from denoisplit.core.errors import RunError, did_you_mean
from denoisplit.core.registry import installed_registry
from denoisplit.core.spec.training import MODEL
from denoisplit.core.storage.atomic import write_bytes
from denoisplit.core.storage.digests import file_hash
from denoisplit.core.storage.json_records import structured
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.storage.write_guards import require_outside_runs

LIST: Final = "models.yaml"
SHIPPED: Final = Path(__file__).parents[2] / "pretrained"
"""Folder in the package that holds the list and the run folders."""

_ADVICE: Final = "Install denoisplit again."


@attrs.frozen(kw_only=True)
class ModelFile:
    """A file of a shipped model.

    Attributes:
        name: its name in the run folder.
        size: bytes.
        sha256: SHA-256 of all its bytes, in hexadecimal digits.
    """

    name: str = attrs.field(validator=matches_re(r"[\w.]+"))
    size: int = attrs.field(validator=ge(1))
    sha256: str = attrs.field(validator=matches_re(r"[0-9a-f]{64}"))


@attrs.frozen(kw_only=True)
class ShippedModel:
    """A trained network that comes with denoisplit.

    Attributes:
        name: its name, as in ``model:NAME``.
        summary: what it does, one line.
        channels: structures that it splits an image into.
        network: its size, as in a spec.
        trained_on: images that it learnt from, one line.
        licence: licence of the weights, an SPDX identifier.
        since: first version of denoisplit that has it.
        folder: its run folder, relative to the list.
        files: the files in that folder.
    """

    name: str = attrs.field(validator=matches_re(r"[a-z0-9]+(-[a-z0-9]+)*"))
    summary: str
    channels: tuple[str, ...] = attrs.field(validator=min_len(1))
    network: str
    trained_on: str
    licence: str
    since: str
    folder: str = attrs.field(validator=matches_re(r"[\w-]+"))
    files: tuple[ModelFile, ...] = attrs.field(validator=min_len(1))

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)


@attrs.frozen(kw_only=True)
class _Listed:
    """Content of the list."""

    models: tuple[ShippedModel, ...]


def shipped_models() -> tuple[ShippedModel, ...]:
    """Return all models that come with this denoisplit.

    Raises:
        RunError: the list is missing or damaged.
    """
    path = SHIPPED / LIST
    where = f"{path}: is not a list of models"
    found = plain(read_document(read_text(path), str(path)))
    if not isinstance(found, dict):
        raise RunError(f"{where}. {_ADVICE}")
    return structured(found, _Listed, installed_registry(), where=where, advice=_ADVICE).models


def find_model(name: str, where: str) -> ShippedModel:
    """Return the model of a name.

    Args:
        name: its name, with or without ``model:`` before it.
        where: place of the name, for the message.

    Raises:
        RunError: no model has this name.
    """
    models = {model.name: model for model in shipped_models()}
    wanted = name.removeprefix(MODEL)
    if wanted not in models:
        close = did_you_mean(wanted, models)
        raise RunError(
            f"{where}: no such model (got {wanted!r}).{close} There is {', '.join(sorted(models))}; "
            f"'denoisplit models list' tells more."
        )
    return models[wanted]


def folder_of(model: ShippedModel) -> RunFolder:
    """Return the run folder of a model in the package, which nothing may be written to.

    Raises:
        RunError: a file is missing, or is not the one that was shipped.
    """
    folder = SHIPPED / model.folder
    for file in model.files:
        path = folder / file.name
        if not path.is_file():
            raise RunError(f"{path}: is missing. {_ADVICE}")
        if (found := file_hash(path)) != file.sha256:
            raise RunError(
                f"{path}: is not the file that was shipped (got SHA-256 {found:.12}..., expected "
                f"{file.sha256:.12}...). {_ADVICE}"
            )
    return RunFolder(folder)


def copy_model(model: ShippedModel, out: Path) -> RunFolder:
    """Copy a model into a run folder of its own.

    Raises:
        RunError: the folder is not empty, or a file of the model is damaged.
    """
    source, copy = folder_of(model), RunFolder(out)
    require_outside_runs(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out}: is not an empty folder. Choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    # The description comes last: it marks a run as complete.
    for file in (source.weights, source.bundle):
        write_bytes(copy.path / file.name, file.read_bytes())
    return copy
