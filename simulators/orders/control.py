"""The control socket of a virtual school: one JSON object a line in, one a line out, on a Unix socket of mode 0600.

It carries orders and answers and knows none of them; simulators.orders.site does. An order is
``{"do": "jam", "door": "gym"}``; the answer is ``{"done": "jam", …}`` or ``{"error": "what is wrong"}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

LONGEST_LINE = 64 * 1024
LONGEST_PATH = 107  # of sun_path in <sys/un.h>, less its closing zero
ANSWER_WITHIN_S = 10.0

Order = dict[str, Any]
Answer = dict[str, Any]


class OrderRefused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """An order that cannot be carried out. The text says why and what could be ordered instead."""


def parse_order(line: bytes) -> Order:
    """The order in a line. :class:`OrderRefused` if it is none."""
    try:
        order = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise OrderRefused(f'not JSON: {error}; an order looks like {{"do": "jam", "door": "gym"}}') from None
    if not isinstance(order, dict) or not isinstance(order.get("do"), str):
        raise OrderRefused('an order is an object with a "do", like {"do": "jam", "door": "gym"}')
    return order


@contextlib.asynccontextmanager
async def listening(path: Path, perform: Callable[[Order], Answer]) -> AsyncIterator[None]:
    """Answer orders at ``path`` while the block runs. ``perform`` raises OrderRefused for what it will not do.

    OSError if the socket cannot be made; a socket left by a process that died is replaced.
    """
    connections: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _answer_lines(reader, writer, perform)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the other side left, or we do
        finally:
            connections.discard(task)
            writer.close()

    server = await asyncio.start_unix_server(converse, sock=_bind(path), limit=LONGEST_LINE)
    try:
        yield
    finally:
        server.close()
        for task in connections:
            task.cancel()
        _remove(path)


async def _answer_lines(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, perform: Callable[[Order], Answer]
) -> None:
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            line, answer = b"", {"error": f"a line of more than {LONGEST_LINE} bytes"}
        else:
            if not line:
                return
            answer = _carry_out(line, perform)
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        if not line:
            return


def _carry_out(line: bytes, perform: Callable[[Order], Answer]) -> Answer:
    try:
        order = parse_order(line)
        return {"done": order["do"], **perform(order)}
    except OrderRefused as refused:
        return {"error": str(refused)}


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _bind(path: Path) -> socket.socket:
    _remove(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)  # 0600 from the first instant
    try:
        with _short(path) as name:
            sock.bind(name)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(mask)
    return sock


def send_order(path: Path, order: Order, *, within_s: float = ANSWER_WITHIN_S) -> Answer:
    """Send one order and wait for its answer. OSError if no site answers there; :class:`OrderRefused`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(within_s)
        with _short(path) as name:
            sock.connect(name)
        sock.sendall(json.dumps(order).encode() + b"\n")
        with sock.makefile("rb") as answers:
            line = answers.readline()
    if not line:
        raise ConnectionError(f"{path}: closed without an answer")
    answer: Answer = json.loads(line)
    if "error" in answer:
        raise OrderRefused(str(answer["error"]))
    return answer


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for a socket that fits into its address: one too long is reached by way of its open folder."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
