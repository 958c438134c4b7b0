"""What a trial forgives, and what holds while an agent has gone back to an older configuration."""

import sqlite3
import uuid
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.agent import Agent
from edge_agent.agent_yaml.wiring import Passage
from edge_agent.bundle import trial as config_trial
from edge_agent.bundle.bundle import Configuration
from edge_agent.bundle.trial import Trial
from edge_agent.events.outbox import NewEvent
from edge_agent.policy.decision import Denied, decide
from edge_agent.policy.identification import Shown
from edge_agent.storage.state_db import Store
from protocol.messages import AccessRule, Credential
from protocol.refusal import Refused
from protocol.words import Alarm, Denial, EventKind, Identification
from tests.support.agents import Pi, TestDistrict
from tests.support.people import digests, paged, token_of
from tests.support.trials import die, stay_well, told
from tests.support.waiting import until

RULES = (AccessRule(group="staff", doors=("door-0", "door-1")),)
TOKEN = token_of(1)


def badge(**fields: object) -> Credential:
    return Credential(**({"token": TOKEN, "cardholder": "ch-1", "groups": ("staff",)} | fields))


async def power_cut(pi: Pi, monkeypatch: pytest.MonkeyPatch, receive: bytes | None = None) -> None:
    """A run of the agent that ends with the machine's."""
    with monkeypatch.context() as patch:
        patch.setattr(Configuration, "stopped_well", lambda _self: None)
        async with pi.running() as agent:
            if receive is not None:
                agent.configuration.receive(receive)
    pi.clock.boot = str(uuid.uuid4())


def answer(agent: Agent) -> Denial | None:
    """What the badge gets at door-0; None: let in."""
    known = agent.configuration.rules.credentials.find(TOKEN)
    attempt = agent.desk._attempts.at("door-0", Passage.IN, known, Shown.CARD, agent.clock.mono_ms())
    decision = decide(attempt)
    return decision.reason if isinstance(decision, Denied) else None


async def rolled_back(pi: Pi, district: TestDistrict, fatal: set[int], newer: bytes, **fields: object) -> None:
    """Have an agent that is well with configuration 1, and has gone back to it from 2."""
    before = {"rules": RULES, "credentials": (badge(),)} | fields
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1, **before))
        stay_well(agent)
        assert answer(agent) is None
        agent.configuration.receive(newer)
    fatal.add(2)
    for _ in range(config_trial.FAILED_STARTS):
        await die(pi)


async def test_power_cuts_roll_no_configuration_back_however_many(
    pi: Pi, district: TestDistrict, monkeypatch: pytest.MonkeyPatch, noted: list[NewEvent]
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1, rules=RULES, credentials=(badge(),)))
        stay_well(agent)
    newer = district.config(pi, 2, rules=RULES, credentials=(badge(suspended=True),))
    await power_cut(pi, monkeypatch, newer)
    for _ in range(3):
        await power_cut(pi, monkeypatch)
    async with pi.running() as agent:
        assert agent.configuration.rules.version == 2
        assert answer(agent) is Denial.CREDENTIAL_SUSPENDED
        stay_well(agent)
        assert agent.store.config() == newer
    assert not told(noted, EventKind.CONFIG_ROLLED_BACK)


async def test_crashes_count_over_power_cuts_that_do_not(pi: Pi, district: TestDistrict, fatal: set[int]) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1))
        stay_well(agent)
        agent.configuration.receive(district.config(pi, 2))
    fatal.add(2)
    for boot in ("a", "a", "b"):  # the second start finds the first crash, the third finds a power cut
        pi.clock.boot = boot
        await die(pi)
    async with pi.running() as agent:
        assert agent.configuration.rules.version == 1


@pytest.mark.parametrize(
    ("newer", "reason"),
    [
        ({"credentials": (badge(suspended=True),)}, Denial.CREDENTIAL_SUSPENDED),
        ({"credentials": ()}, Denial.UNKNOWN_CREDENTIAL),
        ({"credentials": (badge(groups=()),)}, Denial.NO_ACCESS_HERE),
        ({"credentials": (badge(valid_until_ms=1),)}, Denial.EXPIRED),
        ({"rules": ()}, Denial.NO_ACCESS_HERE),
        ({"rules": (AccessRule(group="staff", doors=("door-0",), schedule="never"),)}, Denial.OUTSIDE_SCHEDULE),
        ({"doors": ("door-0", {"identification": Identification.CARD_AND_PIN})}, Denial.PIN_MISSING),
        (
            {"doors": ("door-0", {"first_person_group": "office", "first_person_for_all": True})},
            Denial.FIRST_PERSON_MISSING,
        ),
        ({"credentials": (badge(override=True),)}, None),
        ({"timezone": "Atlantis/Capital", "credentials": (badge(suspended=True),)}, Denial.CREDENTIAL_SUSPENDED),
        ({"timezone": "Atlantis/Capital"}, None),
    ],
)
async def test_a_badge_opens_nothing_that_the_configuration_rolled_back_would_not(
    pi: Pi, district: TestDistrict, fatal: set[int], newer: dict[str, Any], reason: Denial | None
) -> None:
    fields = {"rules": RULES, "credentials": (badge(),), "schedules": {"never": ()}} | newer
    if "doors" in newer:
        name, settings = newer["doors"]
        fields["doors"] = (pi.settings(name, **settings),)
    if "timezone" in newer:  # as if it could be compiled when it came, and can no longer
        async with pi.running() as agent:
            agent.configuration.receive(district.config(pi, 1, rules=RULES, credentials=(badge(),)))
            stay_well(agent)
            agent.store.roll_back_trial(2, district.config(pi, 2, **fields))
    else:
        await rolled_back(pi, district, fatal, district.config(pi, 2, **fields))
    async with pi.running() as agent:
        assert agent.configuration.rules.version == 1
        assert answer(agent) is reason
        agent.configuration.receive(district.config(pi, 3, rules=RULES, credentials=(badge(),)))
        assert answer(agent) is None, "until central says again what it wants"


async def test_two_people_and_the_vestibule_are_held_to_as_well(
    pi: Pi, district: TestDistrict, fatal: set[int]
) -> None:
    doors = (pi.settings("door-0", two_person=True, interlock="vestibule"), pi.settings("door-1"))
    await rolled_back(pi, district, fatal, district.config(pi, 2, doors=doors, rules=RULES, credentials=(badge(),)))
    async with pi.running() as agent:
        settings = agent.configuration.rules.settings("door-0")
        assert (settings.two_person, settings.interlock) == (True, "vestibule")
        assert not agent.configuration.rules.settings("door-1").two_person


async def test_a_badge_whose_newer_page_is_not_held_works_as_before_and_one_whose_page_is_not(
    pi: Pi, district: TestDistrict
) -> None:
    before = sorted((badge(token=token_of(n), cardholder=f"ch-{n}") for n in range(8)), key=lambda one: one.token)
    pages = paged(before, 2)
    first, last = before[0], before[-1]
    after = paged([replace(first, suspended=True), *before[1:-1], replace(last, suspended=True)], 2)
    async with pi.running() as agent:
        for version, some in ((1, pages), (2, after)):
            signed = district.config(pi, version, rules=RULES, credential_pages=digests(some))
            agent.configuration.receive(signed)
            for number in agent.configuration.pages.wanted():
                agent.configuration.receive_page(number, some[number])
            await until(lambda v=version: agent.configuration.rules.version == v, "the configuration")
            if version == 1:
                stay_well(agent)
        agent.configuration._step(config_trial.Failed("for the test"))
        await agent.credentials.keep_only({*digests(pages), digests(after)[0]})
        find = agent.configuration.rules.credentials.find
        assert [one.suspended for one in (find(first.token), find(last.token)) if one] == [True, False]


async def test_an_agent_tells_that_it_went_back_until_it_takes_up_a_newer_one(
    pi: Pi, district: TestDistrict, fatal: set[int], noted: list[NewEvent]
) -> None:
    await rolled_back(pi, district, fatal, district.config(pi, 2))
    async with pi.running() as agent:
        assert agent.snapshots.make().alarms == (Alarm.CONFIG_ROLLED_BACK,)
    async with pi.running() as agent:
        assert agent.snapshots.make().alarms == (Alarm.CONFIG_ROLLED_BACK,), "after a restart, too"
        agent.configuration.receive(district.config(pi, 3))
        assert agent.snapshots.make().alarms == ()
    (raised, _), (cleared,) = told(noted, EventKind.ALARM_RAISED), told(noted, EventKind.ALARM_CLEARED)
    assert raised == {"alarm": Alarm.CONFIG_ROLLED_BACK, "version": 2, "used": 1}
    assert cleared["alarm"] == Alarm.CONFIG_ROLLED_BACK


async def test_with_nothing_to_go_back_to_the_same_configuration_is_tried_again(
    pi: Pi, district: TestDistrict, fatal: set[int]
) -> None:
    only = district.config(pi, 2, rules=RULES, credentials=(badge(),))
    async with pi.running() as agent:
        agent.configuration.receive(only)
    fatal.add(2)
    for _ in range(config_trial.FAILED_STARTS):
        await die(pi)
    fatal.clear()
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, agent.snapshots.make().alarms) == (0, (Alarm.CONFIG_ROLLED_BACK,))
        with pytest.raises(Refused):
            agent.configuration.receive(district.config(pi, 1))
        agent.configuration.receive(only)
        assert (agent.configuration.rules.version, agent.snapshots.make().alarms) == (2, ())
        assert answer(agent) is None
        stay_well(agent)
        assert agent.store.config() == only


def test_a_card_that_makes_the_agent_wait_now_and_then_is_no_reason_to_roll_back() -> None:
    trial, now = Trial(1), 0
    while now < config_trial.CONFIRM_WITHIN_MS:
        now += 2_600 if now % 25_000 < 500 else 500
        trial = config_trial.beat(trial, now)
        assert not config_trial.proven(trial)
    assert config_trial.beating(trial, now + 3_000), "also if it is asked in the midst of such a wait"
    assert not config_trial.beating(trial, now + 30_000)
    assert not config_trial.beating(Trial(1), now)


async def test_a_healthy_agent_that_is_not_proven_in_time_stays_on_trial_and_is_confirmed_later(
    pi: Pi, district: TestDistrict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1))
        stay_well(agent)
        monkeypatch.setattr(config_trial, "CONFIRM_WITHIN_MS", 900)
        monkeypatch.setattr(config_trial, "beating", lambda trial, _now: trial.last_ms is not None)
        agent.configuration.receive(district.config(pi, 2))
        agent.configuration.beat()
        await until(lambda: "stays on trial" in caplog.text, "the deadline")
        assert agent.configuration.rules.version == 2
        stay_well(agent, 65_000)
        assert agent.configuration.trial is None


async def test_a_rollback_that_the_disk_refused_is_kept_once_it_does_not(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1, rules=RULES, credentials=(badge(),)))
        stay_well(agent, 65_000)
        agent.configuration.receive(district.config(pi, 2, rules=RULES, credentials=(badge(suspended=True),)))
        agent.store._db.execute("PRAGMA query_only = 1")
        agent.configuration._step(config_trial.Failed("for the test"))
        assert not agent.configuration.kept
        agent.store.try_again()
        assert not agent.configuration.kept
        agent.store._db.execute("PRAGMA query_only = 0")
        agent.store.try_again()
        assert agent.configuration.kept
        assert agent.store.rolled_back() is not None
        assert agent.store.trial() is None
    async with pi.running() as agent:
        assert agent.configuration.rules.version == 1
        assert answer(agent) is Denial.CREDENTIAL_SUSPENDED


async def test_a_rollback_at_a_start_holds_though_the_disk_refuses_to_keep_it(
    pi: Pi, district: TestDistrict, fatal: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = district.config(pi, 2, rules=RULES, credentials=(badge(suspended=True),))
    await rolled_back(pi, district, fatal, newer)

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Store, "roll_back_trial", refuse)
    async with pi.running() as agent:
        assert agent.configuration.rules.version == 1
        assert answer(agent) is Denial.CREDENTIAL_SUSPENDED
        assert agent.snapshots.make().alarms[-1:] == (Alarm.STORAGE_FAILED,)
        with pytest.raises(Refused, match="rolled back"):
            agent.configuration.receive(newer)
