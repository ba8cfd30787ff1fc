"""A line of text in a widget that is never cut off."""

from typing import Any, Final, final

from magicgui.widgets import Container, Label

_WIDTH: Final = 240
"""Pixels: the least width of a dock."""


@final
class Message(Container[Any]):
    """Text that wraps, and takes the height that it needs."""

    def __init__(self) -> None:
        self._line = Label(value="")
        super().__init__(widgets=[self._line], labels=False)
        self._line.native.setWordWrap(True)

    @property
    def text(self) -> str:
        """The text."""
        return str(self._line.value)

    def say(self, text: str) -> None:
        """Show another text."""
        self._line.value = text
        label = self._line.native
        label.setMinimumHeight(label.heightForWidth(_WIDTH))
