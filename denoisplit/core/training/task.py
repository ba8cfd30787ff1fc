"""The training step as Lightning wants it. All mathematics is in the VSE."""

from collections.abc import Iterable, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from denoisplit.core.network.noise_source import GeneratorNoise
from denoisplit.core.network.objective import LossTerms, kl_weight, require_finite
from denoisplit.core.network.objective_terms import NamedTerm
from denoisplit.core.network.vse import VSE
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.batches import Pair
from denoisplit.core.training.monitor import MONITORS, validation_psnr

_VALIDATION = -1
MIN_LEARNING_RATE = 1e-12


def step_seed(seed: int, step: int, rank: int) -> int:
    """One number below 2^63 for a (seed, step, rank), by a fixed integer hash (splitmix64)."""
    mask = (1 << 64) - 1
    value = (seed * 0x9E3779B97F4A7C15 + (step + 2) * 0xBF58476D1CE4E5B9 + rank * 0x94D049BB133111EB) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return (value ^ (value >> 31)) >> 1


def _seed_drawing(seed: int) -> None:
    """Seed the global generators of the devices that are there.

    ``torch.manual_seed`` notes for every other sort of device where it was called from, and goes through
    source files for it.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)


def _moved(batch: Pair, device: torch.device) -> Pair:
    mixed, targets, *camera = (tensor.to(device) for tensor in batch)
    return (mixed, targets, camera[0]) if camera else (mixed, targets)


class SplittingTask(lightning.LightningModule):
    """Minimises the objective of a VSE; every random draw is a function of (seed, step, rank)."""

    def __init__(self, vse: VSE, spec: TrainingSpec, objectives: Sequence[NamedTerm] = ()) -> None:
        super().__init__()
        self.vse = vse
        self._spec = spec
        self._objectives = tuple(objectives)
        self._terms_of_objectives = nn.ModuleList(one.term for one in objectives)  # moves with the network
        self._validated: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: Pair, batch_idx: int) -> Tensor:
        """Objective of one batch; stops on the first non-finite term.

        Terms are logged where a validation follows: nobody looks at others, and a dozen numbers cost the
        trainer as much as the step of a small network.
        """
        del batch_idx
        step = self.global_step
        weight = kl_weight(
            step,
            target=self.vse.kl_scheme.weight,
            start=self._spec.kl_warmup_start,
            duration=self._spec.kl_warmup_steps,
        )
        terms = self._terms(batch, step, weight, self._objectives)
        require_finite(terms, step)
        if weight == self.vse.kl_scheme.weight:
            with torch.no_grad():
                self.vse.kl_scheme.observe(
                    step=step, distortion=terms.distortion.detach(), rate=terms.rate.detach()
                )
        if (step + 1) % self._spec.validate_every == 0 or step + 1 == self._spec.steps:
            self._report("train", terms)
        return terms.total

    def validation_step(self, batch: Pair, batch_idx: int) -> None:
        """Distortion of one posterior sample, without the rate (method section 2.4)."""
        terms = self._terms(batch, _VALIDATION - batch_idx, 0.0)
        require_finite(terms, self.global_step)
        self.log("val_loss", terms.distortion.detach(), batch_size=1, on_step=False, on_epoch=True)
        if self._spec.monitor == "psnr":
            mixed, targets = batch[:2]
            with self.vse.autocast():
                output = self.vse.decode(mixed, self._noise(_VALIDATION - batch_idx)).output
            signal = self.vse.statistics.to_counts(output[:, : self.vse.channels])
            self._validated.append((signal.detach(), targets.to(signal)))

    def loss_of(self, batches: Iterable[Pair]) -> float:
        """What the validation loss of these batches is, be it NaN or infinite."""
        training = self.training
        self.eval()
        with torch.no_grad():
            losses = [
                self._terms(_moved(batch, self.device), _VALIDATION - number, 0.0).distortion
                for number, batch in enumerate(batches)
            ]
        self.train(training)
        return float(torch.stack(losses).mean())

    def on_validation_epoch_start(self) -> None:
        """Forget the validation before."""
        self._validated.clear()

    def on_validation_epoch_end(self) -> None:
        """PSNR over all fields, where the spec goes by it (method section 6.4)."""
        if self._validated:
            self.log("val_psnr", validation_psnr(self._validated), batch_size=1)

    def configure_optimizers(self) -> Any:
        """Adamax, with the learning rate that the spec's schedule gives (method section 6.1)."""
        # One call for all tensors: hundreds of small calls take longer than what they compute.
        optimizer = torch.optim.Adamax(self.vse.parameters(), lr=self._spec.learning_rate, foreach=True)
        return {"optimizer": optimizer, "lr_scheduler": self._schedule(optimizer)}

    def _schedule(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Halved on a plateau of what is monitored, or half a cosine wave over all steps."""
        spec = self._spec
        if spec.schedule == "cosine":
            cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=spec.steps)
            return {"scheduler": cosine, "interval": "step"}
        monitor = MONITORS[spec.monitor]
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode=monitor.mode,
            factor=spec.plateau_factor,
            patience=spec.plateau_patience,
            min_lr=MIN_LEARNING_RATE,
        )
        return {
            "scheduler": plateau,
            "monitor": monitor.name,
            "interval": "step",
            "frequency": spec.validate_every,
        }

    def _terms(
        self, batch: Pair, step: int, weight: float, objectives: Sequence[NamedTerm] = ()
    ) -> LossTerms:
        mixed, targets, *camera = batch
        # Dropout draws from the global generator, so that one is put aside and seeded for this step.
        with torch.random.fork_rng():
            _seed_drawing(self._seed(step))
            return self.vse.loss(
                mixed,
                targets,
                self._noise(step),
                kl_weight=weight,
                channel_weights=self._spec.channel_weights,
                camera=camera[0] if camera else None,
                objectives=objectives,
            )

    def _seed(self, step: int) -> int:
        return step_seed(self._spec.seed, step, self.global_rank)

    def _noise(self, step: int) -> GeneratorNoise:
        """Latent noise of a step."""
        return GeneratorNoise(torch.Generator().manual_seed(self._seed(step)))

    def _report(self, stage: str, terms: LossTerms) -> None:
        values = {
            f"{stage}_loss": terms.total,
            f"{stage}_distortion": terms.distortion,
            f"{stage}_rate": terms.rate,
            **{f"{stage}_distortion_{c}": value for c, value in enumerate(terms.distortion_per_channel)},
            **{f"{stage}_rate_{level}": value for level, value in terms.rate_by_level.items()},
            **{f"{stage}_{one.name}": one.value for one in terms.objectives},
        }
        self.log_dict({name: value.detach() for name, value in values.items()}, batch_size=1)
        self.log("kl_weight", terms.kl_weight, batch_size=1)
