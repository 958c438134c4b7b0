"""The processes of a demonstration: started, watched, and ended in order, with none left behind.

It knows nothing of what they do. Each is the leader of its own session, so that Ctrl-C reaches only the one that
started them, and is tethered to it (simulators.district.tether), so that they end even if it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

STOP_WITHIN_S = 5.0
LAST_LINES = 15


class ChildFailed(Exception):  # noqa: N818 - it is the child that failed
    """A process ended that should not have. The text says which, how, and its last words."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running process. ``log`` holds all it says."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def epitaph(self) -> str:
        """How it ended, and the last lines of its log."""
        code = self.process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with {code}"
        lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        said = "\n".join(f"    {line}" for line in lines) or "    (it said nothing)"
        return f"{self.name} {how}. The end of {self.log}:\n{said}"


class Children:
    """Starts processes and ends them, the last started first. An asynchronous context manager."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[tuple[Child, asyncio.Task[None]]] = []
        self._stopping = False
        self._first_death: asyncio.Future[Child] | None = None

    async def __aenter__(self) -> Self:
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._first_death = asyncio.get_running_loop().create_future()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        stop = asyncio.ensure_future(self.stop())
        while not stop.done():  # a second Ctrl-C does not leave orphans
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([stop])
        stop.result()

    @property
    def pids(self) -> dict[str, int]:
        """Name -> process id, of those that were started."""
        return {child.name: child.process.pid for child, _ in self._running}

    async def start(self, name: str, command: Sequence[str]) -> Child:
        """Start a program that is to run until :meth:`stop`."""
        child = await self._spawn(name, command, asyncio.subprocess.DEVNULL)
        self._running.append((child, asyncio.create_task(self._watch(child))))
        return child

    async def kill(self, name: str) -> None:
        """End one at once, as a power cut does: SIGKILL to its whole group. KeyError if it does not run.

        ``died`` does not report this death, and another may be started under its name.
        """
        child, watch = next((pair for pair in self._running if pair[0].name == name), (None, None))
        if child is None or watch is None:
            raise KeyError(name)
        self._running = [pair for pair in self._running if pair[0] is not child]
        watch.cancel()
        _signal(child, signal.SIGKILL)
        await child.process.wait()

    async def finish(self, name: str, command: Sequence[str], given: bytes) -> None:
        """Run a program to its end, with ``given`` on its standard input. :class:`ChildFailed` unless it ends with 0.

        It is ended, too, if the wait is cancelled.
        """
        child = await self._spawn(name, command, asyncio.subprocess.PIPE)
        try:
            await child.process.communicate(given)
        finally:
            if child.process.returncode is None:
                _signal(child, signal.SIGKILL)
                await child.process.wait()
        if child.process.returncode != 0:
            raise ChildFailed(child.epitaph())

    async def died(self) -> None:
        """Never returns; raises :class:`ChildFailed` when one of them ends by itself."""
        assert self._first_death is not None, "enter the context first"
        child = await asyncio.shield(self._first_death)
        raise ChildFailed(child.epitaph())

    async def stop(self) -> None:
        """End them all: SIGTERM, and SIGKILL for any that takes longer than STOP_WITHIN_S."""
        self._stopping = True
        # Those that were started together may end together; what they all need was started before and ends after.
        while self._running:
            name = _kind(self._running[-1][0])
            together = [pair for pair in self._running if _kind(pair[0]) == name]
            self._running = [pair for pair in self._running if pair not in together]
            await asyncio.gather(*(_end(child) for child, _ in together))
            await asyncio.gather(*(watch for _, watch in together))

    async def _spawn(self, name: str, command: Sequence[str], stdin: int) -> Child:
        log = self._logs / f"{name}.log"
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "simulators.district.tether", str(os.getpid()), *command),
                stdin=stdin,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        return Child(name, process, log)

    async def _watch(self, child: Child) -> None:
        await child.process.wait()
        if not self._stopping and self._first_death is not None and not self._first_death.done():
            self._first_death.set_result(child)


def _kind(child: Child) -> str:
    """``agent east`` and ``agent west`` are of one kind."""
    return child.name.split("-", 1)[0]


async def _end(child: Child) -> None:
    _signal(child, signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await child.process.wait()
    except TimeoutError:
        pass
    # Its whole group: also what it started itself and did not take along.
    _signal(child, signal.SIGKILL)
    await child.process.wait()


def _signal(child: Child, number: signal.Signals) -> None:
    # Until it has called setsid the group does not exist; the session was made before exec, so it does by now.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if number is signal.SIGKILL:
            os.killpg(child.process.pid, number)
        elif child.process.returncode is None:
            child.process.send_signal(number)
