"""Tolerances as the manifest of the reference numbers words them."""

import re

import attrs
import numpy as np
import numpy.typing as npt

_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_CLAUSE = re.compile(
    rf"(?:(?P<names>[A-Za-z_][\w/]*) )?(?P<kind>rtol|atol) (?P<number>{_NUMBER})"
    rf"|(?<=, )(?P<again>{_NUMBER})(?= \(| against )"
)
_BRACKETS = re.compile(r"\(([^()]*)\)|against (\w+)")
_BOUND = re.compile(rf"<= (?:(?P<constant>{_NUMBER}) \+ )?(?P<factor>{_NUMBER})\*")
_PERCENT = re.compile(rf"({_NUMBER}) %")


@attrs.frozen
class Tolerance:
    """Numbers agree where they differ by at most ``atol + rtol * |expected|``."""

    rtol: float = 0.0
    atol: float | npt.NDArray[np.float64] = 0.0

    def but_for_rounding(self, absolute: float) -> "Tolerance":
        """The same, for numbers that cancel: a relative tolerance of theirs can be less than rounding."""
        return attrs.evolve(self, atol=np.maximum(self.atol, absolute))


EXACT = Tolerance()


def parse(text: str, name: str = "") -> Tolerance:
    """The tolerance of ``name`` in a text such as ``rtol 1e-9 (mu, alpha), atol 1e-7 (log_p)``.

    Where no clause has the name, the first of each kind holds.

    Raises:
        ValueError: there is no tolerance in the text.
    """
    bound, percent = _BOUND.search(text), _PERCENT.search(text)
    if bound:
        return Tolerance(rtol=float(bound["factor"]), atol=float(bound["constant"] or 0))
    if percent:
        return Tolerance(rtol=float(percent[1]) / 100)
    named: dict[str, float] = {}
    general: dict[str, float] = {}
    found = list(_CLAUSE.finditer(text))
    kind = "rtol"
    ends = [clause.start() for clause in found[1:]] + [len(text)]
    for clause, end in zip(found, ends, strict=False):
        kind = clause["kind"] or kind
        number = float(clause["number"] or clause["again"])
        tail = text[clause.end() : end]
        labels = " ".join(filter(None, (clause["names"], *sum(_BRACKETS.findall(tail), ()))))
        if name and name in re.split(r"[^\w]+", labels):
            named[kind] = number
        else:
            general.setdefault(kind, number)
    if not (named or general):
        raise ValueError(f"no tolerance for {name!r} in {text!r}")
    return Tolerance(**(named or general))
