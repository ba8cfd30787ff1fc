"""Chromium without a window, told what to do over a pipe by the DevTools protocol."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")


def installed() -> str | None:
    """The path of a Chromium; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@attrs.define
class Browser:
    """A page, and everything that happened on it.

    Attributes:
        events: what the browser told since the page was opened, oldest first.
    """

    _orders: int
    _answers: int
    _session: str = ""
    _sent: int = 0
    _left: bytes = b""
    events: list[dict[str, Any]] = attrs.field(factory=list)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method and wait for its result."""
        self._sent += 1
        message: dict[str, object] = {"id": self._sent, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._orders, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._sent:
            self.events.append(answer)
        assert "error" not in answer, answer
        found: dict[str, Any] = answer["result"]
        return found

    def wait_for(self, event: str) -> None:
        """Wait for an event."""
        while not any(one["method"] == event for one in self.events):
            self.events.append(self._next())

    def open(self, page: Path, *, dark: bool = False) -> None:
        """Open a page and listen to its console and its requests."""
        self.events.clear()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.as_uri())
        self.wait_for("Page.loadEventFired")

    def value(self, expression: str) -> Any:
        """The value of an expression of JavaScript; errors are errors."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_until(self, expression: str) -> None:
        """Wait until an expression of JavaScript is true."""
        look = f"const look = () => ({expression}) ? done() : setTimeout(look, 20); look();"
        promise = f"new Promise(done => {{ {look} }})"
        found = self.call("Runtime.evaluate", expression=promise, awaitPromise=True)
        assert "exceptionDetails" not in found, found

    @property
    def requests(self) -> set[str]:
        """Addresses that the page asked for, without what lies inside it."""
        sent = [one["params"] for one in self.events if one["method"].endswith("WillBeSent")]
        return {url for one in sent if not (url := one["request"]["url"]).startswith("data:")}

    @property
    def complaints(self) -> list[dict[str, Any]]:
        """Errors of the page and what is in its console."""
        told = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [one for one in self.events if one["method"] in told]

    def press(self, key: str) -> None:
        """Press a key, as a user does."""
        codes = {"ArrowRight": 39, "Home": 36, "End": 35, "Tab": 9, "Enter": 13}
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=codes[key],
                **text,
            )

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            more = os.read(self._answers, 1 << 20)
            assert more, "the browser ended"
            self._left += more
        line, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def browser(path: str, profile: Path) -> Iterator[Browser]:
    """Start a Chromium that reads what to do from file 3 and answers to file 4."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    words = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-dev-shm-usage",
        "--remote-debugging-pipe",
    ]
    command = 'exec "$@" 3<&"$IN" 4>&"$OUT"'
    process = subprocess.Popen(
        ["/bin/bash", "-c", command, "bash", path, *words, f"--user-data-dir={profile}"],
        env={**os.environ, "IN": str(theirs_in), "OUT": str(theirs_out)},
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    one = Browser(ours_out, ours_in)
    try:
        yield one
    finally:
        process.terminate()
        process.wait(timeout=30)
        os.close(ours_out)
        os.close(ours_in)
