"""A trained model on disk: safetensors for the weights, JSON for everything else. Nothing is pickled."""

import json
import math
import textwrap
from collections.abc import Mapping
from typing import Any

import attrs
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from denoisplit.core.documents import node_of
from denoisplit.core.errors import RunError
from denoisplit.core.images.fingerprint import ServedFields
from denoisplit.core.images.interfaces import FloatArray
from denoisplit.core.images.mixed_range import FittedRange, condition_mixed
from denoisplit.core.network.composer import compose
from denoisplit.core.network.interfaces import Calibration, FitReport, IntensityStats
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry import installed_registry, require_components
from denoisplit.core.spec import SpecTree, resolve, unstructure
from denoisplit.core.spec.records import ResolvedSpec
from denoisplit.core.storage.atomic import replacing, write_text
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.verdict.reference import Reference, Spread

FORMAT = 1
MESSAGE_LENGTH = 200


@attrs.frozen(kw_only=True)
class Bundle:
    """What a trained model is, beside its weights.

    Attributes:
        spec: the resolved spec it was trained from.
        statistics: intensity statistics of the training images.
        noise_reports: how well the noise models fitted.
        calibration: None when nothing was there to calibrate against.
        components: ``kind``, ``package/name`` and version of every component used.
        data_fingerprint: hash of the training images; empty for a network that was trained elsewhere.
        versions: of denoisplit, torch and lightning.
        steps: optimiser steps done.
        best_step: step of the stored weights.
        best_loss: validation loss of the stored weights; None for a network that was trained elsewhere.
        fitted_range: background and ceiling of the training images; None where nobody measured them, as in
            runs of early versions.
        served: fingerprints of the fields that it has seen; None for a network that was trained elsewhere and
            in runs of early versions.
        reference: what is usual of mixed images; None where nobody measured it, as in runs of early versions.
        region_calibration: of sums over regions; None where there is none, as in runs of early versions.
    """

    spec: ResolvedSpec
    statistics: IntensityStats
    noise_reports: tuple[FitReport, ...]
    calibration: Calibration | None
    components: tuple[tuple[str, str, str], ...]
    data_fingerprint: str
    versions: Mapping[str, str]
    steps: int
    best_step: int
    best_loss: float | None
    fitted_range: FittedRange | None = None
    served: ServedFields | None = None
    reference: Reference | None = None
    region_calibration: Calibration | None = None

    @property
    def ceiling(self) -> tuple[float, ...] | None:
        """What every channel is cut off at, counts; None where nobody measured it."""
        return None if self.fitted_range is None else self.fitted_range.ceiling

    def conditioned(self, mixed: FloatArray) -> FloatArray:
        """A mixed image [(z) y x] in counts as the network was trained to see it."""
        data, fitted = self.spec.data, self.fitted_range
        if fitted is None:
            return mixed
        if self.spec.channels[0] in data.recorded:  # a denoiser sees one channel out of the recorded ones
            fitted = fitted.of_channel(data.recorded.index(self.spec.channels[0]))
        return condition_mixed(mixed, fitted, data.background, data.mixing)


def save_bundle(folder: RunFolder, vse: VSE, bundle: Bundle) -> None:
    """Write weights and JSON into a run folder; the JSON comes last and marks the run as complete."""
    with replacing(folder.weights) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in vse.state_dict().items()}, temporary)
    plain = {
        "format": FORMAT,
        "spec": unstructure(bundle.spec),
        "statistics": attrs.asdict(bundle.statistics),
        "noise_reports": [attrs.asdict(report) for report in bundle.noise_reports],
        "calibration": attrs.asdict(bundle.calibration) if bundle.calibration else None,
        "region_calibration": attrs.asdict(bundle.region_calibration) if bundle.region_calibration else None,
        "components": bundle.components,
        "data_fingerprint": bundle.data_fingerprint,
        "versions": dict(bundle.versions),
        "steps": bundle.steps,
        "best_step": bundle.best_step,
        "best_loss": bundle.best_loss,
        "fitted_range": _plain_range(bundle.fitted_range),
        "served": attrs.asdict(bundle.served) if bundle.served else None,
        "reference": attrs.asdict(bundle.reference) if bundle.reference else None,
    }
    write_text(folder.bundle, json.dumps(plain, indent=2, allow_nan=False) + "\n")


def load_bundle(folder: RunFolder) -> tuple[VSE, Bundle]:
    """The network in evaluation mode, and its bundle.

    Raises:
        RunError: no run folder, files missing, truncated, or of a newer format.
        UnknownComponentError: a component is not installed; says which package and version to install.
        SpecError, PluginError: a component is broken, or does not take the options of the spec.
    """
    folder.require_model()
    bundle = _read_json(folder)
    spec = bundle.spec
    vse = compose(spec.model, bundle.statistics, channels=spec.channels, patch=spec.training.patch)
    try:
        vse.load_state_dict(load_file(folder.weights), strict=True)
    except (SafetensorError, RuntimeError, OSError) as error:
        # Torch lists every tensor that does not fit; the first ones say enough.
        reason = textwrap.shorten(str(error), MESSAGE_LENGTH, placeholder=" ...")
        raise RunError(
            f"{folder.weights}: does not hold the weights of this run ({reason}). "
            f"Copy the run folder again, or train it anew from its spec.yaml."
        ) from error
    return vse.eval(), bundle


def _read_json(folder: RunFolder) -> Bundle:
    try:
        plain: Any = json.loads(folder.bundle.read_text(encoding="utf-8"))
        if not isinstance(plain, dict):
            raise TypeError(f"expected a mapping, got {plain!r:.40}")
        if plain["format"] > FORMAT:
            raise RunError(
                f"{folder.bundle}: written by a newer denoisplit (got format {plain['format']}, "
                f"this one reads up to {FORMAT}). Update denoisplit."
            )
        registry = installed_registry()
        components = tuple(
            (str(kind), str(name), str(version)) for kind, name, version in plain["components"]
        )
        require_components(str(folder.path), components, registry)
        return Bundle(
            spec=resolve(SpecTree(node_of(plain["spec"], str(folder.bundle)), folder.path), registry),
            statistics=IntensityStats(**plain["statistics"]),
            noise_reports=tuple(
                FitReport(**{**report, "warnings": tuple(report["warnings"])})
                for report in plain["noise_reports"]
            ),
            calibration=_calibration(plain["calibration"]),
            components=components,
            data_fingerprint=plain["data_fingerprint"],
            versions=plain["versions"],
            steps=plain["steps"],
            best_step=plain["best_step"],
            best_loss=plain["best_loss"],
            fitted_range=_range(plain.get("fitted_range")),
            served=_served(plain.get("served")),
            reference=_reference(plain.get("reference")),
            region_calibration=_calibration(plain.get("region_calibration")),
        )
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RunError(
            f"{folder.bundle}: is not the description of a run ({reason}). "
            f"Copy the run folder again, or train it anew from its spec.yaml."
        ) from error


def _plain_range(fitted: FittedRange | None) -> dict[str, Any] | None:
    """For JSON, which has no infinity: a channel that is not cut off has no ceiling there."""
    if fitted is None:
        return None
    ceiling = [counts if math.isfinite(counts) else None for counts in fitted.ceiling]
    return {"ceiling": ceiling, "background_shift": fitted.background_shift}


def _calibration(plain: Any) -> Calibration | None:
    return Calibration(**plain) if plain else None


def _served(plain: Any) -> ServedFields | None:
    return None if plain is None else ServedFields(**{use: tuple(seen) for use, seen in plain.items()})


def _range(plain: Any) -> FittedRange | None:
    if plain is None:
        return None
    ceiling = tuple(math.inf if counts is None else float(counts) for counts in plain["ceiling"])
    return FittedRange(ceiling=ceiling, background_shift=float(plain["background_shift"]))


def _reference(plain: Any) -> Reference | None:
    if plain is None:
        return None
    found = {str(name): Spread(**spread) for name, spread in plain["spreads"].items()}
    return Reference(spreads=found, saturated=float(plain["saturated"]))
