"""Which replies libosdp may see at all. Pure, and stricter than libosdp 3.2.9, which accepts too much.

Two holes are closed here, each with a test that plays it. A handshake block (SCS_11 to SCS_14) within a secure
session makes libosdp skip the MAC, so that any device on the cable could send a card in plaintext. And a card sent in
plaintext before the handshake is kept, and reported as soon as the session of the true reader is up.
"""

from __future__ import annotations

from enum import StrEnum

from drivers.osdp.frames import Block, Frame, Question, ReplyCode

_BLOCK_BYTES = {Block.SCS_12: 3, Block.SCS_14: 3, Block.SCS_16: 2, Block.SCS_18: 2}
_PROTECTED = (Block.SCS_16, Block.SCS_18)
_HANDSHAKE = {Block.SCS_12: ReplyCode.CCRYPT, Block.SCS_14: ReplyCode.RMAC_I}
_OPEN_BEFORE = (ReplyCode.PDID, ReplyCode.PDCAP, ReplyCode.NAK, ReplyCode.BUSY)
_OPEN_WITHIN = (ReplyCode.NAK, ReplyCode.BUSY)
_ANY_SEQUENCE = (ReplyCode.NAK, ReplyCode.BUSY)
"""BUSY has none, and a reader that lost count says so with a NAK."""


class Forged(StrEnum):
    """Why a reply was refused."""

    UNASKED = "unasked"
    """No reader was asked, or another one: a second reader at the address, a repeat, an injected frame."""
    UNPROTECTED = "unprotected"
    """It carries no MAC although the secure channel is up: an injected card, or a reader gone rogue."""
    OUT_OF_PLACE = "out_of_place"
    """It does not belong to a handshake, and there is no secure channel yet."""
    MALFORMED = "malformed"
    """It came over the secure channel and makes no sense: keys that no keypad has, say."""


def refuse(frame: Frame, *, asked: Question | None, secure: bool, key_sent: bool) -> Forged | None:
    """Why this reply must not reach libosdp; None if it may.

    ``asked``: the command that waits for its reply, None if none does. ``secure``: whether that
    reader's secure channel is up. ``key_sent``: whether a new key was just sent to it, whose acknowledgement some
    readers send in plaintext, having dropped the session with the old key.
    """
    if asked is None or frame.address != asked.address:
        return Forged.UNASKED
    if frame.sequence != asked.sequence and frame.code not in _ANY_SEQUENCE:
        return Forged.UNASKED
    kind = frame.block_type
    if kind is None:
        may = _OPEN_WITHIN if secure else _OPEN_BEFORE
        if frame.code in may or (secure and key_sent and frame.code == ReplyCode.ACK):
            return None
    elif kind in Block.__members__.values() and len(frame.block) == _BLOCK_BYTES[Block(kind)]:
        if secure and kind in _PROTECTED:
            return None
        if not secure and kind in _HANDSHAKE and frame.code == _HANDSHAKE[Block(kind)]:
            return None
    return Forged.UNPROTECTED if secure else Forged.OUT_OF_PLACE


def proves_presence(frame: Frame, *, secure: bool) -> bool:
    """Whether a reply shows that the reader itself is there: any device can send plaintext within a session."""
    return not secure or frame.block_type is not None
