"""Calls from other threads reach the loop, in order, and are dropped once it has closed."""

import asyncio
import threading

from ground.loop_poster import poster


async def test_calls_from_a_thread_run_on_the_loop_in_order() -> None:
    loop, ran = asyncio.get_running_loop(), asyncio.Queue[tuple[int, bool]]()
    post, here = poster(loop), threading.get_ident()
    thread = threading.Thread(
        target=lambda: [
            post(lambda n=n: ran.put_nowait((n, threading.get_ident() == here)))  # type: ignore[misc]
            for n in range(100)
        ]
    )
    thread.start()
    async with asyncio.timeout(30):
        assert [await ran.get() for _ in range(100)] == [(n, True) for n in range(100)]
    thread.join()


def test_a_call_after_the_loop_has_closed_is_dropped() -> None:
    loop = asyncio.new_event_loop()
    post = poster(loop)
    loop.close()
    post(print, "never")
