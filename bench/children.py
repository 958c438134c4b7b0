"""Runs processes beside the bench (the embedded broker, central, agents) and ends them with their block."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from ground.free_port import free_port


def wait_for_port(port: int, process: subprocess.Popen[bytes], deadline_s: float = 20) -> None:
    """Return once the port accepts connections; RuntimeError if the process ended or time is up."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port} after {deadline_s} s")


@contextlib.contextmanager
def running(arguments: list[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python process (``-m`` arguments) and end it with the block."""
    process = subprocess.Popen([sys.executable, "-m", *arguments], **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def embedded_broker() -> Iterator[int]:
    """Run the embedded broker on a free port."""
    port = free_port()
    with running(["doorward.main", "central", "broker", "--port", str(port)], stderr=subprocess.DEVNULL) as process:
        wait_for_port(port, process)
        yield port


def read_json_line(process: subprocess.Popen[bytes]) -> dict[str, object]:
    """Read the next line of a child's output, as JSON."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended before it said what was expected")
    return dict(json.loads(line))
