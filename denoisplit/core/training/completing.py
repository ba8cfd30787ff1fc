"""Completion of a run after its last step: calibration and reference statistics, stored with the network."""

import logging
from typing import Final

import attrs

from denoisplit.core.errors import RunError
from denoisplit.core.images.large_fields import CENTRE, in_memory
from denoisplit.core.network.vse import VSE
from denoisplit.core.prediction.progress import Stages, silent
from denoisplit.core.registry.blame import blaming
from denoisplit.core.registry.component import Component
from denoisplit.core.spec.records import ResolvedSpec, components
from denoisplit.core.storage.bundle import Bundle, load_bundle, save_description
from denoisplit.core.storage.lock import exclusive
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.fit_calibrators import calibrate_run
from denoisplit.core.training.log_file import log_file
from denoisplit.core.training.measured_reference import measure_reference
from denoisplit.core.training.prepare import PreparedData, prepare

_LOG: Final = logging.getLogger("denoisplit.training")


def complete(vse: VSE, bundle: Bundle, data: PreparedData, folder: RunFolder, stages: Stages) -> Bundle:
    """Calibrate a trained network, measure reference statistics of the images, and add both to its run.

    Args:
        vse: the network, in evaluation mode; its weights are stored already.
        bundle: the stored description of the run.
        data: the images of its spec.
        folder: the run folder.
        stages: shows the progress.

    Raises:
        BrokenPluginError: a component fails; the run stays as it was, without this calibration.
    """
    spec = bundle.spec
    held_out = in_memory(data.validation, CENTRE, "calibration and verdicts")
    seen = in_memory(data.conditioned, CENTRE, "calibration and verdicts")
    kept = f"fails after training; the network is kept, and 'denoisplit calibrate {folder.path}' goes on"
    with blaming((spec.calibrator.component, *_network(spec)), kept):
        with stages("Calibrating") as tell:
            calibrations = calibrate_run(vse, spec, held_out, tell, seen=seen)
        with stages("Looking at the images") as tell:
            reference = measure_reference(vse, spec, seen, held_out, tell)
        found = attrs.evolve(
            bundle,
            calibration=calibrations.pixels,
            region_calibration=calibrations.regions,
            reference=attrs.evolve(reference, gains=calibrations.gains),
            calibration_due=False,
        )
        save_description(folder, found)
    return found


def calibrate_again(folder: RunFolder, vse: VSE, stages: Stages = silent) -> Bundle:
    """Calibrate a run on the held-out images of its spec, as its training did.

    The former calibration is replaced when the new one is complete; weights are not touched.

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
        data = prepare(bundle.spec)
        if data.fingerprint != bundle.data_fingerprint or bundle.served not in (None, data.served):
            raise RunError(
                f"{folder.path}: the images of its spec are not those that it was trained with (got other "
                f"pixels). Restore the images, or train anew."
            )
        _LOG.info("calibrating again: %s", folder.path)
        return complete(vse, bundle, data, folder, stages)


def _network(spec: ResolvedSpec) -> tuple[Component, ...]:
    """Components of the network and the calibration."""
    kinds = ("encoder", "decoder", "noise_model", "kl_scheme", "calibrator")
    return tuple(row for row in components(spec) if row.kind in kinds)
