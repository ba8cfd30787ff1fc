"""The objective of training steps and the values of validations, as functions of step number and batch."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from denoisplit.core.network.named_term import NamedTerm
from denoisplit.core.network.objective import LossTerms, kl_weight
from denoisplit.core.network.vse import ALL_PIXELS, VSE
from denoisplit.core.prediction.samples.passes import evaluating
from denoisplit.core.spec.records import TrainingSpec
from denoisplit.core.training.data.batches import Mover, Pair
from denoisplit.core.training.steps.drawing import STEP_DRAWS
from denoisplit.core.training.steps.monitor import MONITORS, validation_psnr
from denoisplit.core.training.steps.parts import Part
from denoisplit.core.training.steps.unread import Unread

_VALIDATION = -1


class SplittingTask(nn.Module):
    """The objective of a VSE; every random draw is a function of (seed, step, number in the batch).

    Args:
        vse: the network.
        spec: how it is trained.
        objectives: terms beside distortion and rate.

    Attributes:
        unread: steps that are not yet known to be finite.
    """

    def __init__(self, vse: VSE, spec: TrainingSpec, objectives: Sequence[NamedTerm] = ()) -> None:
        super().__init__()
        self.vse = vse
        self._spec = spec
        self._draws = STEP_DRAWS[spec.noise](spec.seed)
        self._objectives = tuple(objectives)
        self.unread = Unread()
        self._terms_of_objectives = nn.ModuleList(one.term for one in objectives)  # moves with the network

    def forward(self, batch: Pair, step: int, part: Part | None = None) -> LossTerms:
        """Compute the objective of the batch of a step, or of a part of it."""
        weight = kl_weight(
            step,
            target=self.vse.kl_scheme.weight,
            start=self._spec.kl_warmup_start,
            duration=self._spec.kl_warmup_steps,
        )
        return self.terms(batch, step, weight, self._objectives, part, self.pixels(step))

    def took(self, terms: LossTerms, step: int) -> None:
        """Pass the objective of a step to the KL scheme, which may adapt to it without gradients.

        Raises:
            NonFiniteLossError: a term of this step, or an earlier one, is NaN or infinite; see ``Unread``.
        """
        self.unread.take(terms, step)
        if terms.kl_weight == self.vse.kl_scheme.weight:
            with torch.no_grad():
                self.vse.kl_scheme.observe(
                    step=step, distortion=terms.distortion.detach(), rate=terms.rate.detach()
                )

    def validated(self, batches: Iterable[Pair], step: int) -> dict[str, float]:
        """Compute the values of a validation by name: distortion of one posterior sample, without the rate.

        If the spec monitors it, also the PSNR over all fields.

        Raises:
            NonFiniteLossError: a distortion is NaN or infinite.
        Source: method sections 2.4 and 6.4.
        """
        losses, signals, unread = [], [], Unread()
        with evaluating(self.vse), torch.inference_mode():
            for number, batch in enumerate(map(Mover(self.vse.device), batches)):
                terms = self.terms(batch, _VALIDATION - number, 0.0)
                unread.take(terms, step)
                losses.append(terms.distortion)
                if self._spec.monitor == "psnr":
                    signals.append(self._signal(batch, _VALIDATION - number))
            unread.look()
            found = {MONITORS["loss"].name: float(torch.stack(losses).mean())}
            if signals:
                found[MONITORS["psnr"].name] = validation_psnr(signals)
        return found

    def loss_of(self, batches: Iterable[Pair]) -> float:
        """Compute the validation loss of these batches; may be NaN or infinite."""
        with evaluating(self.vse), torch.inference_mode():
            losses = [
                self.terms(batch, _VALIDATION - number, 0.0).distortion
                for number, batch in enumerate(map(Mover(self.vse.device), batches))
            ]
        return float(torch.stack(losses).mean())

    def terms(
        self,
        batch: Pair,
        step: int,
        weight: float,
        objectives: Sequence[NamedTerm] = (),
        part: Part | None = None,
        pixels: tuple[slice, slice] = ALL_PIXELS,
    ) -> LossTerms:
        """Compute the objective of a batch, or of a part, and its terms, with the random draws of a step."""
        mixed, targets, *camera = batch
        part = part or Part.whole(len(mixed))
        with self._draws.dropping(self.vse, step, part, mixed.device):
            return self.vse.loss(
                mixed,
                targets,
                self._draws.latent(step, part),
                kl_weight=weight,
                channel_weights=self._spec.channel_weights,
                camera=camera[0] if camera else None,
                objectives=objectives,
                pixels=pixels,
            )

    def pixels(self, step: int) -> tuple[slice, slice]:
        """Index of the pixels in the likelihood of a step; ``every`` squared steps take each pixel once."""
        every = self._spec.likelihood_every
        y, x = divmod(step % every**2, every)
        return slice(y, None, every), slice(x, None, every)

    def _signal(self, batch: Pair, step: int) -> tuple[Tensor, Tensor]:
        """Draw one posterior sample, and return it with the targets, counts."""
        mixed, targets = batch[:2]
        with self.vse.autocast():
            output = self.vse.decode(mixed, self._draws.latent(step, Part.whole(len(mixed)))).output
        signal = self.vse.statistics.to_counts(output[:, : self.vse.channels])
        return signal.cpu(), targets.to(signal).cpu()  # for float64, which not every device has


def values_of(terms: LossTerms) -> dict[str, float]:
    """Return the terms of a training step by their names in the log."""
    values = {
        "loss": terms.total,
        "distortion": terms.distortion,
        "rate": terms.rate,
        **{f"distortion_{c}": value for c, value in enumerate(terms.distortion_per_channel)},
        **{f"rate_{level}": value for level, value in terms.rate_by_level.items()},
        **{one.name: one.value for one in terms.objectives},
    }
    numbers = torch.stack([value.detach() for value in values.values()]).tolist()  # waits for a GPU only once
    found = {f"train_{name}": number for name, number in zip(values, numbers, strict=True)}
    return found | {"kl_weight": float(terms.kl_weight)}
