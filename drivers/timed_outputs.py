"""Deadlines that hold when the event loop does not.

A door that is released for five seconds must lock again after five seconds, even while the asyncio loop
is stuck in something slow. One daemon thread keeps a heap of deadlines and runs a short action at each.
It is for the handful of actions that hardware timing depends on (relock, debounce) and not a general
scheduler: an action must neither block nor sleep.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

_log = logging.getLogger(__name__)


class Deadline:
    """One pending action. Made by a `Timer`; the only thing to do with it is to cancel it."""

    __slots__ = ("action", "at")

    def __init__(self, at: float, action: Callable[[], None]) -> None:
        self.at = at
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Forget the action. An action that has already begun still finishes."""
        self.action = None


class Timer(Protocol):
    """What a lock or a sensor needs to know of time. A test passes one it can step by hand."""

    def now(self) -> float:
        """The time in monotonic seconds."""

    def at(self, when: float, action: Callable[[], None]) -> Deadline:
        """Run `action` once at `when` (monotonic seconds; the past means at once)."""


class TimedOutputs:
    """The real `Timer`: one daemon thread for all outputs and inputs of an agent.

    `at` may be called from any thread. Actions run on the timer's own thread, one after another. Idle, it
    sleeps until the next deadline and costs nothing.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="timed-outputs", daemon=True)
        self._thread.start()

    def now(self) -> float:
        return self._clock()

    def at(self, when: float, action: Callable[[], None]) -> Deadline:
        """Run `action` at `when`. Raises RuntimeError once closed: a relock must never be lost silently."""
        deadline = Deadline(when, action)
        with self._changed:
            if self._closed:
                raise RuntimeError("the timer is closed; nothing would run this action")
            heapq.heappush(self._heap, (when, next(self._order), deadline))
            if self._heap[0][2] is deadline:
                self._changed.notify()
        return deadline

    def close(self) -> None:
        """Stop the thread and drop what is pending. Close the locks first; they lock as they close."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while (deadline := self._next()) is not None:
            action, deadline.action = deadline.action, None
            if action is None:
                continue
            try:
                action()
            except Exception:  # noqa: BLE001 - the thread serves every door; one broken action stops no other
                _log.error("a timed action failed", exc_info=True)

    def _next(self) -> Deadline | None:
        """Wait for the earliest deadline and take it; None once closed."""
        with self._changed:
            while not self._closed:
                while self._heap and self._heap[0][2].action is None:
                    heapq.heappop(self._heap)
                if not self._heap:
                    self._changed.wait()
                    continue
                wait = self._heap[0][0] - self._clock()
                if wait <= 0:
                    return heapq.heappop(self._heap)[2]
                self._changed.wait(wait)
        return None
