"""The control socket: an order a line, an answer a line, for its owner alone."""

import asyncio
import contextlib
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from simulators.orders.control import LONGEST_LINE, Answer, Order, OrderRefused, listening, send_order


def echo(order: Order) -> Answer:
    if order["do"] == "refuse":
        raise OrderRefused("no, and here is why")
    return {"heard": order.get("door")}


@contextlib.asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Any]:
    async with listening(path, echo):
        reader, writer = await asyncio.open_unix_connection(path)

        async def say(line: bytes) -> Any:
            writer.write(line + b"\n")
            async with asyncio.timeout(30):
                return json.loads(await reader.readline())

        try:
            yield say
        finally:
            writer.close()
            await writer.wait_closed()


async def test_an_order_is_carried_out_and_answered(tmp_path: Path) -> None:
    async with listening(tmp_path / "s", echo):
        answer = await asyncio.to_thread(send_order, tmp_path / "s", {"do": "jam", "door": "gym"})
    assert answer == {"done": "jam", "heard": "gym"}


async def test_a_refusal_reaches_who_ordered(tmp_path: Path) -> None:
    async with listening(tmp_path / "s", echo):
        with pytest.raises(OrderRefused, match="here is why"):
            await asyncio.to_thread(send_order, tmp_path / "s", {"do": "refuse"})


@pytest.mark.parametrize("line", [b"", b"jam", b"[1]", b"{}", b'{"do": 3}', b"\xff\xfe", b"[" * 5000])
async def test_nonsense_is_answered_and_the_conversation_goes_on(tmp_path: Path, line: bytes) -> None:
    async with connected(tmp_path / "s") as say:
        assert "error" in await say(line)
        assert await say(b'{"do": "jam"}') == {"done": "jam", "heard": None}


async def test_a_line_without_an_end_is_cut_off(tmp_path: Path) -> None:
    async with connected(tmp_path / "s") as say:
        assert "more than" in (await say(b"x" * (LONGEST_LINE * 3)))["error"]


async def test_the_socket_is_its_owner_s_alone_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with listening(path, echo):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_socket_left_by_one_that_died_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    async with listening(tmp_path / "s", echo):
        assert (await asyncio.to_thread(send_order, tmp_path / "s", {"do": "x"}))["done"] == "x"


async def test_a_path_too_long_for_a_socket_s_address_is_reached_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    async with listening(folder / "s", echo):
        assert (await asyncio.to_thread(send_order, folder / "s", {"do": "x"}))["done"] == "x"
        assert stat.S_IMODE((folder / "s").stat().st_mode) == 0o600
    assert not (folder / "s").exists()


async def test_a_conversation_that_lasts_does_not_keep_the_site_from_ending(tmp_path: Path) -> None:
    async with asyncio.timeout(30):
        async with listening(tmp_path / "s", echo):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(b'{"do": "jam"}\n')
            assert b"jam" in await reader.readline()
        assert await reader.read() == b""
    writer.close()
