"""A trained model on disk: safetensors for the weights, JSON for everything else. Nothing is pickled."""

import math
from collections.abc import Mapping
from typing import Any, Final

import attrs
from attrs.validators import ge

from denoisplit.core.documents import node_of
from denoisplit.core.errors import RunError, SpecError
from denoisplit.core.images.data_fingerprint import ServedFields
from denoisplit.core.images.hot_pixels import healed_image
from denoisplit.core.images.lazy import LazyArray
from denoisplit.core.images.mixed_range import FittedRange, condition_mixed, mixed_bounds
from denoisplit.core.network.composer import compose
from denoisplit.core.network.interfaces import Calibration, FitReport, IntensityStats
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry, other_versions, with_missing
from denoisplit.core.registry.modules import import_modules_of
from denoisplit.core.spec import SpecTree, resolve, unstructure
from denoisplit.core.spec.records import PLUGINS, ResolvedSpec
from denoisplit.core.storage.json_records import read_mapping, structured, write_mapping
from denoisplit.core.storage.run_folder import DUE, RunFolder
from denoisplit.core.storage.states import beginning, load_weights, save_weights
from denoisplit.core.verdict.reference import Reference

FORMAT = 1
_UNSAID: Final = {
    "data": {"degradation": {"noise": "in_order"}},
    "training": {"noise": "generator"},
    "prediction": {"noise": "ziggurat"},
}
"""Settings that the specs of early runs lack because there was no choice yet."""

_RANGE: Final = "fitted_range"
_LATELY: Final = (DUE, "start", "device")
"""Fields that are written only where they say something."""

_ADVICE: Final = "Copy the run folder again, or train it again from its spec.yaml."


@attrs.frozen(kw_only=True)
class Start:
    """Origin of the weights with which a training started.

    Attributes:
        run: folder of the run, or ``model:NAME`` for a model that comes with denoisplit.
        weights: SHA-256 of the file of its weights.
        taken: number of tensors taken over.
        drawn: names of the tensors of encoder and decoder that did not fit and were drawn at random.
    """

    run: str
    weights: str
    taken: int = attrs.field(validator=ge(0))
    drawn: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Described:
    """What is stored of a trained model besides its weights and its spec, which are documents of their own.

    Attributes:
        statistics: intensity statistics of the training images.
        noise_reports: quality of the fits of the noise models.
        calibration: None if there was nothing to calibrate against.
        components: ``kind``, ``package/name`` and version of every component used.
        data_fingerprint: hash of the training images; empty for a network that was trained elsewhere.
        versions: versions of denoisplit, torch and lightning.
        steps: number of optimiser steps.
        best_step: step of the stored weights.
        best_loss: validation loss of the stored weights; None for a network that was trained elsewhere.
        fitted_range: background and ceiling of the training images; None if not measured, as in runs of early
            versions.
        served: fingerprints of the fields that it was trained on; None for a network that was trained
            elsewhere and in runs of early versions.
        reference: statistics of usual mixed images; None if not measured, as in runs of early versions.
        region_calibration: calibration of sums over regions; None if there is none, as in runs of early
            versions.
        calibration_due: whether calibration and reference are still to be measured.
        start: origin of the initial weights; None if they were drawn at random.
        device: device of the training, in words; empty for a network that was trained elsewhere and in runs
            of early versions.
    """

    statistics: IntensityStats
    noise_reports: tuple[FitReport, ...]
    calibration: Calibration | None
    components: tuple[tuple[str, str, str], ...]
    data_fingerprint: str
    versions: Mapping[str, str]
    steps: int = attrs.field(validator=ge(0))
    best_step: int = attrs.field(validator=ge(0))
    best_loss: float | None
    fitted_range: FittedRange | None = None
    served: ServedFields | None = None
    reference: Reference | None = None
    region_calibration: Calibration | None = None
    calibration_due: bool = False
    start: Start | None = None
    device: str = ""


@attrs.frozen(kw_only=True)
class Bundle(Described):
    """The description of a trained model: everything but its weights.

    Attributes:
        spec: the resolved spec of its training.
    """

    spec: ResolvedSpec

    @property
    def ceiling(self) -> tuple[float, ...] | None:
        """Intensity at which every channel is cut off, counts; None if not measured."""
        return None if self.fitted_range is None else self.fitted_range.ceiling

    def conditioned(self, mixed: LazyArray) -> LazyArray:
        """A mixed image [(z) y x], counts, as the network was trained to see it, without hot pixels."""
        mixed = healed_image(mixed)
        data, fitted = self.spec.data, self.mixed_range
        return mixed if fitted is None else condition_mixed(mixed, fitted, data.background, data.mixing)

    @property
    def mixed_range(self) -> FittedRange | None:
        """The range that mixed images are conditioned to; None if not measured."""
        data, fitted = self.spec.data, self.fitted_range
        if fitted is not None and self.spec.channels[0] in data.recorded:
            # A denoiser sees one of the recorded channels.
            return fitted.of_channel(data.recorded.index(self.spec.channels[0]))
        return fitted

    @property
    def mixed_bounds(self) -> tuple[float, float]:
        """Lowest and highest value of mixed images without background, counts; infinite for none."""
        data, fitted = self.spec.data, self.mixed_range
        return (-math.inf, math.inf) if fitted is None else mixed_bounds(fitted, data.background, data.mixing)


def save_bundle(folder: RunFolder, vse: VSE, bundle: Bundle) -> None:
    """Write weights and JSON to a run folder; the JSON comes last and marks the network as complete."""
    save_weights(folder.weights, vse.state_dict())
    save_description(folder, bundle)


def save_description(folder: RunFolder, bundle: Bundle) -> None:
    """Write the JSON of a run that has weights; the former one stays until the new one is complete."""
    stored = {
        name: value
        for name, value in attrs.asdict(bundle, filter=lambda field, _: field.name != "spec").items()
        if value or name not in _LATELY
    }
    plain = {"format": FORMAT, "spec": unstructure(bundle.spec), **stored}
    if bundle.fitted_range is not None:
        ceiling = [counts if math.isfinite(counts) else None for counts in bundle.fitted_range.ceiling]
        plain[_RANGE]["ceiling"] = ceiling
    write_mapping(folder.bundle, plain)


def load_bundle(folder: RunFolder) -> tuple[VSE, Bundle]:
    """Load the network, in evaluation mode, and its bundle.

    Raises:
        RunError: no run folder, or its files are missing, truncated, or of a newer format.
        UnknownComponentError: a component is not installed; names the package and version to install.
        SpecError, PluginError: a component is broken, does not accept the options of the spec, or its plugin
            module is missing.
    """
    folder.require_model()
    bundle = load_description(folder)
    spec = bundle.spec
    vse = compose(spec.model, bundle.statistics, channels=spec.channels, patch=spec.training.patch)
    try:
        vse.load_state_dict(load_weights(folder.weights), strict=True)
    except RuntimeError as error:
        advice = other_versions(bundle.components, installed_registry()) or _ADVICE
        raise RunError(
            f"{folder.weights}: does not hold the weights of this run ({beginning(error)}). {advice}"
        ) from error
    return vse.eval(), bundle


@attrs.frozen(kw_only=True)
class _StoredRange:
    """``FittedRange`` in JSON, which has no infinity: None for a channel that is not cut off."""

    ceiling: tuple[float | None, ...]
    background_shift: float


def load_description(folder: RunFolder) -> Bundle:
    """Load the bundle without its network; raises the same errors as ``load_bundle``."""
    file, what = folder.bundle, "the description of a run"
    plain = read_mapping(file, what, _ADVICE)
    where = f"{file}: is not {what}"
    newest = plain.get("format")
    if not isinstance(newest, int) or isinstance(newest, bool) or newest < 1:
        raise RunError(f"{where} ($.format: expected a whole number >= 1 (got {newest!r})). {_ADVICE}")
    if newest > FORMAT:
        raise RunError(
            f"{file}: written by a newer denoisplit (got format {newest}, this one reads up to {FORMAT}). "
            f"Update denoisplit."
        )
    registry = installed_registry()
    known = {field.name for field in attrs.fields(Described)} - {_RANGE}
    stored = structured(plain, Described, registry, where=where, advice=_ADVICE, skip=set(plain) - known)
    if plain.get(_RANGE) is not None:
        fitted = structured(plain[_RANGE], _StoredRange, registry, where=where, advice=_ADVICE)
        stored = attrs.evolve(stored, fitted_range=_range(fitted))
    if "spec" not in plain:
        raise RunError(f"{where} ($.spec: missing). {_ADVICE}")
    modules = import_modules_of(folder.path, _plugin_modules(plain["spec"]), registry)
    registry = with_missing(str(folder.path), stored.components, registry, no_module=modules.why_not)
    said = _said(plain["spec"])
    if modules.why_not:  # resolving would import the others
        said = {**said, PLUGINS: list(modules.here)}
    try:
        spec = resolve(SpecTree(node_of(said, str(file)), folder.path), registry)
    except SpecError as error:
        if not (advice := other_versions(stored.components, registry)):
            raise
        raise SpecError((*error.problems, f"{folder.path}: {advice}")) from error
    return Bundle(spec=spec, **{field.name: getattr(stored, field.name) for field in attrs.fields(Described)})


def _said(spec: Any, unsaid: Mapping[str, Any] = _UNSAID) -> Any:
    """Complete a stored spec with the settings it lacks; invalid ones are reported by ``resolve``."""
    if not isinstance(spec, Mapping):
        return spec
    added = {name: _said(spec.get(name, {}), of) for name, of in unsaid.items() if isinstance(of, Mapping)}
    return {**unsaid, **spec, **added}


def _plugin_modules(spec: Any) -> tuple[str, ...]:
    """The plugin modules of a stored spec; an invalid list is reported by ``resolve``."""
    modules = spec.get(PLUGINS, ()) if isinstance(spec, Mapping) else ()
    return tuple(name for name in modules if isinstance(name, str)) if isinstance(modules, list) else ()


def _range(stored: _StoredRange) -> FittedRange:
    ceiling = tuple(math.inf if counts is None else counts for counts in stored.ceiling)
    return FittedRange(ceiling=ceiling, background_shift=stored.background_shift)
