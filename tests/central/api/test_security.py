"""Who may do what over HTTP, for how long, and what is kept of it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import delete, select, update

from central.api.security import COOKIE
from central.people.accounts import IDLE_MS, SESSION_MS
from central.records.schema import audit, sessions, users
from tests.central.centrals import PASSWORD, AgentVoice, Running, Town
from tests.support.brokers import RunningBroker, mosquitto
from tests.support.waiting import until

LOCKDOWN = {"action": "lockdown", "scope": {"kind": "district"}, "drill": True}


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


async def sign_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/session", json={"username": name, "password": password})


# --- roles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "may_release", "may_command", "may_audit", "may_administer"),
    [
        ("olive", True, True, True, False),
        ("rita", True, False, False, False),
        ("felix", False, True, False, False),
        ("ada", True, True, True, True),
    ],
)
async def test_anyone_may_lock_and_the_role_gives_the_rest(
    town: Town,
    broker: RunningBroker,
    *,
    name: str,
    may_release: bool,
    may_command: bool,
    may_audit: bool,
    may_administer: bool,
) -> None:
    async with town.central(broker) as running:
        client = await running.as_(name)
        made = await client.post("/api/declarations", json=LOCKDOWN)
        release = await client.post(f"/api/declarations/{made.json()['id']}/release")
        command = await client.post("/api/sites/lincoln/doors/front/commands", json={"kind": "grant"})
        log, people = await client.get("/api/audit"), await client.get("/api/users")

        assert made.status_code == 201
        assert release.status_code == (200 if may_release else 403)
        assert command.status_code == (202 if may_command else 403)
        assert log.status_code == (200 if may_audit else 403)
        assert people.status_code == (200 if may_administer else 403)
        refused = [answer for answer in (release, command, log, people) if answer.status_code == 403]
        assert all("administrator" in answer.json()["detail"] for answer in refused), "it says who may"


async def test_nobody_signed_in_sees_anything_but_the_health_and_the_console(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running:
        client = running.anyone()
        document = (await client.get("/api/openapi.json")).json()
        open_routes = []
        for path, methods in document["paths"].items():
            for method in methods:
                url = path.replace("{site}", "lincoln").replace("{door}", "front").replace("{id}", "x")
                answer = await client.request(method, url.replace("{username}", "ada"), json={})
                if answer.status_code != 401:
                    open_routes.append((method, path))
        assert open_routes == [("post", "/api/session"), ("get", "/api/health")]


# --- sign-in ----------------------------------------------------------------------------------------------------


async def test_a_session_is_a_strict_cookie_for_the_console_and_ends_with_sign_out(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running:
        client = running.anyone()
        answer = await sign_in(client, "olive")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert (await client.get("/api/session")).json()["role"] == "officer"
        with running.central.engine.connect() as connection:
            kept = json.dumps([list(row) for row in connection.execute(select(sessions))])
            assert answer.json()["token"] not in kept, "only its hash is in the records"
        token = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert (await client.delete("/api/session")).status_code == 204
        client.cookies.clear()
        assert (await client.get("/api/session", headers=token)).status_code == 401


async def test_a_page_of_another_origin_cannot_act_with_the_cookie(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        client = running.anyone()
        await sign_in(client, "olive")
        foreign = {"Origin": "http://127.0.0.1:9"}
        own = {"Origin": running.central.address}
        assert (await client.post("/api/declarations", json=LOCKDOWN, headers=foreign)).status_code == 403
        assert (await client.post("/api/declarations", json=LOCKDOWN, headers=own)).status_code == 201


async def test_wrong_passwords_and_unknown_names_get_the_same_answer_and_must_wait(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running:
        client = running.anyone()
        unknown = await sign_in(client, "nobody", "wrong")
        wrong = [await sign_in(client, "olive", "wrong") for _ in range(5)]
        assert {answer.status_code for answer in (unknown, *wrong)} == {401}
        assert unknown.json() == wrong[0].json()

        right = await sign_in(client, "olive")
        assert (right.status_code, right.json()["type"]) == (429, "throttled")
        assert int(right.headers["retry-after"]) >= 1
        town.clock.ahead_ms += 1_000 * int(right.headers["retry-after"])
        assert (await sign_in(client, "olive")).status_code == 200


async def test_many_guesses_at_once_do_not_all_pass_the_throttle(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        client = running.anyone()
        answers = await asyncio.gather(*(sign_in(client, "olive", "wrong") for _ in range(15)))
        assert sum(answer.status_code == 401 for answer in answers) <= 5


async def test_sessions_expire_after_half_a_day_and_after_two_idle_hours(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        client = await running.as_("olive")
        idle = (await sign_in(running.anyone(), "otto")).json()["token"]
        running.anyone().cookies.clear()
        began = town.clock.utc_ms()
        while town.clock.utc_ms() + IDLE_MS // 2 < began + SESSION_MS:
            town.clock.ahead_ms += IDLE_MS // 2
            assert (await client.get("/api/session")).status_code == 200
        asked = await running.anyone().get("/api/session", headers={"Authorization": f"Bearer {idle}"})
        assert asked.status_code == 401
        town.clock.ahead_ms += IDLE_MS // 2
        assert (await client.get("/api/session")).status_code == 401


# --- people -----------------------------------------------------------------------------------------------------


async def test_an_administrator_adds_changes_and_disables_people(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        ada = await running.as_("ada")
        body = {"username": "nora", "role": "responder", "password": PASSWORD}
        assert (await ada.post("/api/users", json=body)).status_code == 201
        assert (await ada.post("/api/users", json=body)).json()["type"] == "user_exists"
        assert (await ada.post("/api/users", json=body | {"password": "short"})).status_code == 422

        nora = {"Authorization": f"Bearer {(await sign_in(running.anyone(), 'nora')).json()['token']}"}
        running.anyone().cookies.clear()
        assert (await ada.patch("/api/users/nora", json={"role": "officer"})).json()["role"] == "officer"
        assert (await running.anyone().get("/api/session", headers=nora)).json()["role"] == "officer"
        assert (await ada.patch("/api/users/nora", json={"disabled": True})).json()["disabled"]
        assert (await running.anyone().get("/api/session", headers=nora)).status_code == 401
        assert (await sign_in(running.anyone(), "nora")).status_code == 401
        assert (await ada.patch("/api/users/nobody", json={})).status_code == 404
        with running.central.engine.connect() as connection:
            hashes = connection.execute(select(users.c.password_hash)).scalars().all()
            assert all(kept.startswith("$argon2id$") for kept in hashes)


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "officer"}])
async def test_the_last_administrator_stays_one(town: Town, broker: RunningBroker, change: dict[str, object]) -> None:
    async with town.central(broker) as running:
        ada = await running.as_("ada")
        answer = await ada.patch("/api/users/ada", json=change)
        assert (answer.status_code, answer.json()["type"]) == (409, "last_administrator")
        assert (await ada.get("/api/users")).status_code == 200


# --- the audit log ----------------------------------------------------------------------------------------------


async def entries(running: Running) -> list[dict[str, object]]:
    return list(await running.get("ada", "/api/audit"))


async def test_every_act_is_in_the_log_with_who_did_it(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        made = await running.declare("olive")
        await running.release("otto", made["id"])
        await running.release("rita", made["id"])
        await (await running.as_("felix")).post("/api/sites/lincoln/doors/front/commands", json={"kind": "test_lock"})
        found = [(entry["who"], entry["action"], entry["subject"]) for entry in await entries(running)]
        for expected in (
            ("olive", "declared", made["id"]),
            ("otto", "release_requested", made["id"]),
            ("rita", "declaration_ended", made["id"]),
            ("felix", "commanded", "lincoln/front"),
        ):
            assert expected in found
        verdict = await running.get("olive", "/api/audit/verify")
        assert verdict["ok"]
        assert verdict["entries"] == len(found)


@pytest.mark.parametrize("tamper", ["who", "removed", "rehashed"])
async def test_the_chain_shows_an_entry_that_was_tampered_with(
    town: Town, broker: RunningBroker, tamper: str
) -> None:
    async with town.central(broker) as running:
        made = await running.declare("olive", drill=True)
        await running.release("olive", made["id"])
        [victim] = [entry for entry in await entries(running) if entry["action"] == "declared"]
        seq = victim["seq"]
        row = audit.c.seq == seq
        with running.central.engine.begin() as connection:
            if tamper == "removed":
                connection.execute(delete(audit).where(row))
            elif tamper == "who":
                connection.execute(update(audit).where(row).values(who="felix"))
            else:
                connection.execute(update(audit).where(row).values(who="felix", hash="0" * 64))
        verdict = await running.get("ada", "/api/audit/verify")
        assert not verdict["ok"]
        assert verdict["first_bad"] == (int(str(seq)) + 1 if tamper == "removed" else seq)


# --- commands and hardening -------------------------------------------------------------------------------------


async def test_a_command_reaches_its_agent_signed_for_it_and_expiring(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        felix = await running.as_("felix")
        sent = (await felix.post("/api/sites/lincoln/doors/gym/commands", json={"kind": "grant"})).json()
        await until(lambda: agent.commands, "the command at the agent")
        [command] = agent.commands
        assert (command.id, command.kind, command.door, command.by) == (sent["id"], "grant", "gym", "felix")
        assert command.expires_ms == sent["expires_ms"]
        assert not any(message.retained for message in agent.came if message.topic.endswith("/command"))
        assert (
            await felix.post("/api/sites/lincoln/doors/attic/commands", json={"kind": "grant"})
        ).status_code == 404


async def test_a_command_without_a_broker_is_refused_and_a_declaration_is_kept(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running:
        olive = await running.as_("olive")
        broker.kill()
        await until(lambda: not running.central.wire.connected, "the loss of the broker")
        answer = await olive.post("/api/sites/lincoln/doors/gym/commands", json={"kind": "grant"})
        assert (answer.status_code, answer.json()["type"]) == (503, "no_broker")
        made = await running.declare("olive", drill=True)
        health = (await running.anyone().get("/api/health")).json()
        assert (health["ok"], health["broker_connected"]) == (False, False)
        assert "broker" in health["problems"][0]
        broker.start()
        async with AgentVoice(town, broker).speaking() as agent:
            await until(lambda: agent.held() == {made["id"]}, "what was declared meanwhile")


async def test_a_body_of_any_size_does_not_get_in(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        answer = await running.anyone().post("/api/session", content=b"x" * 200_000)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"


async def test_an_address_with_a_nul_is_refused(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        client = await running.as_("ada")
        for path in ("/api/declarations/a%00b", "/api/events?kind=a%00b"):
            assert (await client.get(path)).status_code == 422
        assert (await client.patch("/api/users/a%00b", json={"disabled": True})).status_code == 422


async def test_every_answer_carries_the_strict_policy(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        for path in ("/", "/api/health", "/api/nothing", "/docs"):
            answer = await running.anyone().get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_signing_out_of_a_session_that_is_none_is_refused(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        client = running.anyone()
        for headers in ({"Authorization": "Bearer made-up"}, {"Cookie": f"{COOKIE}=made-up"}):
            assert (await client.delete("/api/session", headers=headers)).status_code == 401
