"""Ports for servers of a demonstration, a bench or a test: below those the system gives to clients, so that no client
takes one while its server is restarted, and drawn at random, so that two runs side by side do not meet."""

import random
import socket

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Linux gives clients 32768 and up."""

_dice = random.SystemRandom()


def free_port() -> int:
    """A TCP port on which no server listens now."""
    while True:
        port = _dice.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
