"""A console's live stream, as a browser reads it: every frame with the moment at which it came."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event. ``at``: monotonic seconds, when the last byte of it was read."""

    kind: str
    data: Any
    at: float


class ConsoleStream:
    """Follows ``/api/live`` of one site on a thread of its own, with a signed-in person's token."""

    def __init__(self, client: httpx.Client, site: str) -> None:
        self.frames: list[Frame] = []
        self._arrived = threading.Condition()
        self._client = httpx.Client(base_url=client.base_url, headers=client.headers, timeout=30)
        self._site = site
        self._thread = threading.Thread(target=self._follow, name="console-stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait(lambda frame: frame.kind == "hello", 0.0)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._client.close()

    def wait(self, wanted: Callable[[Frame], bool], since: float, within_s: float = 20) -> Frame:
        """The first frame since a moment that is wanted; AssertionError if none comes."""
        end = time.monotonic() + within_s
        with self._arrived:
            while True:
                found = next((frame for frame in self.frames if frame.at >= since and wanted(frame)), None)
                if found is not None:
                    return found
                assert self._arrived.wait(max(0.0, end - time.monotonic())), f"no such frame within {within_s:g} s"

    def _follow(self) -> None:
        kind = ""
        try:
            with self._client.stream("GET", "/api/live", params={"site": self._site}) as answer:
                for line in answer.iter_lines():
                    if line.startswith("event: "):
                        kind = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        frame = Frame(kind, json.loads(line.removeprefix("data: ")), time.monotonic())
                        with self._arrived:
                            self.frames.append(frame)
                            self._arrived.notify_all()
        except (httpx.HTTPError, RuntimeError, OSError):
            return  # the client was closed: the test is over
