"""What an attacker clips onto a reader's cable: a man in the middle who sees, drops, changes, holds and adds frames.

The panel opens ``middle.path``; what it sends goes on to ``line``, and back, frame by frame, through two functions
that say what is passed on instead.
"""

import asyncio
import os
import pty
import tty
from collections.abc import Callable

from drivers.osdp import open_serial
from drivers.osdp.frames import Block, CommandCode, Frame, FrameReader, ReplyCode, build
from drivers.serial.port import SerialLine
from simulators.hardware.line import VirtualLine

MARK = b"\xff"

OnFrame = Callable[[Frame], bytes | None]
"""Given a frame, the bytes to pass on; None drops it."""


def passed(frame: Frame) -> bytes:
    return frame.raw


class PlainReader:
    """A reader without a secure channel, on a virtual line."""

    def __init__(self, line: VirtualLine, address: int) -> None:
        self.address = address
        self._cards: list[bytes] = []
        line.attach(self)

    def swipe(self, bits: int, data: bytes) -> None:
        self._cards.append(bytes([0, 1]) + bits.to_bytes(2, "little") + data)

    def receive(self, data: bytes) -> bytes:
        return b"".join(self._answer(command) for command in FrameReader(replies=False).feed(data))

    def tick(self) -> bytes:
        return b""

    def _answer(self, command: Frame) -> bytes:
        code, data = ReplyCode.NAK, b"\x03"
        if command.code == CommandCode.ID:
            code, data = ReplyCode.PDID, bytes(12)
        elif command.code == CommandCode.CAP:
            code, data = ReplyCode.PDCAP, b"\x03\x01\x00\x08\x01\x00"  # card data, CRC; no word of a secure channel
        elif command.code == CommandCode.POLL:
            code, data = (ReplyCode.RAW, self._cards.pop(0)) if self._cards else (ReplyCode.ACK, b"")
        return build(self.address, code, data, sequence=command.sequence, reply=True)


class Middle:
    """Sits between a panel and the readers of one or more lines. A context manager; use it on the loop."""

    def __init__(self, *paths: str, on_command: OnFrame = passed, on_reply: OnFrame = passed) -> None:
        self.on_command, self.on_reply = on_command, on_reply
        self.commands: list[Frame] = []
        """What the panel sent, oldest first."""
        self.replies: list[Frame] = []
        """What the readers sent, oldest first."""
        self._readers = [open_serial(path) for path in paths]
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._from_panel = FrameReader(replies=False)

    def __enter__(self) -> "Middle":
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._panel_spoke)
        for line in self._readers:
            loop.add_reader(line.fileno(), self._reader_spoke, line, FrameReader())
        return self

    def __exit__(self, *_exc: object) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        for line in self._readers:
            loop.remove_reader(line.fileno())
            line.close()
        os.close(self._master)
        os.close(self._slave)

    @property
    def protected(self) -> bool:
        """Whether the reader has answered over a secure channel."""
        return any(reply.block_type in (Block.SCS_16, Block.SCS_18) for reply in self.replies)

    def once(self, forge: OnFrame) -> OnFrame:
        """Passes everything on but the next frame, which is forged."""
        done: list[Frame] = []

        def on_frame(frame: Frame) -> bytes | None:
            if done:
                return frame.raw
            done.append(frame)
            return forge(frame)

        return on_frame

    def to_panel(self, data: bytes) -> None:
        os.write(self._master, data)

    def to_readers(self, data: bytes) -> None:
        for line in self._readers:
            line.write(data)

    def _panel_spoke(self) -> None:
        for frame in self._from_panel.feed(os.read(self._master, 4096)):
            self.commands.append(frame)
            data = self.on_command(frame)
            if data:
                self.to_readers(MARK + data)

    def _reader_spoke(self, line: SerialLine, frames: FrameReader) -> None:
        for frame in frames.feed(line.read()):
            self.replies.append(frame)
            data = self.on_reply(frame)
            if data:
                self.to_panel(data)
