import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import codec
from protocol.messages import AgentStatus, EventAck, EventBatch, StateSnapshot
from protocol.refusal import Reason, Refused
from protocol.words import Condition


def refusal(kind: type, payload: bytes) -> Reason:
    with pytest.raises(Refused) as refused:
        codec.decode(kind, payload)
    return refused.value.reason


def test_a_message_comes_back_as_it_went() -> None:
    ack = EventAck(stream="s1", committed=7)
    assert codec.decode(EventAck, codec.encode(ack)) == ack


def test_unknown_fields_are_ignored() -> None:
    assert codec.decode(EventAck, b'{"stream":"s","committed":1,"colour":"blue","nested":{"a":[1]}}').committed == 1


def test_an_unknown_kind_of_event_is_kept_with_its_data() -> None:
    at = {"mono_ms": 1, "utc_ns": 2, "clock_trusted": True, "boot": "b"}
    event = {"seq": 1, "kind": "door_sang", "at": at, "data": {"tune": "C"}}
    payload = msgspec.json.encode({"stream": "s", "floor": 0, "after": 0, "events": [event]})
    came = codec.decode(EventBatch, payload).events[0]
    assert came.kind == "door_sang"
    assert msgspec.json.decode(came.data) == {"tune": "C"}


def test_a_condition_of_a_newer_version_reads_as_unknown() -> None:
    assert msgspec.json.decode(b'"levitating"', type=Condition) is Condition.UNKNOWN


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"stream":"s"}',
        b'{"stream":"s","committed":-1}',
        b'{"stream":1,"committed":1}',
    ],
)
def test_malformed_bytes_are_refused_as_such(payload: bytes) -> None:
    assert refusal(EventAck, payload) is Reason.MALFORMED


def test_deeply_nested_bytes_are_refused_not_fatal() -> None:
    assert refusal(EventAck, b'{"x":' + b"[" * 900 + b"}") is Reason.MALFORMED


@pytest.mark.parametrize("kind", list(codec.LIMITS))
def test_each_kind_is_refused_one_byte_over_its_limit_before_it_is_read(kind: type) -> None:
    assert refusal(kind, b" " * (codec.LIMITS[kind] + 1)) is Reason.OVERSIZED
    assert refusal(kind, b" " * codec.LIMITS[kind]) is Reason.MALFORMED


def test_a_sender_is_told_when_its_message_is_too_large() -> None:
    with pytest.raises(ValueError, match="its limit is 4096"):
        codec.encode(AgentStatus(online=True, session="s", versions={"x": "y" * 5000}))


@given(st.binary(max_size=300))
def test_no_bytes_make_the_decoder_raise_anything_else(payload: bytes) -> None:
    for kind in (StateSnapshot, EventBatch, AgentStatus):
        with contextlib.suppress(Refused):
            codec.decode(kind, payload)
