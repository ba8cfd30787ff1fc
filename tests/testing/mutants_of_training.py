"""Mutants of optimisers, schedules and loggers."""

from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR

from tests.testing.mutants import Change, Mutant, around

DOWNHILL = "steps_lead_downhill"
SAY = "the_schedule_has_its_say"
EFFECT = "every_option_has_an_effect"
GOES_ON = "a_training_that_goes_on_is_one_that_never_stopped"
BETWEEN = "rates_are_between_zero_and_the_learning_rate"
SHARES = "rates_are_shares_of_the_learning_rate"
HIGHER = "higher_values_are_better_where_they_are"
ALONE = "it_changes_rates_alone"
LOW = "it_ends_low_where_it_says_so"


def uphill(old: Any, self: Any, weights: Any, learning_rate: float) -> Any:
    made = old(self, weights, learning_rate)
    inner = made.step

    def step() -> None:
        for group in made.param_groups:
            for weight in group["params"]:
                weight.grad = None if weight.grad is None else -weight.grad
        inner()

    made.step = step
    return made


def one_rate(old: Any, self: Any, weights: Any, learning_rate: float) -> Any:
    made = old(self, weights, learning_rate)
    inner = made.step

    def step() -> None:
        made.param_groups[0]["lr"] = learning_rate
        inner()

    made.step = step
    return made


def no_state(old: Any, self: Any, weights: Any, learning_rate: float) -> Any:
    made = old(self, weights, learning_rate)
    made.state_dict = lambda: {"state": {}, "param_groups": made.param_groups}
    return made


def defaults(old: Any, self: Any, *args: Any, **known: Any) -> Any:
    return old(type(self)(type(self).Options()), *args, **known)


OF_OPTIMIZERS: tuple[tuple[str, Change, str], ...] = (
    ("sign", around(uphill), DOWNHILL),
    ("scale", around(lambda old, self, weights, rate: old(self, weights, 2 * rate)), SAY),
    ("dropped weights", around(lambda old, self, weights, rate: old(self, [next(weights)], rate)), DOWNHILL),
    ("dropped schedule", around(one_rate), SAY),
    ("dropped state", around(no_state), GOES_ON),
    ("dropped options", around(defaults), EFFECT),
)


def other(course: Any) -> Change:
    """Another course of the rate."""
    return around(lambda _old, _self, optimizer, *, steps, better: LambdaLR(optimizer, course))


def louder(old: Any, self: Any, optimizer: Any, *, steps: int, better: Any) -> Any:
    for group in optimizer.param_groups:
        group["lr"] *= 2
    return old(self, optimizer, steps=steps, better=better)


def heavier(old: Any, self: Any, optimizer: Any, *, steps: int, better: Any) -> Any:
    for group in optimizer.param_groups:
        group["momentum"] = 0.9
    return old(self, optimizer, steps=steps, better=better)


def absolute(old: Any, self: Any, optimizer: Any, *, steps: int, better: Any) -> Any:
    for group in optimizer.param_groups:
        group["lr"] = 0.001
    return old(self, optimizer, steps=steps, better=better)


def always_lower(old: Any, self: Any, optimizer: Any, *, steps: int, better: Any) -> Any:
    del better
    return old(self, optimizer, steps=steps, better="min")


def counted(old: Any, factor: float) -> Any:
    def changed(self: Any, optimizer: Any, *, steps: int, better: Any) -> Any:
        return old(self, optimizer, steps=max(1, int(factor * steps)), better=better)

    return changed


ANY_SCHEDULE: tuple[tuple[str, Change, str], ...] = (
    ("scale", around(louder), BETWEEN),
    ("sign", other(lambda step: -1.0 if step else 1.0), BETWEEN),
    ("dropped learning rate", around(absolute), SHARES),
    ("other momentum", around(heavier), ALONE),
)
OF_SCHEDULES: dict[str, tuple[tuple[str, Change, str], ...]] = {
    "plateau": (
        *ANY_SCHEDULE,
        ("sign of better", around(always_lower), HIGHER),
        ("dropped options", around(defaults), EFFECT),
        ("a falling rate", other(lambda step: 0.8**step), LOW),
    ),
    "cosine": (
        *ANY_SCHEDULE,
        ("half of the steps", lambda old: counted(old, 0.5), LOW),
        ("twice the steps", lambda old: counted(old, 2), LOW),
        ("dropped options", around(defaults), EFFECT),
    ),
    "constant": (*ANY_SCHEDULE, ("a falling rate", other(lambda step: 0.8**step), LOW)),
}

TRAINING_MUTANTS = (
    *(
        Mutant(f"optimizer/{name}", sort, f"optimizers.{name}:{cls}.over", change, law)
        for name, cls in (("adamax", "Adamax"), ("adamw", "AdamW"), ("muon", "Muon"), ("sgd", "Sgd"))
        for sort, change, law in OF_OPTIMIZERS
    ),
    *(
        Mutant(f"schedule/{name}", sort, f"schedules.{name}:{name.title()}.over", change, law)
        for name, mutants in OF_SCHEDULES.items()
        for sort, change, law in mutants
    ),
)

DOWN = "a_training_is_taken_down"
ONCE = "a_training_that_goes_on_is_taken_down_once"
LEFT = "the_training_is_left_alone"
BESIDE = "what_it_writes_lies_in_the_folder_of_the_run"
BEFORE = "nothing_is_begun_before_the_training"
CSV, BOARD = "loggers.csv_table:CsvTable", "loggers.tensorboard:TensorBoard"


def eager(old: Any, self: Any, options: Any, *, folder: Any) -> None:
    folder.mkdir()
    old(self, options, folder=folder)


def negated(old: Any, self: Any, step: int, numbers: Any) -> None:
    old(self, step, {name: -number for name, number in numbers.items()})


def late(old: Any, self: Any, step: int, numbers: Any) -> None:
    old(self, step + 1, numbers)


def shuffling(old: Any, self: Any, step: int, numbers: Any) -> None:
    torch.rand(1)
    old(self, step, numbers)


def forgetful(old: Any, self: Any, step: int, numbers: Any) -> None:
    old(self, step, {name: number for name, number in numbers.items() if name != "train_rate_0"})


def no_step(old: Any, self: Any, about: Any, *, step: int) -> None:
    del step
    old(self, about, step=0)


def spoiling(old: Any, self: Any, step: int, title: str, pixels: Any) -> None:
    old(self, step, title, pixels)
    pixels[:] = 0


def anywhere(old: Any, self: Any, options: Any, *, folder: Any) -> None:
    del folder
    old(self, options, folder=Path())


LOGGER_MUTANTS = (
    *(
        Mutant(f"logger/{name}", sort, f"{target}.{method}", around(change), law)
        for name, target in (("csv", CSV), ("tensorboard", BOARD))
        for sort, method, change, law in (
            ("sign", "values", negated, DOWN),
            ("another step", "values", late, DOWN),
            ("dropped numbers", "values", forgetful, DOWN),
            ("random numbers", "values", shuffling, LEFT),
            ("a folder at once", "__init__", eager, BEFORE),
            ("the working directory", "__init__", anywhere, BESIDE),
        )
    ),
    Mutant("logger/csv", "dropped state", f"{CSV}.load_state_dict", lambda _old: lambda *_: None, ONCE),
    Mutant("logger/tensorboard", "dropped step", f"{BOARD}.begin", around(no_step), ONCE),
    Mutant("logger/tensorboard", "spoilt pixels", f"{BOARD}.picture", around(spoiling), LEFT),
    Mutant("logger/tensorboard", "dropped picture", f"{BOARD}.picture", lambda _old: lambda *_: None, DOWN),
)
