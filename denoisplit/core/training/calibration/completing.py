"""Completion of a run after its last step: calibration and reference statistics, stored with the network."""

import json
import logging
from collections.abc import Sequence
from typing import Final

import attrs

from denoisplit.core.errors import RunError, quoted
from denoisplit.core.images.bases import Field
from denoisplit.core.images.large_fields import CENTRE, in_memory
from denoisplit.core.network.calibrating import most_seen
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.progress import Stages, silent
from denoisplit.core.registry.blame import blaming
from denoisplit.core.registry.component import Component
from denoisplit.core.spec.records import ResolvedSpec, components
from denoisplit.core.storage.bundle import Bundle, load_bundle, save_description
from denoisplit.core.storage.lock import exclusive
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.calibration.fit_calibrators import calibrate_run
from denoisplit.core.training.calibration.measured_reference import measure_reference
from denoisplit.core.training.data.prepare import PreparedData, held_out_alone, prepare, splits_text
from denoisplit.core.training.watchers.log_file import log_file
from denoisplit.core.verdict.reference import Reference

_LOG: Final = logging.getLogger("denoisplit.training")


def complete(vse: VSE, bundle: Bundle, data: PreparedData, folder: RunFolder, stages: Stages) -> Bundle:
    """Calibrate a trained network, measure reference statistics of the images, and add both to its run.

    Raises:
        BrokenPluginError: a component fails; the run stays as it was, without this calibration.
    """
    return _completed(vse, bundle, folder, stages, data.validation, data.conditioned, None)


def _completed(
    vse: VSE,
    bundle: Bundle,
    folder: RunFolder,
    stages: Stages,
    validation: Sequence[Field],
    training: Sequence[Field],
    known: Reference | None,
) -> Bundle:
    """Do so with the conditioned fields; reference statistics that are ``known`` stay."""
    spec = bundle.spec
    held_out = in_memory(validation, CENTRE, "calibration and verdicts")
    seen = in_memory(training, CENTRE, "calibration and verdicts")
    again = quoted(("denoisplit", "calibrate", folder.path))
    kept = f"fails after training; the network is kept, and '{again}' goes on"
    with blaming((spec.calibrator.component, *_network(spec)), kept):
        with stages("Calibrating") as tell:
            calibrations = calibrate_run(vse, spec, held_out, tell, seen=seen)
        if known is None:
            with stages("Looking at the images") as tell:
                known = measure_reference(vse, spec, seen, held_out, tell)
        found = attrs.evolve(
            bundle,
            calibration=calibrations.pixels,
            region_calibration=calibrations.regions,
            reference=attrs.evolve(known, gains=calibrations.gains),
            calibration_due=False,
        )
        save_description(folder, found)
    return found


def calibrate_again(folder: RunFolder, vse: VSE, stages: Stages = silent) -> Bundle:
    """Calibrate a run on the held-out images of its spec, as its training did.

    The former calibration is replaced when the new one is complete; weights are not touched. Training images
    are read only where the run does not hold all that is needed of them.

    Raises:
        RunError: no run, its images have changed, or another process is writing to its folder.
        DenoisplitError: the images cannot be read.
    """
    folder.require_model()
    with exclusive(folder.path), log_file(folder.log):
        _, bundle = load_bundle(folder)
        if not bundle.data_fingerprint:
            raise RunError(
                f"{folder.path}: was trained elsewhere, so that its images are not known. "
                f"Train with denoisplit for a calibration."
            )
        data = bundle.spec.data
        if (
            data.validation is not None
            and bundle.ceiling is not None
            and bundle.served is not None
            and _needs_no_training_images(bundle)
        ):
            held_out, fingerprints = held_out_alone(bundle.spec, data.validation, bundle.ceiling)
            if fingerprints != bundle.served.held_out:
                raise _changed(folder)
            _LOG.info("calibrating again: %s", folder.path)
            return _completed(vse, bundle, folder, stages, held_out, (), bundle.reference)
        prepared = prepare(bundle.spec)
        if prepared.fingerprint != bundle.data_fingerprint or bundle.served not in (None, prepared.served):
            raise _changed(folder, prepared)
        _LOG.info("calibrating again: %s", folder.path)
        return complete(vse, bundle, prepared, folder, stages)


def _needs_no_training_images(bundle: Bundle) -> bool:
    """Whether reference statistics are measured, and no calibrator learns from training fields."""
    spec = bundle.spec
    chosen = [spec.calibrator, *filter(None, [spec.region_calibrator])]
    measured = bundle.reference is not None and not bundle.calibration_due
    return measured and most_seen(one.build() for one in chosen) == 0


def _changed(folder: RunFolder, found: PreparedData | None = None) -> RunError:
    """The error for other images; names what is gone, and what is new, where the run has a list."""
    told = "other pixels"
    if found is not None and folder.splits.is_file():
        before, now = (
            {name for names in json.loads(text).values() for name in names}
            for text in (folder.splits.read_text(encoding="utf-8"), splits_text(found))
        )
        parts = (("gone", before - now), ("new", now - before))
        told = "; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in parts if names) or told
    return RunError(
        f"{folder.path}: the images of its spec are not those that it was trained with (got {told}). "
        f"Restore the images, or train anew."
    )


def _network(spec: ResolvedSpec) -> tuple[Component, ...]:
    """Components of the network and the calibration."""
    kinds = ("encoder", "decoder", "noise_model", "kl_scheme", "calibrator")
    return tuple(row for row in components(spec) if row.kind in kinds)
