"""Debian's Chromium without a window, driven over two pipes: what a reader of the site would see.

The DevTools protocol in 100 lines: with --remote-debugging-pipe the browser reads
commands from descriptor 3 and writes answers and events to 4, JSON ended by a NUL.
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

PATIENCE = 60.0


class Browser:
    """One browser with one tab. A context manager: at its end no process of it is left."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.said: list[str] = []
        """What pages wrote to the console, and what went wrong in them, since ``open``."""
        self.asked: list[str] = []
        """The addresses that pages asked for since ``open``."""
        self._buffer = b""
        self._number = 0
        self._session = ""
        self._loaded: set[str] = set()

    def __enter__(self) -> Browser:
        theirs_in, self._in = os.pipe()
        self._out, theirs_out = os.pipe()
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --hide-scrollbars"
        )
        quiet = "--disable-background-networking --disable-component-update --disable-sync --disable-breakpad"
        command = ["chromium", *flags.split(), *quiet.split(), f"--user-data-dir={self.home}"]
        self._chromium = subprocess.Popen(
            # bash puts the pipes where the browser looks for them (sh knows no descriptor above 9).
            [
                *("bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash"),
                *(*command, "--remote-debugging-pipe"),
            ],
            pass_fds=[theirs_in, theirs_out],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self.home)},
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            self._attach()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.end()

    def _attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def end(self) -> None:
        """No process of the browser is left after it."""
        os.close(self._in)
        os.close(self._out)
        os.killpg(self._chromium.pid, signal.SIGKILL)
        self._chromium.wait()

    def look(self, width: int, height: int, scheme: str) -> None:
        """Sets the window's size, in CSS pixels, and whether the reader likes it ``dark`` or ``light``."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 800,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def open(self, address: str) -> None:
        """Goes there, and returns when the page is loaded."""
        self.said, self.asked, self._loaded = [], [], set()
        loader = self.call("Page.navigate", url=address)["loaderId"]
        while loader not in self._loaded:
            self._next()

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is waited for."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def drawings(self) -> int:
        """How many diagrams are drawn; the theme puts each in a shadow root, where scripts do not see it."""
        document = self.call("DOM.getDocument", depth=-1, pierce=True)["root"]
        return sum(1 for one in _below(document) for root in one.get("shadowRoots", ()) if _has_picture(root))

    def call(self, method: str, **words: Any) -> Any:
        """The answer to a command of the protocol."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": words}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._in, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            pass
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._out], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(self._out, 1 << 20) if ready else b""
            assert piece, "the browser does not answer"
            self._buffer += piece
        text, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, event: str, words: dict[str, Any]) -> None:
        if event == "Page.lifecycleEvent" and words["name"] == "load":
            self._loaded.add(words["loaderId"])
        elif event == "Runtime.consoleAPICalled" and words["type"] in ("error", "warning", "assert"):
            self.said.append(" ".join(str(one.get("value", one.get("description"))) for one in words["args"]))
        elif event == "Runtime.exceptionThrown":
            self.said.append(str(words["exceptionDetails"].get("exception", words["exceptionDetails"])))
        elif event == "Log.entryAdded" and words["entry"]["level"] in ("error", "warning"):
            self.said.append(f"{words['entry']['text']} {words['entry'].get('url', '')}")
        elif event == "Network.requestWillBeSent":
            self.asked.append(words["request"]["url"])


def _below(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("children", ()):
        yield from _below(child)


def _has_picture(root: dict[str, Any]) -> bool:
    """An <svg> with shapes in it: of an empty one, or one that tells of an error, nobody learns."""
    names = [one["nodeName"] for one in _below(root)]
    return root["shadowRootType"] != "user-agent" and "svg" in names and len(names) > 10
