"""Frames in a stream of bytes, and which of them libosdp may see."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.osdp.frames import CommandCode, Frame, FrameReader, Question, ReplyCode, build, question
from drivers.osdp.gate import Forged, proves_presence, refuse

ACK = build(10, ReplyCode.ACK, sequence=1, reply=True)
CARD = build(10, ReplyCode.RAW, b"\x00\x01\x1a\x00\x12\x34\x56\x40", sequence=2, reply=True)


def frame(code: int, data: bytes = b"", block: bytes = b"", address: int = 10) -> Frame:
    (found,) = FrameReader().feed(build(address, code, data, reply=True, block=block))
    return found


def test_what_libosdp_sends_is_read_as_it_was_meant() -> None:
    """A poll within a session, recorded: mark, address 10, sequence 1, SCS_15, four bytes of MAC."""
    recorded = bytes.fromhex("ff530a0e000d021560c93159910b9e")
    (poll,) = FrameReader(replies=False).feed(recorded)
    assert (poll.address, poll.sequence, poll.block, poll.code) == (10, 1, b"\x02\x15", CommandCode.POLL)
    assert poll.data.hex() == "c9315991"
    assert question(recorded) == question(recorded[1:]) == Question(10, 1, CommandCode.POLL)
    challenge = build(10, CommandCode.CHLNG, bytes(8), sequence=2, block=b"\x03\x11\x01")
    assert question(challenge) == Question(10, 2, CommandCode.CHLNG)
    assert question(build(10, CommandCode.ID, sequence=3)) == Question(10, 3, CommandCode.ID)


def test_a_frame_with_a_checksum_instead_of_a_crc_is_read() -> None:
    body = bytes([0x53, 0x8A, 7, 0, 0x01, ReplyCode.ACK])
    whole = body + bytes([-sum(body) & 0xFF])
    (found,) = FrameReader().feed(whole)
    assert (found.code, found.sequence) == (ReplyCode.ACK, 1)
    assert FrameReader().feed(whole[:-1] + b"\x00") == []


@given(st.lists(st.sampled_from([ACK, CARD]), max_size=5), st.integers(1, 7))
def test_frames_are_found_however_the_bytes_dribble(frames: list[bytes], size: int) -> None:
    stream = b"".join(frames)
    reader = FrameReader()
    found = [f.raw for at in range(0, len(stream), size) for f in reader.feed(stream[at : at + size])]
    assert found == frames
    assert not reader.partial


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_no_noise_before_a_frame_hides_it(noise: bytes) -> None:
    assert CARD in [f.raw for f in FrameReader().feed(noise + CARD)]


def test_a_flood_is_held_to_one_longest_frame() -> None:
    reader = FrameReader()
    chance = random.Random(7)
    for _ in range(30):
        reader.feed(bytes(chance.choice(b"\x53\x8a\x05\x00\x0e") for _ in range(1000)))
        assert len(reader._held) <= 256
    assert [f.raw for f in reader.feed(b"\x53\x8a" * 700 + ACK)] == [ACK]


@given(st.integers(0, len(CARD) * 8 - 1))
def test_a_flipped_bit_is_no_frame(bit: int) -> None:
    damaged = bytearray(CARD)
    damaged[bit // 8] ^= 1 << bit % 8
    assert FrameReader().feed(bytes(damaged)) == []


SCS_12, SCS_14, SCS_16, SCS_18 = b"\x03\x12\x01", b"\x03\x14\x01", b"\x02\x16", b"\x02\x18"


@pytest.mark.parametrize(
    ("reply", "secure", "key_sent", "reason"),
    [
        (frame(ReplyCode.PDID), False, False, None),
        (frame(ReplyCode.PDCAP), False, False, None),
        (frame(ReplyCode.CCRYPT, block=SCS_12), False, False, None),
        (frame(ReplyCode.RMAC_I, block=SCS_14), False, False, None),
        (frame(ReplyCode.NAK, b"\x06"), False, False, None),
        (frame(ReplyCode.ACK), False, False, Forged.OUT_OF_PLACE),
        (frame(ReplyCode.RAW), False, False, Forged.OUT_OF_PLACE),
        (frame(ReplyCode.KEYPAD), False, False, Forged.OUT_OF_PLACE),
        (frame(ReplyCode.RAW, block=SCS_12), False, False, Forged.OUT_OF_PLACE),
        (frame(ReplyCode.RAW, block=SCS_18), False, False, Forged.OUT_OF_PLACE),
        (frame(ReplyCode.ACK, block=SCS_16), True, False, None),
        (frame(ReplyCode.RAW, block=SCS_18), True, False, None),
        (frame(ReplyCode.NAK, b"\x06"), True, False, None),
        (frame(ReplyCode.BUSY), True, False, None),
        (frame(ReplyCode.ACK), True, True, None),
        (frame(ReplyCode.ACK), True, False, Forged.UNPROTECTED),
        (frame(ReplyCode.RAW), True, True, Forged.UNPROTECTED),
        (frame(ReplyCode.RAW, block=SCS_12), True, False, Forged.UNPROTECTED),
        (frame(ReplyCode.RAW, block=SCS_14), True, False, Forged.UNPROTECTED),
        (frame(ReplyCode.RAW, block=b"\x02\x11"), True, False, Forged.UNPROTECTED),
        (frame(ReplyCode.RAW, block=b"\x03\x18\x00"), True, False, Forged.UNPROTECTED),
        (frame(ReplyCode.CCRYPT, block=SCS_12), True, False, Forged.UNPROTECTED),
    ],
)
def test_a_reply_reaches_libosdp_only_where_it_belongs(
    reply: Frame, secure: bool, key_sent: bool, reason: Forged | None
) -> None:
    assert refuse(reply, asked=Question(10, 0), secure=secure, key_sent=key_sent) is reason


@pytest.mark.parametrize("asked", [None, Question(11, 0), Question(10, 1)])
def test_a_reply_that_nobody_waits_for_is_refused(asked: Question | None) -> None:
    assert refuse(frame(ReplyCode.ACK, block=SCS_16), asked=asked, secure=True, key_sent=False) is Forged.UNASKED


def test_within_a_session_plaintext_proves_nobodys_presence() -> None:
    assert not proves_presence(frame(ReplyCode.BUSY), secure=True)
    assert proves_presence(frame(ReplyCode.ACK, block=SCS_16), secure=True)
    assert proves_presence(frame(ReplyCode.PDID), secure=False)
