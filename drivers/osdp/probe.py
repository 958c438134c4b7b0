"""Finds the readers on a line by asking every address in plaintext. For a person with a cable, never in service."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from drivers.osdp.config import MAX_ADDRESS
from drivers.osdp.frames import CommandCode, Frame, FrameReader, ReplyCode, build
from drivers.serial.port import Line

WINDOW_S = 0.06
"""How long an address is listened to, beyond the time its bytes take. Readers answer within a few milliseconds."""

LATE_S = 0.2
"""The longest a reader may take to answer (IEC 60839-11-5): waited once, after the last address."""

_MARK = b"\xff"
_PDID_BYTES = 12
_COMMUNICATION_SECURITY = 9  # function code of the capability report
_QUESTION_BYTES, _BITS_PER_BYTE = 10, 10
_ANSWER_BYTES = {CommandCode.ID: 20, CommandCode.CAP: 80}


class LineDisturbed(Exception):  # noqa: N818 - says what it is
    """What answers cannot be made out: two readers at one address, a wrong speed, noise. The message says which."""


@dataclass(frozen=True, slots=True)
class Present:
    """One reader that answers."""

    address: int
    vendor: str
    """Its maker's IEEE number, six hex digits."""
    model: int
    serial: int
    firmware: str
    secure_channel: bool
    """Whether it says that it has the secure channel (AES-128)."""


class Prober:
    """Asks over one open line, whose reading side it has to itself. `close` gives the loop back its descriptor."""

    def __init__(self, line: Line, *, baud: int, window_s: float = WINDOW_S) -> None:
        self._line = line
        self._window_s = window_s
        self._byte_s = _BITS_PER_BYTE / baud
        self._frames = FrameReader()
        self._found: list[Frame] = []
        self._bytes = bytearray()
        asyncio.get_running_loop().add_reader(line.fileno(), self._readable)

    def close(self) -> None:
        """Listen no more. The line stays open."""
        asyncio.get_running_loop().remove_reader(self._line.fileno())

    async def scan(self, addresses: Iterable[int] = range(MAX_ADDRESS + 1)) -> list[Present]:
        """Every reader that answers. Raises LineDisturbed, or OSError if the port fails."""
        present = []
        for address in addresses:
            answer = await self._ask(address, CommandCode.ID, b"\x00")
            if answer is not None and answer.code == ReplyCode.PDID and len(answer.data) == _PDID_BYTES:
                present.append(_present(answer, await self._ask(address, CommandCode.CAP, b"\x00")))
        await asyncio.sleep(LATE_S)
        self._judge(None, b"")
        return present

    async def _ask(self, address: int, command: CommandCode, data: bytes = b"") -> Frame | None:
        self._found, self._bytes = [], bytearray()
        self._frames.clear()
        question = _MARK + build(address, command, data)
        self._line.write(question)
        await asyncio.sleep(self._window_s + (_QUESTION_BYTES + _ANSWER_BYTES[command]) * self._byte_s)
        return self._judge(address, question)

    def _judge(self, address: int | None, question: bytes) -> Frame | None:
        found, self._found = self._found, []
        heard = bytes(self._bytes).replace(question, b"") if question else b""  # some adapters hear themselves
        if len(found) > 1:
            raise LineDisturbed(f"two readers answer at address {found[0].address}: connect one alone")
        if any(frame.address != address for frame in found):
            raise LineDisturbed(f"a reader answers late, at address {found[0].address}: connect it alone, try again")
        if heard.strip(_MARK) and not found:
            raise LineDisturbed(
                f"something answers at address {address}, but garbled: the speed is not the reader's (see --baud), "
                "two readers share the address, or the two data wires are swapped"
            )
        return found[0] if found else None

    def _readable(self) -> None:
        data = self._line.read()
        self._bytes += data
        self._found += self._frames.feed(data)


def _present(identity: Frame, capabilities: Frame | None) -> Present:
    data = identity.data
    secure = False
    if capabilities is not None and capabilities.code == ReplyCode.PDCAP:
        for at in range(0, len(capabilities.data) - 2, 3):
            code, level, _count = capabilities.data[at : at + 3]
            secure = secure or (code == _COMMUNICATION_SECURITY and bool(level & 1))
    return Present(
        address=identity.address,
        vendor=data[2::-1].hex(),
        model=data[3],
        serial=int.from_bytes(data[5:9], "little"),
        firmware=".".join(str(part) for part in data[9:12]),
        secure_channel=secure,
    )
