"""Runs the broker that needs no installing: rumqttd in a wheel (iotcore), for a demo, a test or a single school.

It speaks MQTT 5, keeps retained messages in memory and forgets them when it ends; central publishes its retained
documents again at each connection. No passwords, no TLS: listen on the loopback only.
"""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from protocol.codec import MAX_PACKET_BYTES

CHECK_EVERY_S = 0.5

_TOML = """\
id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 10000
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "v5-1"
listen = "{listen}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {limit}
max_inflight_count = 500
dynamic_filters = true
"""


def broker_toml(listen: str, port: int) -> str:
    """The broker's configuration. ``listen`` is an IPv4 address."""
    return _TOML.format(listen=listen, port=port, limit=MAX_PACKET_BYTES)


class BrokerEnded(RuntimeError):  # noqa: N818 - what happened
    """The broker's process ended on its own, or did not start."""


def run_broker(listen: str, port: int, stop: threading.Event, on_ready: Callable[[], None]) -> None:
    """Run the broker, a child of this process that ends with it, until ``stop`` is set.

    Raises OSError if the port is taken, ModuleNotFoundError without iotcore, :class:`BrokerEnded`.
    """
    from iotcore import Broker  # noqa: PLC0415 - only the demo installs it

    with tempfile.TemporaryDirectory(prefix="doorward-broker-") as folder:
        config = Path(folder) / "broker.toml"
        config.write_text(broker_toml(listen, port))
        try:
            with Broker(config_path=str(config)) as broker:
                on_ready()
                while not stop.wait(CHECK_EVERY_S):
                    if not broker.is_running:
                        raise BrokerEnded("the embedded broker has ended by itself")
        except RuntimeError as error:
            raise BrokerEnded(str(error)) from None
