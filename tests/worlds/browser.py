"""A real browser, driven by the DevTools protocol over pipes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

NAMES = ("chromium", "chromium-browser", "google-chrome")
_COMMAND_FD, _ANSWER_FD = 3, 4  # of --remote-debugging-pipe
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--hide-scrollbars")


def installed() -> str:
    """Return the path of a browser of the Chromium family; "" where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), "")


@dataclass
class Page:
    """One page of the browser."""

    commands: BinaryIO
    answers: BinaryIO
    session: str = ""
    number: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def show(self, file: Path, *, width: int, dark: bool = False) -> None:
        """Load a file in a window of some width and wait until it is there."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=True
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=file.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def requests(self) -> list[str]:
        """Return the addresses of what the page has asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def screenshot(self, file: Path) -> None:
        """Write a picture of the whole page."""
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(picture))

    def pdf_pages(self) -> int:
        """Print the page and return the number of sheets."""
        return base64.b64decode(self.call("Page.printToPDF")["data"]).count(b"/Type /Page\n")

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while (sign := self.answers.read(1)) != b"\0":
            assert sign, "the browser has ended"
            data += sign
        answer: dict[str, Any] = json.loads(data)
        return answer


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start a browser with a page."""
    command_read, command_write = os.pipe()
    answer_read, answer_write = os.pipe()

    def place() -> None:  # the pipes stand where the browser looks for them
        os.dup2(command_read, 100)
        os.dup2(answer_write, 101)
        os.dup2(100, _COMMAND_FD)
        os.dup2(101, _ANSWER_FD)

    process = subprocess.Popen(
        [installed(), *_OPTIONS, f"--user-data-dir={profile}"],
        preexec_fn=place,  # noqa: PLW1509 no other thread runs here
        pass_fds=(_COMMAND_FD, _ANSWER_FD),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(command_read)
    os.close(answer_write)
    with os.fdopen(command_write, "wb") as commands, os.fdopen(answer_read, "rb") as answers:
        page = Page(commands, answers)
        try:
            target = page.call("Target.createTarget", url="about:blank")["targetId"]
            page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Runtime"):
                page.call(f"{domain}.enable")
            yield page
        finally:
            process.kill()
            process.wait()
