"""Check whether a model has seen the fields of its evaluation, or parts of them."""

from collections.abc import Sequence

import attrs

from denoisplit.core.errors import DenoisplitError
from denoisplit.core.images.bases import Field
from denoisplit.core.images.data_fingerprint import data_fingerprint
from denoisplit.core.images.overlap import overlapping
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.bundle import Bundle
from denoisplit.core.training.data.prepare import served_fields

_ADVICE = "Name a data.test for independent numbers."
_USES = ("training", "held out")


@attrs.frozen(kw_only=True)
class Independence:
    """Use of fields in the training of a model.

    Attributes:
        uses: use by name of the field: ``training``, ``held out``, ``overlaps training``, ``overlaps held
            out``, or an empty text for a new one; None if it is not known.
        compared: why parts of fields were not compared; empty if they were, or need not be.
    """

    uses: dict[str, str] | None
    compared: str = ""

    def sentences(self, source: str) -> list[str]:
        """Sentences below the scores; ``source`` is where the fields come from."""
        if self.uses is None:
            if source == "test":
                advice = "Make sure that these are other fields."
                return [f"This run has no record of what it was trained on. {advice}"]
            return [f"These fields also served for early stopping and calibration. {_ADVICE}"]
        said = []
        if trained := self._of("training"):
            said.append(
                f"WARNING: {trained} served in training, so these scores say nothing about other images. "
                f"{_ADVICE}"
            )
        if parts := self._of("overlaps training"):
            said.append(
                f"WARNING: {parts} overlap with images that served in training, so these scores are too "
                f"good. {_ADVICE}"
            )
        if held_out := self._of("held out"):
            said.append(f"{held_out} also served for early stopping and calibration. {_ADVICE}")
        if parts := self._of("overlaps held out"):
            said.append(
                f"{parts} overlap with images that served for early stopping and calibration. {_ADVICE}"
            )
        return said + [self.compared] * bool(self.compared)

    def _of(self, use: str) -> str:
        uses = self.uses or {}
        names = [name for name, found in uses.items() if found == use]
        if names and len(names) == len(uses):
            return "These fields"
        return f"{len(names)} of these {len(uses)} fields ({', '.join(names)})" if names else ""


def independence(bundle: Bundle, spec: ResolvedSpec, fields: Sequence[Field]) -> Independence:
    """Find out how fields were used in the training of a model.

    Whole fields are recognised by their fingerprints. Parts are searched for in the images that the model was
    trained on, if they still exist; test data of its own spec was compared before training.
    """
    served = bundle.served
    if served is None:
        return Independence(uses=None)
    uses = {field.name: served.use_of(field) for field in fields}
    if spec.data.test in (None, bundle.spec.data.test):
        return Independence(uses=uses)
    try:
        *seen, _ = served_fields(bundle.spec)
    except DenoisplitError as error:
        return Independence(uses=uses, compared=_not_compared(str(error)))
    if data_fingerprint(seen[0]) != bundle.data_fingerprint:
        return Independence(uses=uses, compared=_not_compared("they have changed"))
    for use, others in zip(_USES, seen, strict=True):
        for field, shared in zip(fields, overlapping(fields, others), strict=True):
            if shared and not uses[field.name]:
                uses[field.name] = f"overlaps {use}"
    return Independence(uses=uses)


def _not_compared(reason: str) -> str:
    return (
        f"Only copies of training images were looked for, not crops of them: the training images cannot be "
        f"compared ({reason.rstrip('.')})."
    )
