"""Numbers and lists in words."""

from collections.abc import Iterable, Sequence

from denoisplit.core.assessment.worth import listed


def by_channel(values: Iterable[tuple[str, str]]) -> str:
    """Pairs of channel and value in words: ``91% (actin) and 88% (nuclei)``."""
    return listed([f"{value} ({channel})" for channel, value in values])


def sides(shape: Sequence[int]) -> str:
    """A shape in words: ``512 x 512 px``."""
    return f"{' x '.join(map(str, shape))} px"


def number(value: float | None, how: str = ".4g") -> str:
    """A number, or ``n/a`` for none."""
    return "n/a" if value is None else format(value, how)
