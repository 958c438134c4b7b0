"""Cancels a coroutine where it waits, at each of its waits in turn."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from enum import StrEnum
from typing import Any


class Moment(StrEnum):
    """When, of one wait, the cancellation comes."""

    WAITING = "while it waits"
    ANSWERED = "in the turn of the loop in which what it waits for comes"


class CancelledAt(Awaitable[Any]):
    """A coroutine whose task is cancelled at its ``at``-th wait (from 0), if it has so many."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], at: int, moment: Moment) -> None:
        self._coroutine = coroutine
        self._at = at
        self._moment = moment
        self.cancelled = False

    async def run(self) -> Any:
        """For a task of its own."""
        return await self

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        waits, step = 0, self._coroutine.send
        argument: Any = None
        while True:
            try:
                waited_for = step(argument)
            except StopIteration as ended:
                return ended.value
            if waits == self._at:
                self._cancel(task, waited_for)
            waits += 1
            try:
                argument, step = (yield waited_for), self._coroutine.send
            except BaseException as error:  # noqa: BLE001 - the coroutine's to handle
                argument, step = error, self._coroutine.throw

    def _cancel(self, task: asyncio.Task[Any], waited_for: asyncio.Future[Any] | None) -> None:
        def cancel(*_: object) -> None:
            self.cancelled = True
            task.cancel()

        if self._moment is Moment.ANSWERED and waited_for is not None:
            waited_for.add_done_callback(cancel)  # before the task's own, so that the task is still waiting
        else:
            asyncio.get_running_loop().call_soon(cancel)


async def cancelled_at_every_wait(
    make: Callable[[], Coroutine[Any, Any, Any]], moment: Moment, *, within_s: float = 30
) -> int:
    """Run what ``make`` makes again and again, cancelled at its first wait, its second, and so on until one run ends
    by itself; how many were cancelled. Fails if one that was cancelled ended otherwise, or not within its time.
    """
    at = 0
    while True:
        cancelling = CancelledAt(make(), at, moment)
        task = asyncio.create_task(cancelling.run())
        done, _ = await asyncio.wait({task}, timeout=within_s)
        assert done, f"cancelled {moment} at wait {at}, it went on"
        if not cancelling.cancelled:
            await task
            return at
        assert task.cancelled(), f"cancelled {moment} at wait {at}, it ended as if nobody had asked: {task!r}"
        at += 1
