"""The service on PostgreSQL: the same acts, the same answers, over a restart."""

from pathlib import Path

from tests.central.centrals import PASSWORD, AgentVoice, Town
from tests.central.databases import private_postgres
from tests.support.brokers import mosquitto
from tests.support.waiting import until


async def test_declaring_panic_people_history_and_audit_work_on_postgresql(tmp_path: Path) -> None:
    town = Town(tmp_path)
    with private_postgres() as url, mosquitto() as broker:
        town.database_url = url
        async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
            made = await running.declare("rita", drill=True)
            await agent.panic("panic-1")
            await agent.happen("access_denied", "front", reason="expired")
            await until(lambda: len(running.central.declarations.active) == 2, "the panic in central")
            await until(lambda: running.central.ingest.health().committed == 1, "the event in the records")
            assert (await running.release("olive", "panic-1")).json()["state"] == "release_requested"
            body = {"username": "nora", "role": "responder", "password": PASSWORD}
            assert (await (await running.as_("ada")).post("/api/users", json=body)).status_code == 201
        async with town.central(broker) as running:
            assert {one.id for one in running.central.declarations.active} == {made["id"], "panic-1"}
            assert (await running.release("olive", "panic-1")).status_code == 409
            assert (await running.release("otto", "panic-1")).json()["state"] == "ended"
            assert (await running.release("otto", made["id"])).json()["state"] == "ended"
            door = await running.get("rita", "/api/sites/lincoln/doors/front")
            assert [event["kind"] for event in door["events"]] == ["access_denied"]
            assert (await running.get("rita", "/api/history/doors", site="lincoln"))["series"][0]["door"] == "front"
            assert (await running.get("ada", "/api/audit/verify"))["ok"]
