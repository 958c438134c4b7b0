"""The live stream: through HTTP as a console reads it, and the hub's bounds by themselves."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from central.live.hub import MOST_WAITING_BYTES, STREAM_SILENT_MS, Listener
from protocol.proof import SILENT_MS
from tests.central.centrals import AgentVoice, Town, listening
from tests.support.brokers import RunningBroker, mosquitto
from tests.support.waiting import until


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


async def test_a_stream_opens_with_how_long_evidence_and_silence_may_last(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, listening(await running.as_("rita")) as stream:
        [hello] = stream.of("hello")
        assert (hello["evidence_lasts_ms"], hello["stream_silent_ms"]) == (SILENT_MS, STREAM_SILENT_MS)


async def test_a_declaration_and_a_doors_change_are_delivered(town: Town, broker: RunningBroker) -> None:
    async with (
        town.central(broker) as running,
        AgentVoice(town, broker).speaking() as agent,
        listening(await running.as_("rita"), site="lincoln") as stream,
    ):
        made = await running.declare("olive")
        await until(lambda: any(one["id"] == made["id"] for one in stream.of("declaration")), "the declaration")

        def gym(condition: str) -> bool:
            told = [door for doors in stream.of("doors") for door in doors if door["door"] == "gym"]
            return bool(told) and told[-1]["condition"] == condition

        agent.openings.add("gym")
        await until(lambda: gym("open"), "the gym, open")
        agent.openings.clear()
        await until(lambda: gym("secure"), "the gym, secure")
        agent.openings.add("gym")
        await until(lambda: gym("open"), "the gym, open again")
        await until(
            lambda: stream.last("overview").get("totals", {}).get("conditions", {}).get("open") == 1,
            "the sums with it",
        )
        await until(
            lambda: stream.last("declaration").get("closure", {}).get("proven") == 1, "the closure without it"
        )


async def test_another_sites_doors_are_not_told_and_its_summary_is(town: Town, broker: RunningBroker) -> None:
    async with (
        town.central(broker) as running,
        AgentVoice(town, broker).speaking() as agent,
        listening(await running.as_("rita"), site="oak") as stream,
    ):
        agent.openings.add("gym")
        await until(
            lambda: any(site["site"] == "lincoln" for one in stream.of("overview") for site in one["sites"]),
            "lincoln's summary",
        )
        await running.declare("olive")
        await until(lambda: stream.of("declaration"), "a later message")
        assert stream.of("doors") == []


async def test_an_agents_own_alarms_and_what_a_doors_maintenance_is_about_are_told(
    town: Town, broker: RunningBroker
) -> None:
    async with (
        town.central(broker) as running,
        AgentVoice(town, broker).speaking() as agent,
        listening(await running.as_("rita"), site="lincoln") as stream,
    ):
        agent.alarms = ("mains_failed",)

        def summary() -> dict[str, Any]:
            sites = [site for one in stream.of("overview") for site in one["sites"] if site["site"] == "lincoln"]
            return sites[-1] if sites else {}

        await until(lambda: summary().get("agent_alarms") == {agent.name[1]: ["mains_failed"]}, "the agent's alarm")
        agent.maintenance = ("forced",)  # of doors that are known, and of which nothing else changes
        await until(
            lambda: any(door["maintenance"] == ["forced"] for doors in stream.of("doors") for door in doors),
            "what is the matter at the doors",
        )
        agent.alarms = ()
        await until(lambda: summary()["agent_alarms"] == {}, "its end")


async def test_closure_rows_come_for_the_declaration_asked_for(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        agent.openings.add("front")
        made = await running.declare("olive", kind="site", site="lincoln")
        other = await running.declare("olive", drill=True)
        async with listening(await running.as_("rita"), declaration=made["id"]) as stream:
            agent.openings.clear()

            def rows() -> dict[str, str]:
                return {row["door"]: row["state"] for one in stream.of("closure") for row in one["doors"]}

            await until(lambda: rows().get("front") == "proven", "the row of the door that closed")
            assert {one["id"] for one in stream.of("closure")} == {made["id"]}
            assert other["id"] in {one["id"] for one in stream.of("declaration")}


async def test_news_come_as_events_and_old_or_dull_ones_do_not(town: Town, broker: RunningBroker) -> None:
    async with (
        town.central(broker) as running,
        AgentVoice(town, broker).speaking() as agent,
        listening(await running.as_("rita")) as stream,
    ):
        await agent.happen("agent_health", rss_mib=40)
        await agent.happen("access_denied", "front", reason="expired")
        await until(lambda: stream.of("event"), "the denial")
        [event] = stream.of("event")
        assert (event["kind"], event["door"], event["data"]) == ("access_denied", "front", {"reason": "expired"})
        assert [one["kind"] for one in (await running.get("rita", "/api/events"))["events"]] == [
            "access_denied",
            "agent_health",
        ]


async def test_a_declaration_over_a_school_that_is_gone_and_a_fault_leave_the_stream_and_central_alive(
    town: Town, broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town.central(broker) as running:
        made = await running.declare("olive", kind="site", site="oak", drill=True)
    town.content["sites"] = [site for site in town.content["sites"] if site["site"] != "oak"]
    town.write()
    async with town.central(broker) as running, listening(await running.as_("rita")) as stream:
        await running.release("olive", made["id"])
        await until(lambda: stream.of("declaration"), "the end of the declaration over oak")

        views = running.central._views
        faults = iter([True])
        right = views.totals

        def wrong_once() -> Any:
            if next(faults, False):
                raise KeyError("a fault")
            return right()

        monkeypatch.setattr(views, "totals", wrong_once)
        await running.declare("olive", drill=True)
        await until(lambda: stream.of("resync"), "the word to fetch anew")
        other = await running.declare("olive", drill=True)
        await until(lambda: any(one["id"] == other["id"] for one in stream.of("declaration")), "later news")


async def test_the_end_is_told_with_its_last_closure_and_without_the_records(
    town: Town, broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        town.central(broker) as running,
        AgentVoice(town, broker).speaking(),
        listening(await running.as_("rita")) as stream,
    ):
        made = await running.declare("olive", kind="site", site="lincoln", drill=True)
        await until(lambda: running.central.closure.summary(made["id"]).proven == 2, "the proof")
        details = running.central._audit.details
        on_the_loop: list[bool] = []

        def watched(*asked: Any) -> Any:
            on_the_loop.append(threading.current_thread() is threading.main_thread())
            return details(*asked)

        monkeypatch.setattr(running.central._audit, "details", watched)
        await running.release("olive", made["id"])
        await until(lambda: stream.last("declaration").get("state") == "ended", "the end")
        assert stream.last("declaration")["closure"]["proven"] == 2
        assert True not in on_the_loop


async def test_a_stream_ends_with_its_session(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, listening(await running.as_("olive")) as stream:
        await (await running.as_("ada")).patch("/api/users/olive", json={"disabled": True})
        await until(lambda: stream.ended, "the end of the stream")


async def test_central_ends_while_consoles_listen(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, listening(await running.as_("olive")) as stream:
        running.central.stop()
        await until(lambda: stream.ended, "the end of the stream")


async def test_what_is_not_there_cannot_be_watched(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        client = await running.as_("olive")
        for query in ({"site": "elm"}, {"declaration": "nothing"}):
            assert (await client.get("/api/live", params=query)).status_code == 404


async def test_a_listener_that_reads_too_slowly_is_told_to_fetch_anew_and_holds_little() -> None:
    listener = Listener(None, None)
    frame = b"x" * (MOST_WAITING_BYTES // 10)
    for _ in range(25):
        listener.put("doors", frame)
    listener.close()
    async with asyncio.timeout(30):
        kinds = [kind async for kind, _ in listener]
    assert kinds[0] == "resync"
    assert len(kinds) <= 11
