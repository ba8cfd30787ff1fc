"""Every deliberate error, with one base class.

A message reads ``WHERE: WHAT IS WRONG (got VALUE). WHAT TO DO.`` There is one class per person who must act.
"""

import os
import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from typing import Final

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def uncoloured(said: object) -> str:
    """A foreign text without the codes of terminals for colours and bold letters, which torch writes."""
    return _COLOURS.sub("", str(said))


def in_one_line(said: object, most: int = 200) -> str:
    """A foreign text, such as an error of a library, shortened to one line for a message."""
    return " ".join(uncoloured(said).split())[:most]


def counted(number: int, what: str) -> str:
    """A number and its unit, for example ``2 tiles``."""
    return f"{number} {what}{'s' * (number != 1)}"


def quoted(command: Sequence[object]) -> str:
    """A command as one text, to be pasted into a shell of this system, whatever is in its paths."""
    words = [str(word) for word in command]
    if os.name == "nt":
        from subprocess import list2cmdline  # takes a while to import, and only Windows needs it

        return list2cmdline(words)
    return shlex.join(words)


def did_you_mean(word: str, known: Collection[str]) -> str:
    """`` Did you mean X?`` with the closest known word, or nothing."""
    from difflib import get_close_matches  # only mistakes need it

    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def require_keywords(method: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse keyword arguments that a method does not have.

    Raises:
        TypeError: as where Python itself says so.
    """
    for name in given:
        if name not in known:
            raise TypeError(
                f"{method}() got an unexpected keyword argument {name!r}.{did_you_mean(name, known)}"
            )


def printable(text: str) -> str:
    """A text with all but visible characters and spaces escaped, as in ``repr``."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class DenoisplitError(Exception):
    """Base of all deliberate errors; the command line prints its message and exits with code 2.

    Messages quote foreign files: what a terminal would not print, or would obey, is escaped.
    """

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


class ArgumentError(DenoisplitError):
    """The caller of a function has to act: an argument has a wrong type."""


class SpecError(DenoisplitError):
    """The writer of a spec has to act. Carries every problem found, one line each; a text is a single one."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(printable, [problems] if isinstance(problems, str) else problems))
        super().__init__("\n".join(self.problems))


class PluginError(DenoisplitError):
    """A plugin author, or whoever installed the plugin, has to act."""


class UnknownComponentError(PluginError):
    """No installed package offers a component of this kind and name."""


class DuplicateNameError(PluginError):
    """Two packages offer the same kind and name."""


class BrokenPluginError(PluginError):
    """A plugin was found but cannot be imported or does not obey the plugin contract."""


class MissingPackageError(DenoisplitError):
    """Whoever installed denoisplit has to act: an optional package is missing."""


class ImageError(DenoisplitError):
    """The owner of the images has to act: missing, truncated, constant, non-finite or wrongly shaped."""


class ChannelCountError(DenoisplitError):
    """The number of channels of an image, a model or a noise model do not fit each other."""


class NoiseModelError(DenoisplitError):
    """A noise model cannot be fitted to, or loaded from, the given data."""


class CalibrationError(DenoisplitError):
    """The calibration set does not allow a calibration."""


class RunError(DenoisplitError):
    """A run folder is missing, incomplete, or already taken."""


class NoWorkersError(RunError):
    """The processes that a script starts end as they start, whatever they are to do."""


class CheckpointError(DenoisplitError):
    """The user of another program's network has to act: checkpoint, config and files do not fit."""


class ExportError(DenoisplitError):
    """The user of a run has to act: its network cannot be written in a format of other programs."""


class TrainingError(DenoisplitError):
    """A training ended without a useful network; its user has to act."""


class NonFiniteLossError(DenoisplitError):
    """A term of the loss became NaN or infinite; training stops and nothing is replaced silently.

    Attributes:
        step: training step at which it happened.
        term: name of the term (``distortion``, ``rate``, ``total``).
        level: hierarchy level (0 = finest), or None when the term has no level.
    """

    def __init__(self, step: int, term: str, level: int | None = None) -> None:
        self.step, self.term, self.level = step, term, level
        where = term if level is None else f"{term} of level {level}"
        super().__init__(
            f"training step {step}: {where} is not finite. Lower training.learning_rate, lengthen "
            f"training.kl_warmup_steps, or look for saturated or corrupt images in the training data."
        )
