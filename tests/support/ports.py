"""Ports for servers under test: below those the system gives to clients, so that nobody takes one while its server is
killed and started again, and drawn at random, so that tests side by side do not meet."""

import random
import socket

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Linux gives clients 32768 and up."""

_dice = random.SystemRandom()


def free_port() -> int:
    """A TCP port nobody listens on just now."""
    while True:
        port = _dice.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
