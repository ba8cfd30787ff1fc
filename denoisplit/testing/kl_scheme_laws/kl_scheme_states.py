"""Laws of KL schemes about what they learn from training steps."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import strategies as st
from torch.distributions import Normal

from denoisplit.core.network.latent import Level
from denoisplit.testing.kl_scheme_laws.kl_scheme_options import KLOptionTests, divergences, learn
from denoisplit.testing.strategies import levels, unit_levels
from denoisplit.testing.suite import accepted, assert_close, tried

_STEPS = 4
_SAME = 1e-4
"""Logarithm of a change that is rounding in float32."""


class KLStateTests(KLOptionTests):
    """Laws of schemes that observe training steps; they hold for others, too."""

    @tried(3, data=st.data(), steps=st.integers(0, 4))
    def test_what_is_learned_is_saved(self, data: st.DataObject, steps: int) -> None:
        """A scheme that is saved and loaded goes on as before; one without state learns nothing."""
        options, drawn = data.draw(self.options()), data.draw(levels(2))
        scheme, other = self.scheme(options), self.scheme(options)
        fresh = self.rate(scheme, drawn, 2).per_level
        for step in range(steps):
            learn(scheme, step)
        state = {name: value.clone() for name, value in scheme.state_dict().items()}
        assert state or torch.equal(self.rate(scheme, drawn, 2).per_level, fresh), (
            "training steps change the rate, and nothing of them would be saved"
        )
        accepted(lambda: other.load_state_dict(state))
        for step in range(steps, steps + 3):
            rates = [self.rate(one, drawn, 2).per_level for one in (scheme, other)]
            assert torch.equal(*rates), (
                f"saved and read after {steps} steps, the rate is another at step {step}"
            )
            for one in (scheme, other):
                learn(one, step)

    @tried(3, data=st.data(), steps=st.integers(1, 4))
    def test_what_was_learned_leaves_the_gradient_that_of_the_rate(
        self, data: st.DataObject, steps: int
    ) -> None:
        """Steps observed between a rate and its gradient do not matter, and the rate stays finite."""
        scheme = self.scheme(data.draw(self.counting()), free_bits=0.0)
        values = divergences(steps, 2)
        mean = torch.ones((), dtype=torch.float64, requires_grad=True)
        unit = unit_levels(values)
        found = []
        for told in (0, steps):
            moved = tuple(
                Level(Normal(mean * x.posterior.mean, x.posterior.stddev), x.prior, mean * x.posterior.mean)
                for x in unit
            )
            total = self.rate(scheme, moved, 2).total
            for step in range(told):
                learn(scheme, step)
            with _not_overwritten():
                (gradient,) = torch.autograd.grad(total, mean)
            found.append(gradient)
        assert bool(found[0].isfinite()), "the gradient of the rate is not finite"
        assert_close(found[1], found[0], "a step that is told after a rate changes the gradient of that rate")

    @tried(3, data=st.data(), away=st.floats(0.1, 2.0))
    def test_a_target_of_the_distortion_is_kept(self, data: st.DataObject, away: float) -> None:
        """An option ``distortion`` is recognised by its name: above it the rate gets cheaper, below dearer.

        As much so in either direction, and the more so with every step farther away; at the target, not.
        """
        options, drawn = data.draw(self.options()), data.draw(levels(2))
        target = getattr(options, "distortion", None)
        if not isinstance(target, float):
            return
        gained: dict[float, list[float]] = {}
        for off in (-away, 0.0, away):
            scheme = self.scheme(options, free_bits=0.0)
            rates = [self.rate(scheme, drawn, 2).total]
            for step in range(_STEPS):
                told = torch.tensor(target + off * (step + 1))
                scheme.observe(step=step, distortion=told, rate=rates[0].detach())
                rates.append(self.rate(scheme, drawn, 2).total)
            gained[off] = [math.log(abs(float(rate / rates[0]))) for rate in rates[1:]]
        for step, (dearer, same, cheaper) in enumerate(zip(*gained.values(), strict=True)):
            assert abs(same) < _SAME, f"{step + 1} steps at the target change the logarithm by {same:.3g}"
            assert cheaper < 0 < dearer, (
                f"{step + 1} steps {away:.3g} from the target change the logarithm of the rate by "
                f"{cheaper:.3g} above it, {dearer:.3g} below"
            )
            assert abs(cheaper / dearer + 1) < 0.1, "above and below the target are not alike"
        for one in (gained[-away], gained[away]):
            assert sorted(one, key=abs) == one, "the rate does not follow a distortion that stays away"


@contextmanager
def _not_overwritten() -> Iterator[None]:
    """Say in plain words that a gradient needs a number that is another by now."""
    try:
        yield
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        pytest.fail(
            "a step that is told after a rate overwrites a number that the gradient of that rate needs: "
            "multiply by a copy of it (.clone()) in forward"
        )
