"""The API while the records are locked: people still see, and are told how else to lock."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from central.people.accounts import SEEN_EVERY_MS
from central.records import engine as records
from tests.central.centrals import AgentVoice, Town
from tests.support.brokers import RunningBroker, mosquitto
from tests.support.waiting import until


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setattr(records, "BUSY_TIMEOUT_MS", 50)
    return Town(tmp_path)


@contextlib.contextmanager
def locked(town: Town) -> Iterator[None]:
    other = sqlite3.connect(town.folder / "central.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


async def test_while_the_records_are_locked_people_see_and_are_told_of_the_panic_button(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running:
        client = await running.as_("olive")
        town.clock.ahead_ms += 2 * SEEN_EVERY_MS
        with locked(town):
            for path in ("/api/sites/lincoln", "/api/declarations", "/api/session"):
                assert (await client.get(path)).status_code == 200, path
            body = {"action": "lockdown", "scope": {"kind": "site", "site": "lincoln"}, "drill": False}
            answer = await client.post("/api/declarations", json=body)
            assert (answer.status_code, answer.json()["type"]) == (503, "records_unavailable")
            assert "panic button" in answer.json()["detail"]
        assert (await client.post("/api/declarations", json=body)).status_code == 201


async def test_the_health_says_what_is_wrong_and_no_word_of_the_databases_or_brokers_errors(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        with locked(town):
            await agent.happen("access_denied", "front")
            await until(lambda: running.central.ingest.health().failing, "the failure")
            assert "locked" in str(running.central.ingest.health().failing), "known inside"
            broker.kill()
            await until(lambda: not running.central.wire.connected, "the loss of the broker")
            health = (await running.anyone().get("/api/health")).json()
        assert health["problems"] == ["no connection to the broker", "events cannot be committed"]
