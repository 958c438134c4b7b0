"""Events and batches for tests, and a child process that ingests and is killed at a chosen moment."""

from collections.abc import Callable, Iterable
from time import monotonic, sleep

import msgspec

from protocol import codec
from protocol.messages import Event, EventBatch, Stamp

UTC_NS = 1_790_000_000_000_000_000


def event(
    seq: int,
    kind: str = "condition_changed",
    *,
    utc_ms: int | None = None,
    door: str | None = "front",
    data: dict[str, object] | None = None,
) -> Event:
    """An event; its UTC follows from its number unless given."""
    utc_ns = UTC_NS + seq * 10**6 if utc_ms is None else utc_ms * 10**6
    at = Stamp(mono_ms=seq, utc_ns=utc_ns, clock_trusted=True, boot="boot-1")
    return Event(seq=seq, kind=kind, at=at, door=door, data=msgspec.Raw(msgspec.json.encode(data or {"n": seq})))


def batch(numbers: Iterable[int], *, after: int | None = None, floor: int = 0, stream: str = "s1") -> bytes:
    """A batch of events with these numbers, as it travels; ``after`` is the number before the first."""
    events = tuple(event(number) for number in numbers)
    before = after if after is not None else events[0].seq - 1
    return codec.encode(EventBatch(stream=stream, floor=floor, after=before, events=events))


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = 30) -> None:
    """Return once the condition holds; fail, saying what was waited for, if it does not in time."""
    end = monotonic() + deadline_s
    while not condition():
        assert monotonic() < end, f"waited {deadline_s} s in vain: {what}"
        sleep(0.005)
