"""Decides which events of a batch are new, given its stream's cursor. Pure: see messages.EventBatch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol.messages import EventBatch
from protocol.refusal import Reason, Refused

_LARGEST = 2**63 - 1

Row = tuple[str, str, str, int, str | None, str, int, int, bool, str, int, str]
"""A row of the table ``events``, without its id."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The cursor afterwards, the index of the first event to take (None: none), and the holes to record."""

    committed: int
    skip: int | None = None
    gaps: tuple[tuple[int, int], ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def take(committed: int, batch: EventBatch) -> Taken:
    """Decide on a batch whose stream is committed up to ``committed``. The batch has passed :func:`rows_of`."""
    if not batch.events:
        return Taken(committed)  # the agent only asks for the cursor
    if committed < batch.after and batch.floor < batch.after:
        return Taken(committed, counts={"out_of_order": 1})  # it still has the missing events: it sends those first
    skip = sum(event.seq <= committed for event in batch.events) if batch.events[0].seq <= committed else 0
    new = batch.events[skip:]
    if not new:
        return Taken(committed, counts={"duplicates": skip})
    # Contiguous numbers need no search for holes.
    gaps = [] if new[-1].seq - committed == len(new) else _gaps(committed, [event.seq for event in new])
    return Taken(new[-1].seq, skip, tuple(gaps), {"duplicates": skip, "gaps": len(gaps)})


def _gaps(committed: int, numbers: list[int]) -> list[tuple[int, int]]:
    return [
        (before + 1, number - 1)
        for before, number in zip([committed, *numbers], numbers, strict=False)
        if number > before + 1
    ]


def rows_of(site: str, agent: str, batch: EventBatch, received_ns: int) -> list[Row]:
    """The rows of a batch. Raises :class:`Refused` (malformed) if the records could not hold it."""
    stream, previous = batch.stream, batch.after
    rows: list[Row] = []
    for event in batch.events:
        at = event.at
        if event.seq <= previous:
            raise Refused(
                Reason.MALFORMED, f"event {event.seq} of {stream!r} follows {previous}: expected rising numbers"
            )
        previous = event.seq
        if (at.utc_ns | at.mono_ms | event.seq) > _LARGEST:
            raise Refused(Reason.MALFORMED, f"event {event.seq} of {stream!r}: a number of more than 63 bits")
        try:
            data = str(event.data, "utf-8")
        except UnicodeDecodeError:
            raise Refused(Reason.MALFORMED, f"event {event.seq} of {stream!r}: its data is not UTF-8") from None
        if not data.startswith("{"):
            raise Refused(Reason.MALFORMED, f"event {event.seq} of {stream!r}: its data is not a JSON object")
        if "\0" in event.kind or "\0" in at.boot or "\0" in data:
            raise Refused(Reason.MALFORMED, f"event {event.seq} of {stream!r}: a NUL character")
        rows.append(
            (
                site,
                agent,
                stream,
                event.seq,
                event.door,
                event.kind,
                at.utc_ns,
                at.mono_ms,
                at.clock_trusted,
                at.boot,
                received_ns,
                data,
            )
        )
    if "\0" in stream or batch.floor > _LARGEST:
        raise Refused(Reason.MALFORMED, f"stream {stream!r}, floor {batch.floor}: no records could hold them")
    return rows
