"""What is argued about mutants is about mutants that there are."""

import ast
from functools import cache

import pytest

from tools.mutants.argued import PLUGINS, Argument, argument_for, arguments
from tools.mutants.operators import Mutation, mutations


@cache
def mutants(file: str) -> tuple[Mutation, ...]:
    return tuple(mutations(ast.parse((PLUGINS / file).read_text(encoding="utf-8"))))


@pytest.mark.parametrize("argument", arguments(), ids=lambda one: f"{one.file}:{one.code[:40]}")
def test_an_argument_is_about_some_mutants_and_says_why(argument: Argument) -> None:
    covered = [one for one in mutants(argument.file) if argument.covers(PLUGINS / argument.file, one)]
    assert covered, "no mutant is what it is about: the source has changed, or the text is another"
    sorts = {one.sort for one in covered}
    assert set(argument.sorts) <= sorts, f"no mutant of the sorts {set(argument.sorts) - sorts}"
    assert argument.why.endswith("."), "say why in a sentence"


def test_an_argument_covers_what_is_within_its_code_alone() -> None:
    source = "def scaled(x):\n    y = 2 * x + 1\n    return y + 1\n"
    argument = Argument(file="a.py", function="scaled", code="2 * x", sorts=("factor",), why="Because.")
    found = [one for one in mutations(ast.parse(source)) if argument.covers(PLUGINS / "a.py", one)]
    assert {(one.before, one.after) for one in found} == {("2 * x", "2 / x")}
    assert argument_for(PLUGINS / "b.py", found[0], [argument]) is None
    assert argument_for(PLUGINS / "a.py", found[0], [argument]) is argument


def test_guards_errors_hints_and_defaults_are_no_mutants() -> None:
    source = (
        "def paired(x: int = 1, y: float = 2.0) -> list:\n"
        "    if x < 0:\n"
        "        raise ValueError(f'{x + 1}')\n"
        "    z: tuple[int, 3] = zip(x, y, strict=True)\n"
        "    return z\n"
    )
    found = {(one.before, one.after, one.function) for one in mutations(ast.parse(source))}
    assert found == {("x < 0", "x >= 0", "paired"), ("0", "1", "paired")}


def test_what_is_only_said_is_no_mutant() -> None:
    source = (
        "def checked(x):\n"
        "    size = 2 * x\n"
        "    twice = size + 1\n"
        "    used = x + 4\n"
        "    advice = 'Take more.' if x > 8 else 'Take less.'\n"
        "    if used:\n"
        "        raise ValueError(f'{twice}: {advice}')\n"
        "    return 'a' if x else 'b'\n"
    )
    found = {(one.before, one.after) for one in mutations(ast.parse(source))}
    assert found == {
        ("x + 4", "x - 4"),
        ("x + 4", "x"),
        ("x + 4", "4"),
        ("4", "5"),
        ("'a' if x else 'b'", "'b' if x else 'a'"),
    }
