"""A district of real agents under a real lockdown, through central's API as a person's phone would use it."""

import time
from collections.abc import Iterator

import pytest

from simulators.district.plan import DistrictSize
from tests.support.brokers import mosquitto
from tests.support.running_district import RunningDistrict, pretty, running_district, wait_for

SIZE = DistrictSize(sites=2, agents=1, doors=4, readers=1)


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDistrict]:
    """Two schools in class: doors on a schedule are unlocked at any hour."""
    with running_district(tmp_path_factory.mktemp("d"), SIZE, broker=mosquitto, round_the_clock=True) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_declared(district: RunningDistrict) -> Iterator[None]:
    yield
    one, other = district.api("responder"), district.api("officer")
    for declaration in one.get("/declarations", active="true"):
        for person in (one, other):
            person.post(f"/declarations/{declaration['id']}/release")
    wait_for(lambda: not one.get("/declarations", active="true"), "all declarations ended")


def modes(district: RunningDistrict, agent: str) -> dict[str, str]:
    return {door: state["mode"] for door, state in district.hardware(agent).items()}


def secured(district: RunningDistrict, agent: str) -> bool:
    return set(modes(district, agent).values()) == {"secured"}


def test_a_lockdown_closes_every_door_and_each_proves_it(district: RunningDistrict) -> None:
    api = district.api()
    declaration = api.declare({"kind": "district"})
    total = len(district.district.doors)
    wait_for(lambda: api.closure(declaration)["proven"] == total, "all doors proven")
    for agent in district.agents:
        for door, state in district.hardware(agent).items():
            assert (state["holds"], state["released"]) == (True, False), (agent, door)
    rows = api.get(f"/declarations/{declaration}")["doors"]
    assert {(row["site"], row["door"]) for row in rows} == set(district.district.doors)
    assert all(row["state"] == "proven" and row["proven_ms"] is not None for row in rows), pretty(rows)


def test_a_jammed_door_is_named_and_never_shown_secure(district: RunningDistrict) -> None:
    agent = next(iter(district.agents))
    site, api = agent.split("/")[0], district.api()
    door = next(door for door, mode in modes(district, agent).items() if mode == "unlocked")
    district.order(agent, "jam", door=door)
    try:
        declaration = api.declare({"kind": "site", "site": site})
        shown: set[str] = set()

        def jammed() -> bool:
            shown.add(api.doors(site)[door]["condition"])
            return "jammed" in shown

        wait_for(jammed, "the door shown jammed", 10)
        assert "secure" not in shown
        wait_for(lambda: api.closure(declaration)["failed"] == 1, "one door counted as failed")
        (row,) = (row for row in api.get(f"/declarations/{declaration}")["doors"] if row["state"] == "failed")
        assert (row["door"], row["condition"], row["proven_ms"]) == (door, "jammed", None)
    finally:
        district.order(agent, "unjam", door=door)


def test_one_person_cannot_end_a_lockdown_and_a_second_can_and_doors_go_back_to_their_schedule(
    district: RunningDistrict,
) -> None:
    agent = next(iter(district.agents))
    before = modes(district, agent)
    assert "unlocked" in before.values()
    responder, officer = district.api("responder"), district.api("officer")
    declaration = responder.declare({"kind": "district"})
    wait_for(lambda: secured(district, agent), "the doors secured")
    assert responder.post(f"/declarations/{declaration}/release").json()["state"] == "release_requested"
    again = responder.post(f"/declarations/{declaration}/release")
    assert (again.status_code, again.json()["type"]) == (409, "same_person")
    assert secured(district, agent)
    assert officer.post(f"/declarations/{declaration}/release").json()["state"] == "ended"
    wait_for(lambda: modes(district, agent) == before, "the doors back to their schedule")


def test_ending_a_schools_lockdown_under_the_districts_loosens_nothing(district: RunningDistrict) -> None:
    agent = next(iter(district.agents))
    site = agent.split("/")[0]
    responder, officer = district.api("responder"), district.api("officer")
    whole = responder.declare({"kind": "district"})
    school = responder.declare({"kind": "site", "site": site})
    both = {whole, school}
    wait_for(lambda: all(set(d["declarations"]) == both for d in responder.doors(site).values()), "both hold")
    wait_for(lambda: all(door["holds"] for door in district.hardware(agent).values()), "every bolt thrown")
    for person in (responder, officer):
        person.post(f"/declarations/{school}/release")
    wait_for(
        lambda: all(d["declarations"] == [whole] for d in responder.doors(site).values()), "the district's holds"
    )
    assert secured(district, agent)
    assert all(door["holds"] for door in district.hardware(agent).values())


def test_a_panic_button_locks_its_school_and_central_shows_who_pressed_it(district: RunningDistrict) -> None:
    agent, other = district.agents
    site = agent.split("/")[0]
    api = district.api()
    district.order(agent, "panic")
    wait_for(lambda: secured(district, agent), "the school secured")
    shown = wait_for(lambda: api.get("/declarations", active="true"), "the panic shown")
    assert [(d["origin"], d["scope"]["site"]) for d in shown] == [("agent", site)]
    assert not secured(district, other)


def test_a_frozen_agent_and_its_doors_are_unknown_within_15_s(district: RunningDistrict) -> None:
    agent = next(iter(district.agents))
    site, name = agent.split("/")
    api = district.api()
    api.declare({"kind": "site", "site": site})
    wait_for(lambda: all(door["proven"] for door in api.doors(site).values()), "all doors proven")
    district.agents[agent].freeze()
    frozen_ms = last_proven_ms = time.time_ns() // 1_000_000
    try:

        def unknown() -> bool:
            nonlocal last_proven_ms
            view = api.get(f"/sites/{site}")
            if any(door["proven"] for door in view["doors"]):
                last_proven_ms = view["server_ms"]
            alive = {found["agent"]: found["alive"] for found in view["agents"]}
            return not alive[name] and {door["condition"] for door in view["doors"]} == {"unknown"}

        wait_for(unknown, "agent and doors unknown")
        assert last_proven_ms - frozen_ms < 15_000  # by central's own word: its answers may come late
        assert not any(door["proven"] for door in api.doors(site).values())
    finally:
        district.agents[agent].thaw()
    wait_for(lambda: all(door["proven"] for door in api.doors(site).values()), "proven again after it thawed")
