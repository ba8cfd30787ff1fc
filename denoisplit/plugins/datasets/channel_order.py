"""Files of a data set that name their channels in another order than others, or than the spec."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

Names = tuple[str, ...]


def told_orders(found: Mapping[Path, Names], channels: Sequence[str]) -> tuple[str, ...]:
    """Return a remark on files whose channels are in another order.

    Args:
        found: names of the channels that are read from each file, as the file has them; empty if it has none.
        channels: names of the channels in the spec.
    """
    wanted = _plain(channels)
    named = {path: _plain(names) for path, names in found.items() if len(set(_plain(names))) == len(wanted)}
    known = [names for names in named.values() if set(names) == set(wanted)]
    right = wanted if known else Counter(named.values()).most_common(1)[0][0] if named else ()
    other = [path for path, names in named.items() if set(names) == set(right) and names != right]
    if not other:
        return ()
    shown = f"{other[0].name} has {', '.join(found[other[0]])}"
    more = f", and so have {len(other) - 1} more" if len(other) > 1 else ""
    than = f"than the spec ({', '.join(channels)})" if known else "than most files"
    told = f"files name their channels in another order {than}: {shown}{more}"
    return (f"{told}. Put the channels of all files into one order, and correct channels or channel_index.",)


def _plain(names: Sequence[str]) -> Names:
    return tuple(name.strip().casefold() for name in names)
