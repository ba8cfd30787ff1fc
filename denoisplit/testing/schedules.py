"""Conformance suite for schedules."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import attrs
import pytest
import torch
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD
from torch.optim import Optimizer as Stepping
from torch.optim.lr_scheduler import LRScheduler

from denoisplit.core.errors import SpecError
from denoisplit.core.training.schedule import Better, Schedule, after_step, after_validation
from denoisplit.testing.option_effects import Trace, assert_options_have_effects
from denoisplit.testing.suite import ComponentTests, examples, tensor, through_a_file, tried, usable

_RATE: Final = 0.01
_STEPS: Final = 60
_EVERY: Final = 3
"""Steps between two validations."""
_LOW: Final = 0.1
"""Fraction of the learning rate below which a rate is low."""

IMPROVING: Final = tuple(10 - 0.3 * n for n in range(_STEPS // _EVERY))
STALLED: Final = (*IMPROVING[:4], *(IMPROVING[4],) * (len(IMPROVING) - 4))
RESTLESS: Final = tuple(5 + math.sin(7.0 * n) for n in range(len(IMPROVING)))
COURSES: Final = {"improving": IMPROVING, "stalled": STALLED, "restless": RESTLESS}
"""Values of validations, of which lower ones are better."""


class ScheduleTests(ComponentTests):
    """Laws of schedules: rates between zero and the learning rate, and the same when resumed."""

    kind: ClassVar[str] = "schedule"

    def schedule(self, options: Any) -> Schedule:
        """The component."""
        made = self.target()(options)
        assert isinstance(made, Schedule), f"not a Schedule (got {type(made)})"
        return made

    def over(
        self, options: Any, rate: float = _RATE, *, steps: int = _STEPS, better: Better = "min"
    ) -> tuple[Stepping, LRScheduler]:
        """Return an optimiser of one weight, and its scheduler."""
        optimizer = SGD([nn.Parameter(torch.ones(2))], lr=rate, momentum=0.5)
        made = self.schedule(options).over(optimizer, steps=steps, better=better)
        assert isinstance(made, LRScheduler), f"not a scheduler of torch (got {type(made)})"
        return optimizer, made

    def rates(
        self, pair: tuple[Stepping, LRScheduler], course: Sequence[float], steps: range = range(_STEPS)
    ) -> list[float]:
        """Return the rate of each of these steps, and of the step after them."""
        optimizer, scheduler = pair
        found = [float(optimizer.param_groups[0]["lr"])]
        for step in steps:
            optimizer.step()
            after_step(scheduler)
            if (step + 1) % _EVERY == 0:
                after_validation(scheduler, course[step // _EVERY])
            found.append(float(optimizer.param_groups[0]["lr"]))
        return found

    def usable(self, data: st.DataObject) -> Any:
        """Draw options that fit the number of steps."""
        options: list[Any] = []

        def build(one: Any) -> None:
            self.over(one)
            options.append(one)

        usable(data, self.options(), build)
        return options[-1]

    @pytest.mark.parametrize("course", COURSES)
    @tried(10, data=st.data())
    def test_rates_are_between_zero_and_the_learning_rate(self, course: str, data: st.DataObject) -> None:
        """And the first step has one above zero."""
        found = self.rates(self.over(self.usable(data)), COURSES[course])
        assert all(map(math.isfinite, found)), "a rate is not finite"
        assert min(found) >= 0, f"a rate is below zero ({min(found):.3g})"
        assert max(found) <= _RATE * (1 + 1e-9), (
            f"a rate is above the learning rate ({max(found) / _RATE:.3g})"
        )
        assert found[0] > 0, "the first step has a rate of zero"

    @pytest.mark.parametrize("course", COURSES)
    @tried(3, data=st.data())
    def test_rates_are_shares_of_the_learning_rate(self, course: str, data: st.DataObject) -> None:
        """Half of the learning rate is half of every rate."""
        options = self.usable(data)
        whole, half = (self.rates(self.over(options, rate), COURSES[course]) for rate in (_RATE, _RATE / 2))
        apart = max(abs(one - 2 * other) for one, other in zip(whole, half, strict=True))
        assert apart < 1e-4 * _RATE, f"rates are no shares of the learning rate (apart by {apart:.3g})"

    @pytest.mark.parametrize("course", COURSES)
    @tried(3, data=st.data())
    def test_higher_values_are_better_where_they_are(self, course: str, data: st.DataObject) -> None:
        """The same training, judged by a value that rises where another falls, has the same rates."""
        options = self.usable(data)
        expected = self.rates(self.over(options), COURSES[course])
        rising = [100 - value for value in COURSES[course]]
        found = self.rates(self.over(options, better="max"), rising)
        where = [n for n, (one, other) in enumerate(itertools.zip_longest(expected, found)) if one != other]
        assert not where, f"values that rise give other rates, from step {where[0]} on"

    @pytest.mark.parametrize("course", COURSES)
    @tried(3, data=st.data())
    def test_a_training_that_goes_on_is_one_that_never_stopped(
        self, course: str, data: st.DataObject
    ) -> None:
        """Bit for bit and from any step, from a state that a file of plain numbers can hold."""
        options = self.usable(data)
        expected = self.rates(self.over(options), COURSES[course])
        assert self.rates(self.over(options), COURSES[course]) == expected, (
            "a second training has other rates"
        )
        for stop in (1, _EVERY, _STEPS // 2, _STEPS - 1):
            stopped, resumed = self.over(options), self.over(options, rate=7.0)
            self.rates(stopped, COURSES[course], range(stop))
            resumed[0].load_state_dict(through_a_file(stopped[0].state_dict()))
            resumed[1].load_state_dict(through_a_file(stopped[1].state_dict()))
            found = self.rates(resumed, COURSES[course], range(stop, _STEPS))
            assert found == expected[stop:], f"a training that goes on from step {stop} has other rates"

    @tried(3, data=st.data())
    def test_it_changes_rates_alone(self, data: st.DataObject) -> None:
        """Weights and the other settings of the optimiser stay."""
        optimizer, scheduler = self.over(self.usable(data))
        self.rates((optimizer, scheduler), RESTLESS)
        (group,) = optimizer.param_groups
        assert bool((group["params"][0] == 1).all()), "weights are changed"
        assert group["momentum"] == 0.5, "the momentum is changed"

    @tried(5, data=st.data())
    def test_it_ends_low_where_it_says_so(self, data: st.DataObject) -> None:
        """However the validations go; and if it does not say so, some course does not end low."""
        options = self.usable(data)
        schedule = self.schedule(options)
        assert isinstance(schedule.ends_low, bool), "ends_low is neither True nor False"
        last = [self.rates(self.over(options), course)[-1] / _RATE for course in COURSES.values()]
        shown = ", ".join(f"{one:.3g}" for one in last)
        assert (max(last) < _LOW) == schedule.ends_low, (
            f"ends_low is {schedule.ends_low}, and the last rates are {shown} of the learning rate"
        )

    @pytest.mark.parametrize("steps", [1, 2])
    def test_the_shortest_trainings_are_taken_or_refused(self, steps: int) -> None:
        """With rates that are finite, or with a ``SpecError``."""
        try:
            pair = self.over(self.defaults(), steps=steps)
        except SpecError:
            return
        assert all(map(math.isfinite, self.rates(pair, IMPROVING, range(steps)))), "a rate is not finite"

    def test_every_option_has_an_effect(self) -> None:
        """On the rates of some course."""
        if not attrs.fields(self.target().Options):
            pytest.skip("there are no options")

        def trace(options: Any) -> Trace:
            return tuple(
                (name, tensor(self.rates(self.over(options), course))) for name, course in COURSES.items()
            )

        assert_options_have_effects(examples(self.options()), trace, unseen=self.unseen)
