"""Ports for servers: free now, and never one that the system gives to a client."""

import socket
from pathlib import Path

from ground.free_port import PORTS, free_port


def test_a_server_can_listen_on_it() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass


def test_a_taken_port_is_not_given() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        assert server.getsockname()[1] not in {free_port() for _ in range(50)}


def test_no_client_of_this_machine_is_given_one() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    assert lowest > max(PORTS)
