"""Real brokers for tests: Mosquitto and the embedded one, on a free port, killed and restarted at will.

``with mosquitto() as broker`` and ``with embedded() as broker`` listen when the block begins and are gone when it
ends. ``broker.kill()`` is SIGKILL; ``broker.start()`` brings it back on the same port, with nothing remembered.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ground.free_port import free_port
from protocol import codec
from tests.support.freezing import freeze

MOSQUITTO = "/usr/sbin/mosquitto"
HOST = "127.0.0.1"

_MOSQUITTO_CONF = """\
per_listener_settings false
allow_anonymous true
listener {port} {host}
persistence false
message_size_limit {limit}
max_inflight_messages 100
set_tcp_nodelay true
"""

_EMBEDDED_TOML = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 10000
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "v5-1"
listen = "{host}:{port}"
next_connection_delay_ms = 0

[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = {limit}
max_inflight_count = 100
dynamic_filters = true
"""

_EMBEDDED_PROGRAM = "import sys; from iotcore import Broker; Broker(config_path=sys.argv[1]).run_forever()"


class RunningBroker:
    """A broker's process on one port. The port stays the same over kills and restarts."""

    host = HOST

    def __init__(self, port: int, command: list[str], log: Path) -> None:
        self.port = port
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, deadline_s: float = 30) -> None:
        """Start it, or start it again; return once it accepts connections."""
        assert not self.running, "the broker runs already"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"the broker ended at once: {self._log.read_text()[-2000:]}")
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 0.5):
                return
            time.sleep(0.01)
        self.kill()
        raise RuntimeError(f"no broker on port {self.port} after {deadline_s} s: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, as a power cut would. Every connection drops."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Stop it without closing a connection, as a network that went away; `thaw` undoes it."""
        assert self._process is not None
        freeze(self._process.pid)

    def thaw(self) -> None:
        """Let a frozen broker go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@contextlib.contextmanager
def mosquitto(port: int | None = None) -> Iterator[RunningBroker]:
    """A Mosquitto 2 without access control, on `port` or a free one."""
    with _running("mosquitto.conf", _MOSQUITTO_CONF, lambda conf: [MOSQUITTO, "-c", conf], port) as broker:
        yield broker


@contextlib.contextmanager
def embedded(port: int | None = None) -> Iterator[RunningBroker]:
    """The embedded broker (iotcore) speaking MQTT 5, on `port` or a free one."""
    command = [sys.executable, "-c", _EMBEDDED_PROGRAM]
    with _running("iotcore.toml", _EMBEDDED_TOML, lambda conf: [*command, conf], port) as broker:
        yield broker


@contextlib.contextmanager
def _running(
    name: str, template: str, command: Callable[[str], list[str]], port: int | None
) -> Iterator[RunningBroker]:
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / name
        conf.write_text(template.format(host=HOST, port=port, limit=codec.MAX_PACKET_BYTES))
        broker = RunningBroker(port, command(str(conf)), Path(folder) / "broker.log")
        try:
            broker.start()
            yield broker
        finally:
            broker.kill()
