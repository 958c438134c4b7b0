"""A configuration is on trial until the agent is well with it; one that fails is rolled back, and loosens nothing."""

import asyncio

import pytest

from edge_agent.agent import Agent
from edge_agent.bundle import trial as config_trial
from edge_agent.bundle.trial import Trial
from edge_agent.doors.doors import Doors
from edge_agent.events.outbox import NewEvent
from edge_agent.policy.rules import Rules
from protocol import topics
from protocol.messages import Period
from protocol.refusal import Reason, Refused
from protocol.words import DoorMode, EventKind
from tests.support.agents import Pi, TestDistrict, lockdown
from tests.support.trials import die, stay_well, told
from tests.support.waiting import until

ALWAYS = {"always": (Period(days=tuple(range(7)), start="00:00", end="24:00"),)}
DISTRICT = topics.district_declarations()


def mode(agent: Agent) -> DoorMode:
    return agent.doors.held["door-0"].state.mode


@pytest.mark.parametrize(("until_ms", "well"), [(30_000, True), (29_500, False)])
def test_half_a_minute_of_health_proves_a_configuration(until_ms: int, well: bool) -> None:
    trial = Trial(1)
    for now in range(0, until_ms + 1, 500):
        trial = config_trial.beat(trial, now)
    assert config_trial.proven(trial) is well


def test_a_break_in_the_beat_begins_the_half_minute_anew() -> None:
    trial = Trial(1)
    for now in (*range(0, 20_000, 500), *range(23_000, 52_501, 500)):
        trial = config_trial.beat(trial, now)
    assert not config_trial.proven(trial)
    assert config_trial.proven(config_trial.beat(trial, 53_000))


async def test_a_healthy_agent_confirms_its_configuration(
    pi: Pi, district: TestDistrict, noted: list[NewEvent]
) -> None:
    async with pi.running() as agent:
        signed = district.config(pi)
        agent.configuration.receive(signed)
        assert agent.store.config() is None, "it is on trial"
        stay_well(agent)
        assert agent.store.config() == signed
        assert agent.store.trial() is None
    assert told(noted, EventKind.CONFIG_CONFIRMED) == [{"version": 1}]
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, agent.configuration.trial) == (1, None)


async def test_an_orderly_restart_in_the_midst_of_a_trial_does_not_count_against_it(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi))
    for _ in range(5):
        async with pi.running() as agent:
            assert agent.configuration.rules.version == 1
    async with pi.running() as agent:
        stay_well(agent)
        assert agent.store.trial() is None


async def test_one_with_which_the_agent_cannot_come_up_is_rolled_back_and_waits_for_a_newer_one(
    pi: Pi, district: TestDistrict, noted: list[NewEvent], fatal: set[int]
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1))
        stay_well(agent)
    fatal.add(2)
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 2))
        agent.declarations.accept_set(DISTRICT, district.declare(DISTRICT, 1, lockdown()))
    for _ in range(config_trial.FAILED_STARTS):
        await die(pi)
    async with pi.running() as agent:
        assert agent.configuration.rules.version == 1
        assert mode(agent) is DoorMode.SECURED, "what is declared holds whatever configuration is used"
        for version in (2, 1):
            with pytest.raises(Refused):
                agent.configuration.receive(district.config(pi, version))
        with pytest.raises(Refused) as refused:
            agent.configuration.receive(district.config(pi, 2))
        assert refused.value.reason is Reason.ROLLED_BACK
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 3))
        assert agent.configuration.rules.version == 3
        stay_well(agent)
    ((event),) = told(noted, EventKind.CONFIG_ROLLED_BACK)
    assert (event["version"], event["to"]) == (2, 1)


async def test_the_first_configuration_of_all_can_be_rolled_back_too(
    pi: Pi, district: TestDistrict, fatal: set[int]
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1))
    fatal.add(1)
    for _ in range(config_trial.FAILED_STARTS):
        await die(pi)
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, mode(agent)) == (0, DoorMode.CONTROLLED)


async def test_a_configuration_that_cannot_be_applied_is_rolled_back_at_once(
    pi: Pi, district: TestDistrict, noted: list[NewEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_rules = Doors.set_rules

    def set_or_fail(self: Doors, rules: Rules) -> None:
        if rules.version == 2:
            raise RuntimeError("this configuration cannot be applied")
        set_rules(self, rules)

    monkeypatch.setattr(Doors, "set_rules", set_or_fail)
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1))
        stay_well(agent)
        agent.configuration.receive(district.config(pi, 2))
        assert agent.configuration.rules.version == agent.doors.rules.version == 1
    ((event),) = told(noted, EventKind.CONFIG_ROLLED_BACK)
    assert (event["version"], event["to"]) == (2, 1)


async def test_one_that_is_not_confirmed_in_time_is_rolled_back_while_the_agent_runs(
    pi: Pi, district: TestDistrict, noted: list[NewEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1))
        stay_well(agent)
        monkeypatch.setattr(config_trial, "CONFIRM_WITHIN_MS", 50)
        monkeypatch.setattr(Doors, "reports", lambda _self: 1 / 0)  # it cannot say what its doors are
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        agent.configuration.receive(district.config(pi, 2))
        await until(lambda: agent.configuration.rules.version == 1, "the last good one")
        monkeypatch.undo()
    async with pi.running() as agent:
        assert agent.configuration.rules.version == 1


async def test_a_rollback_loosens_no_door(pi: Pi, district: TestDistrict, fatal: set[int]) -> None:
    unlocked = {"doors": (pi.settings("door-0", schedule="always"),), "schedules": ALWAYS}
    async with pi.running() as agent:
        agent.configuration.receive(district.config(pi, 1, **unlocked))
        stay_well(agent)
        await until(lambda: mode(agent) is DoorMode.UNLOCKED, "the door unlocked by its schedule")
        agent.configuration.receive(district.config(pi, 2))
        assert mode(agent) is DoorMode.CONTROLLED
    fatal.add(2)
    for _ in range(config_trial.FAILED_STARTS):
        await die(pi)
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, mode(agent)) == (1, DoorMode.CONTROLLED)
        agent.configuration.receive(district.config(pi, 3, **unlocked))
        assert mode(agent) is DoorMode.UNLOCKED, "until central says again what it wants"


def test_a_door_stays_in_the_zones_and_the_perimeter_of_what_was_rolled_back(pi: Pi) -> None:
    wider = Rules(doors={"door-0": pi.settings("door-0", zones=("gym",), perimeter=True)})
    rules = Rules(doors={"door-0": pi.settings("door-0", zones=("hall",))}, no_looser_than=wider)
    assert rules.settings("door-0") == pi.settings("door-0", zones=("hall", "gym"), perimeter=True)
    assert rules.settings("door-1").perimeter, "as of any door that nothing is known of"


async def test_a_configuration_kept_by_an_older_version_is_the_last_good_one(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        agent.store.confirm_trial(4, district.config(pi, 4))
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, agent.configuration.trial) == (4, None)
