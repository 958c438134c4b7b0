"""What an agent refuses is counted, and reported so that no sender can fill the log or the outbox."""

from pathlib import Path

import pytest

from edge_agent.events.journal import Journal
from edge_agent.events.outbox import NewEvent, Outbox
from edge_agent.events.refusals import MOST_DETAIL, Refusals
from protocol.refusal import Reason, Refused
from protocol.words import EventKind
from tests.support.agents import SettableClock


@pytest.fixture
async def refusals(tmp_path: Path, noted: list[NewEvent]) -> tuple[Refusals, Journal, SettableClock]:
    clock = SettableClock()
    journal = Journal(Outbox(tmp_path / "outbox.db"), clock)
    return Refusals(clock, journal), journal, clock


async def test_a_flood_is_counted_whole_and_reported_once(
    refusals: tuple[Refusals, Journal, SettableClock], noted: list[NewEvent]
) -> None:
    refused, journal, _ = refusals
    for _ in range(1_000):
        refused.note("doorward/v1/x", Refused(Reason.MALFORMED, "no JSON " * 1_000))
    await journal.close()
    assert refused.counts == {Reason.MALFORMED: 1_000}
    assert [event.kind for event in noted] == [EventKind.MESSAGE_REFUSED]
    assert len(str(noted[0].data["detail"])) <= MOST_DETAIL


async def test_what_brokers_repeat_is_counted_and_not_reported(
    refusals: tuple[Refusals, Journal, SettableClock], noted: list[NewEvent]
) -> None:
    refused, journal, _ = refusals
    refused.note("doorward/v1/x", Refused(Reason.DUPLICATE, "seen"))
    await journal.close()
    assert (refused.counts, noted) == ({Reason.DUPLICATE: 1}, [])


async def test_a_refused_command_is_always_answered(
    refusals: tuple[Refusals, Journal, SettableClock], noted: list[NewEvent]
) -> None:
    refused, journal, _ = refusals
    for number in range(3):
        refused.answer("doorward/v1/x", f"command-{number}", "expired", "too late")
    await journal.close()
    assert [event.data["id"] for event in noted] == ["command-0", "command-1", "command-2"]
