"""Events reach the disk soon after they happen, together, in order, and none is lost while the disk refuses."""

import json
import sqlite3
from pathlib import Path

import pytest

from edge_agent.events.journal import EventsWritten, Journal
from edge_agent.events.outbox import NewEvent, Outbox
from edge_agent.host.clock import PiClock
from edge_agent.storage.disk_watch import Disk
from protocol.words import EventKind
from tests.support.waiting import until


def made(folder: Path, disk: Disk | None = None) -> tuple[Journal, list[int]]:
    written: list[int] = []
    outbox = Outbox(folder / "outbox.db", disk)
    journal = Journal(outbox, PiClock(require_sync=False))
    journal.when(EventsWritten, lambda: written.append(outbox.last_seq))
    return journal, written


async def test_what_happens_together_is_committed_together_and_in_order(tmp_path: Path) -> None:
    journal, written = made(tmp_path)
    for number in range(50):
        journal.add(EventKind.AGENT_HEALTH, {"number": number})
    await until(lambda: written, "the commit")
    assert written == [50]
    batch = await journal.on_outbox(journal.outbox.next_batch, 0)
    assert batch is not None
    assert [json.loads(bytes(event.data))["number"] for event in batch.events] == list(range(50))
    await journal.close()


async def test_events_wait_while_the_disk_refuses_and_are_written_when_it_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.events.journal.RETRY_S", 0.01)
    disk = Disk()
    journal, written = made(tmp_path, disk)
    append, refusals = journal.outbox.append, 0

    def refusing(events: list[NewEvent]) -> None:
        nonlocal refusals
        if refusals < 3:
            refusals += 1
            raise sqlite3.OperationalError("disk I/O error")
        append(events)

    monkeypatch.setattr(journal.outbox, "append", refusing)
    journal.add(EventKind.AGENT_STARTED)
    await until(disk.refused, "the refusal")
    journal.add(EventKind.AGENT_HEALTH)
    await until(lambda: written, "the commit")
    assert (written, disk.refused(), journal.outbox.in_memory) == ([2], (), False)
    await journal.close()


async def test_what_waits_is_written_before_the_end(tmp_path: Path) -> None:
    journal, _ = made(tmp_path)
    journal.add(EventKind.AGENT_STARTED)
    await journal.close()
    again = Outbox(tmp_path / "outbox.db")
    assert again.last_seq == 1
    again.close()
