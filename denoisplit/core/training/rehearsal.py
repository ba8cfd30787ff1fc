"""Rehearsal of a run before its first step, on a few pixels of noise.

A component that would fail after hours, at the calibration or when the run is stored, fails in the first
seconds, in one line that names it. The network of the run is not touched: the rehearsal uses a copy that was
written and read back. It draws no random numbers of the run.
"""

import logging
import random
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import torch
from torch import Tensor

from denoisplit.core.errors import (
    BrokenPluginError,
    DenoisplitError,
    NoiseModelError,
    PluginError,
    RunError,
    SpecError,
)
from denoisplit.core.images.bases import Field
from denoisplit.core.network.calibrating import calibrated_std, gives_std
from denoisplit.core.network.composer import patch_sides
from denoisplit.core.network.interfaces import IntensityStats
from denoisplit.core.network.noise_source import StepNoise
from denoisplit.core.network.trial import require_variance, small_sides
from denoisplit.core.network.vse import VSE
from denoisplit.core.registry.blame import blaming
from denoisplit.core.spec.records import Chosen, ResolvedSpec, components
from denoisplit.core.storage.bundle import (
    Bundle,
    load_bundle,
    load_description,
    save_bundle,
    save_description,
)
from denoisplit.core.storage.run_folder import RunFolder
from denoisplit.core.training.calibration.fit_calibrators import MIN_SAMPLES, calibrate_run
from denoisplit.core.training.calibration.measured_reference import measure_reference

_LOG: Final = logging.getLogger("denoisplit.training")

FIELDS: Final = 2
"""Number of toy fields, for training and held out each, and of patches in a batch."""

_NOISE: Final = StepNoise(0, 0, range(FIELDS))

_LEVEL: Final = 0.9
"""Level of the intervals."""


def rehearse(vse: VSE, bundle: Bundle, *, clean: bool) -> None:
    """Try all stages of a training and its calibration.

    Raises:
        PluginError: a component fails; says which, and where.
        SpecError: components do not go together.
    """
    spec = bundle.spec
    whole = patch_sides(spec.training.patch, spec.model.dimensions)
    small = small_sides(vse, whole)
    for sides in dict.fromkeys((small, whole)):
        try:
            with _aside(), tempfile.TemporaryDirectory(prefix="denoisplit-") as folder:
                _Rehearsal(RunFolder(Path(folder)), bundle, sides, clean=clean).run(vse)
        except BrokenPluginError:
            if sides == whole:  # a component may only accept the patches of its training
                raise
        except (PluginError, SpecError):
            raise
        except RunError as error:
            raise SpecError(
                f"$.model: the network cannot be read back after it was stored ({error})."
            ) from error
        except (DenoisplitError, OSError) as error:
            # Noise may fail where images do not, and the disk for temporary files is not that of the run.
            _LOG.debug("the rehearsal ended early: %s", error)
            return
        else:
            return


class _Rehearsal:
    """One run from the first step to the calibrated std, in a folder of its own."""

    def __init__(self, folder: RunFolder, bundle: Bundle, sides: tuple[int, ...], *, clean: bool) -> None:
        prediction = attrs.evolve(bundle.spec.prediction, samples=MIN_SAMPLES, tile=0)
        self._spec: ResolvedSpec = attrs.evolve(bundle.spec, prediction=prediction)
        self._folder, self._bundle = folder, attrs.evolve(bundle, spec=self._spec)
        self._sides, self._clean = sides, clean
        order = ("decoder", "encoder", "noise_model", "kl_scheme")
        rows = (row for row in components(self._spec) if row.kind in order)
        self._network = sorted(rows, key=lambda row: order.index(row.kind))

    def run(self, vse: VSE) -> None:
        with blaming(self._network, "cannot be stored and read back"):
            save_bundle(self._folder, vse, self._bundle)
            copy, _ = load_bundle(self._folder)
        copy.precision = vse.precision
        with suppress(NoiseModelError):  # raised by a camera noise model: noise has no place on a camera
            self._step(copy)
        copy.eval()
        self._look_at_variance(copy)
        pixels = self._spec.calibrator
        rows = [pixels.component, *self._network]
        if self._spec.region_calibrator is not None:
            rows.insert(1, self._spec.region_calibrator.component)
        held_out = self._fields(copy.statistics, seed=1)
        with blaming(rows, "fails at the calibration after the training"):
            found = calibrate_run(copy, self._spec, held_out)
        seen = self._fields(copy.statistics, seed=2)
        with blaming(self._network, "fails when images are looked at after the training"):
            measure_reference(copy, self._spec, seen, held_out)
        self._stored(pixels, attrs.evolve(self._bundle, calibration=found.pixels))
        if self._spec.region_calibrator is not None:
            both = attrs.evolve(self._bundle, region_calibration=found.regions)
            self._stored(self._spec.region_calibrator, both)
        if found.pixels is not None:
            self._applied(pixels)

    def _step(self, copy: VSE) -> None:
        copy.train()
        observed = self._observed(copy.statistics, seed=0)
        with blaming(self._network, "fails in a step of the training"):
            terms = copy.loss(
                self._mixed(copy),
                _tensor(observed),
                _NOISE,
                kl_weight=float(copy.kl_scheme.weight),
                channel_weights=self._spec.training.channel_weights,
            )
            torch.autograd.backward(terms.total)

    def _look_at_variance(self, copy: VSE) -> None:
        """Check what a noise model that is fitted now says of the signal."""
        rows = [row for row in self._network if row.kind == "noise_model"]
        with torch.no_grad(), blaming((*rows, *self._network), "tells no variance of the signal"):
            maps = copy.decode(self._mixed(copy), _NOISE).output
            found = copy.signal_variance(maps)
        if found is not None:
            require_variance(rows[0], found, tuple(copy.signal(maps).shape))

    def _mixed(self, copy: VSE) -> Tensor:
        """Noise [b scales (z) y x] with the mean and std of the mixed images."""
        size = (FIELDS, 1 + copy.context, *self._sides)
        rng, statistics = np.random.default_rng(3), copy.statistics
        return _tensor(rng.normal(statistics.mixed_mean, statistics.mixed_std, size))

    def _stored(self, chosen: Chosen, bundle: Bundle) -> None:
        doing = "its calibration cannot be stored: Calibration.parameters holds lists of plain numbers"
        with blaming((chosen.component,), doing):
            save_description(self._folder, bundle)
            self._bundle = load_description(self._folder)

    def _applied(self, chosen: Chosen) -> None:
        """Check that the calibration that was read back works for predictions."""
        stored = self._bundle.calibration
        mean = self._observed(self._bundle.statistics, seed=4)[0]
        std = np.linspace(0.5, 2, mean.size, dtype=mean.dtype).reshape(mean.shape)
        with blaming((chosen.component,), "does not apply the calibration that it wrote"):
            if stored is None:
                return
            known = chosen.build()
            (low,), (high,) = known.interval(stored, mean[None].copy(), std[None].copy(), _LEVEL)
            calibrated = std
            if gives_std(known):
                (calibrated,) = calibrated_std(known, stored, mean[None].copy(), std[None].copy())
            for image in (low, high, calibrated):
                if image.shape != mean.shape:
                    raise ValueError(f"an image of shape {image.shape} comes out for {mean.shape}")
            if not (calibrated >= 0).all():
                raise ValueError(f"a std of {calibrated.min():.4g} comes out")
            if not (low <= high).all():
                raise ValueError("the lower bound of an interval is above the upper one")

    def _fields(self, statistics: IntensityStats, seed: int) -> Sequence[Field]:
        """Toy fields with the same source of errors as the images: clean references or repeats."""
        clean, noisy = (self._observed(statistics, seed=10 * seed + part) for part in range(2))
        return [
            Field(name=f"toy {number}", observed=noisy[number], clean=clean[number])
            if self._clean
            else Field(
                name=f"toy {number}",
                observed=noisy[number],
                repeats=clean[number][None],
            )
            for number in range(FIELDS)
        ]

    def _observed(self, statistics: IntensityStats, seed: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Noise [b c (z) y x] with the mean and std of the images."""
        shape = (-1, *[1] * len(self._sides))
        mean, std = (np.reshape(part, shape) for part in (statistics.target_mean, statistics.target_std))
        size = (FIELDS, statistics.channels, *self._sides)
        return np.random.default_rng(seed).normal(mean, std, size).astype(np.float32)


def _tensor(values: "np.ndarray[Any, Any]") -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


@contextmanager
def _aside() -> Iterator[None]:
    """Context without logs or warnings, after which global random generators are as before."""
    known = (logging.getLogger(name) for name in list(logging.root.manager.loggerDict))
    loggers = [one for one in known if one.name.partition(".")[0] == "denoisplit" and not one.disabled]
    state, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 (what others draw from)
    for one in loggers:
        one.disabled = True
    try:
        with torch.random.fork_rng(devices=()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one in loggers:
            one.disabled = False
        random.setstate(state)
        np.random.set_state(legacy)  # noqa: NPY002
