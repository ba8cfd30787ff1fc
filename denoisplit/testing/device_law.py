"""The law of devices: a component computes the same on every device."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from denoisplit.core.devices import PROCESSOR
from denoisplit.core.errors import PluginError
from denoisplit.testing.kl_scheme_laws.kl_scheme_options import divergences
from denoisplit.testing.simulated_device import NAME, simulated_device
from denoisplit.testing.strategies import random, unit_levels
from denoisplit.testing.suite import ComponentTests, accepted, assert_close, in_two_and_three_dimensions

Answers = dict[str, Tensor]


def examined_on(device: str, suite: type[ComponentTests]) -> type[ComponentTests]:
    """Return a suite with the law of devices added.

    Raises:
        PluginError: no such device, or components of this kind do not compute on devices.
    """
    if device != NAME or suite.kind not in _ANSWERS:
        raise PluginError(
            f"plugins check --device: {', '.join(_ANSWERS)} are examined on the device {NAME} "
            f"(got {suite.kind} on {device}). Leave --device out."
        )
    there = simulated_device()

    @in_two_and_three_dimensions
    def law(self: Any, rank: int) -> None:
        """No tensor on the CPU meets one on the device."""
        module, answers = accepted(lambda: _ANSWERS[suite.kind](self, rank))
        expected, found = (answers(copy.deepcopy(module).to(where), where) for where in (PROCESSOR, there))
        for name, value in expected.items():
            assert found[name].device.type == there.type, f"the {name} is not on the device"
            assert_close(found[name].cpu(), value, f"the {name} differs on the device", rtol=1e-6)

    return type(suite.__name__, (suite,), {f"test_the_{NAME}_device_computes_what_the_processor_does": law})


def _of_network(cases: Any, rank: int) -> tuple[nn.Module, Callable[[Any, torch.device], Answers]]:
    trial = cases.trial_of(cases.smallest(), rank)

    def answers(module: Any, device: torch.device) -> Answers:
        inputs = [one.detach().to(device) for one in trial.inputs]
        maps = trial.run(module, inputs)
        found = {f"map {number}": one for number, one in enumerate(maps)}
        return found | _gradients(module, torch.stack([one.square().sum() for one in maps]).sum())

    return trial.module, answers


def _of_noise_model(cases: Any, rank: int) -> tuple[nn.Module, Callable[[Any, torch.device], Answers]]:
    model, signal = cases.model(cases.defaults()), cases.signals(rank, batch=2)
    maps, observation = cases.maps(model, signal), signal + 7 * random(5, *signal.shape)

    def answers(module: Any, device: torch.device) -> Answers:
        here, seen = signal.to(device), observation.to(device)
        extra = None if maps is None else maps.to(device)
        value = module.log_prob(seen, here, extra)
        found = {"likelihood": value, "variance": module.variance(here, extra)}
        own = module.signal_variance(here, extra)
        found |= {} if own is None else {"variance of the signal": own}
        found["sample"] = module.sample(here, torch.Generator().manual_seed(1), extra)
        return found | _gradients(module, value.sum())

    return model, answers


def _of_kl_scheme(cases: Any, rank: int) -> tuple[nn.Module, Callable[[Any, torch.device], Answers]]:
    def answers(module: Any, device: torch.device) -> Answers:
        levels = unit_levels(tuple(one.to(device) for one in divergences(2, rank)))
        before = cases.rate(module, levels, rank)
        with torch.no_grad():
            module.observe(step=0, distortion=before.total + 1, rate=before.total)
        after = cases.rate(module, levels, rank)
        return {
            "rate": before.total,
            "rate per level": before.per_level,
            "rate of the next step": after.total,
        }

    return cases.scheme(cases.defaults()), answers


def _of_optimizer(cases: Any, rank: int) -> tuple[nn.Module, Callable[[Any, torch.device], Answers]]:
    del rank
    weights = nn.ParameterList(cases.weights())

    def answers(module: Any, device: torch.device) -> Answers:
        stepping = cases.over(list(module), cases.defaults())
        for number in range(2):
            for place, weight in enumerate(module):
                weight.grad = random(7 * number + place, weight.numel()).view(weight.shape).to(weight)
            stepping.step()
        assert all(weight.device.type == device.type for weight in module)
        return {f"weight {place}": weight.detach() for place, weight in enumerate(module)}

    return weights, answers


def _gradients(module: nn.Module, scalar: Tensor) -> Answers:
    named = {name: one for name, one in module.named_parameters() if one.requires_grad}
    if not named or not scalar.requires_grad:
        return {}
    found = torch.autograd.grad(scalar, list(named.values()), allow_unused=True)
    return {f"gradient of {name}": g for name, g in zip(named, found, strict=True) if g is not None}


_ANSWERS: Final[Mapping[str, Any]] = {
    "encoder": _of_network,
    "decoder": _of_network,
    "noise_model": _of_noise_model,
    "kl_scheme": _of_kl_scheme,
    "optimizer": _of_optimizer,
}
"""Function that computes the outputs of a component, by kind."""
