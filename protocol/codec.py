"""Encodes and decodes messages, within stated limits. Bytes become messages nowhere else."""

from typing import TypeVar

import msgspec

from protocol.messages import (
    AgentConfig,
    AgentStatus,
    Command,
    CredentialPage,
    DeclarationSet,
    EventAck,
    EventBatch,
    Message,
    StateSnapshot,
)
from protocol.refusal import Reason, Refused

M = TypeVar("M", bound=Message)

KIB = 1024
LIMITS: dict[type[Message], int] = {
    AgentStatus: 4 * KIB,
    StateSnapshot: 128 * KIB,  # 128 doors at about 450 bytes, twice over
    EventBatch: 256 * KIB,
    EventAck: 1 * KIB,
    DeclarationSet: 256 * KIB,
    AgentConfig: 8 * KIB * KIB,
    CredentialPage: KIB * KIB,  # a thousand credentials at about 200 bytes, five times over
    Command: 8 * KIB,
}
"""The most bytes of a message on the wire, with its signature. A larger one is refused unread."""

MAX_PACKET_BYTES = max(LIMITS.values()) + 64 * KIB
"""The packet size that a broker must allow, in bytes."""

_encoder = msgspec.json.Encoder()
_decoders = {kind: msgspec.json.Decoder(kind) for kind in LIMITS}


def encode(message: Message) -> bytes:
    """A message as JSON. ValueError if it is larger than a receiver accepts: a fault of the sender."""
    payload = _encoder.encode(message)
    limit = LIMITS.get(type(message))
    if limit is not None and len(payload) > limit:
        raise ValueError(f"{type(message).__name__} of {len(payload)} bytes; its limit is {limit}")
    return payload


def decode(kind: type[M], payload: bytes) -> M:
    """Decode a message. Raises :class:`Refused`: oversized, malformed."""
    check_size(kind, payload)
    try:
        return _decoders[kind].decode(payload)  # type: ignore[return-value]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Reason.MALFORMED, f"{kind.__name__}: {error}") from None


def check_size(kind: type[Message], payload: bytes) -> None:
    """Raise :class:`Refused` (oversized) if the bytes exceed this kind's limit."""
    if len(payload) > LIMITS[kind]:
        raise Refused(Reason.OVERSIZED, f"{kind.__name__} of {len(payload)} bytes; the limit is {LIMITS[kind]}")
