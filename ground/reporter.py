"""A part that reports what happened: it calls each listener with one value, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Reporter(Generic[V]):
    """Reports values of one kind. Nothing is queued: every listener has acted when the report returns, and what a
    listener raises reaches the reporter."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[V], None]] = []

    def listen(self, listener: Callable[[V], None]) -> None:
        """Call a function with every value from now on, at once and in the order of registration."""
        self._listeners.append(listener)

    def when(self, kind: type[V], act: Callable[[], None]) -> None:
        """Call a function, without arguments, for every value of one kind from now on."""
        self.listen(lambda value: act() if isinstance(value, kind) else None)

    def _report(self, value: V) -> None:
        for listener in self._listeners:
            listener(value)
