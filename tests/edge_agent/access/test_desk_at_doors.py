"""Access rules at a real agent with virtual doors: what they do to locks and modes, and how people undo them."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_agent.agent import Agent
from edge_agent.policy.passback import Position
from edge_agent.policy.schedule import local_time
from protocol import credentials
from protocol.messages import AccessRule, Credential, DoorSettings, Holiday, Period, PinPolicy
from protocol.mqtt import Incoming
from protocol.topics import TopicKind
from protocol.words import Alarm, Condition, DoorMode, EventKind, Identification, Passback
from tests.edge_agent.doors.test_doors import condition, configure, events
from tests.support import swipes
from tests.support.agents import Pi, TestDistrict
from tests.support.waiting import until

ALWAYS = {"always": (Period(days=tuple(range(8)), start="00:00", end="24:00"),)}
PRINCIPAL, TEACHER = b"\x00\x00\x00\x01", b"\x00\x00\x00\x02"


def people(district: TestDistrict) -> dict[str, Any]:
    def one(card: bytes, name: str, *groups: str) -> Credential:
        token = credentials.token(district.credential_key, 26, card)
        pins = {
            field: credentials.pin_token(district.credential_key, token, digits)
            for field, digits in (("pin", "4711"), ("duress_pin", "4712"))
        }
        return Credential(token=token, cardholder=name, groups=("staff", *groups), **pins)

    return {
        "credentials": (one(PRINCIPAL, "ch-principal", "principals"), one(TEACHER, "ch-teacher")),
        "rules": (AccessRule(group="staff", doors=("door-0", "door-1")),),
    }


def swipe(agent: Agent, card: bytes, door: str = "door-0") -> None:
    swipes.swipe(agent, door, 26, card)


def command(agent: Agent, pi: Pi, district: TestDistrict, kind: str, door: str, **data: str) -> None:
    signed = district.command(pi, kind, door, data=data)
    agent.inbox.receive(Incoming(pi.topic(TopicKind.COMMAND), signed, False))


def mode(agent: Agent, door: str = "door-0") -> DoorMode:
    return agent.doors.held[door].state.mode


async def test_a_school_does_not_unlock_itself_before_the_first_person_has_come(
    pi: Pi, district: TestDistrict
) -> None:
    doors = (
        pi.settings("door-0", schedule="always", first_person_group="principals"),
        pi.settings("door-1", schedule="always"),
    )
    async with pi.running() as agent:
        configure(agent, pi, district, doors=doors, schedules=ALWAYS, **people(district))
        assert (mode(agent), mode(agent, "door-1")) == (DoorMode.CONTROLLED, DoorMode.UNLOCKED)
        swipe(agent, TEACHER)
        assert pi.doors["door-0"].released, "a badge works all the same"
        assert mode(agent) is DoorMode.CONTROLLED
        swipe(agent, PRINCIPAL)
        assert mode(agent) is DoorMode.UNLOCKED
    async with pi.running() as agent:
        assert mode(agent) is DoorMode.UNLOCKED, "who came is known after a restart"
        pi.clock.trust = False
        agent.doors.follow_schedules()
        assert mode(agent) is DoorMode.CONTROLLED


async def test_interlocked_doors_never_open_together_by_a_grant_and_always_for_who_leaves(
    tmp_path: Path, district: TestDistrict
) -> None:
    pi = Pi(tmp_path / "pi", district, maglocks=True)
    doors = (pi.settings("door-0", interlock="vestibule"), pi.settings("door-1", interlock="vestibule"))
    async with pi.running() as agent:
        configure(agent, pi, district, doors=doors, **people(district))
        await until(lambda: condition(agent, "door-1") is Condition.SECURE, "the proof that it is closed")
        swipe(agent, TEACHER)
        assert pi.doors["door-0"].released
        swipe(agent, TEACHER, "door-1")
        command(agent, pi, district, "grant", "door-1")
        assert not pi.doors["door-1"].released
        reasons = [data["reason"] for _, data in await events(agent, EventKind.ACCESS_DENIED)]
        refused = [data["reason"] for _, data in await events(agent, EventKind.MESSAGE_REFUSED)]
        assert (reasons, refused) == (["interlocked"], ["interlocked"])
        pi.doors["door-1"].press_rex()
        await until(lambda: pi.doors["door-1"].released, "egress")


async def test_a_passage_counts_when_the_real_door_has_opened_and_is_forgiven_on_command(
    pi: Pi, district: TestDistrict
) -> None:
    doors = (pi.settings("door-0", area_to="gym", passback=Passback.HARD), pi.settings("door-1"))
    async with pi.running() as agent:
        configure(agent, pi, district, doors=doors, **people(district))
        await until(lambda: condition(agent) is Condition.SECURE)
        swipe(agent, TEACHER)
        assert pi.doors["door-0"].person_opens(0.1)
        await until(lambda: agent.presence.position("ch-teacher") is not None, "the passage")
        await until(lambda: condition(agent) is Condition.SECURE, "the door behind them")
        swipe(agent, TEACHER)
        command(agent, pi, district, "forgive_passback", "door-0", cardholder="ch-teacher")
        assert not pi.doors["door-0"].released
        swipe(agent, TEACHER)
        assert pi.doors["door-0"].released
        ((_, done),) = await events(agent, EventKind.COMMAND_DONE)
        assert (done["kind"], done["known"]) == ("forgive_passback", 1)
        ((_, told),) = await events(agent, EventKind.PASSBACK_FORGIVEN)
        assert told == {"cardholder": "ch-teacher", "known": 1, "by": "officer"}


async def test_a_fire_alarm_forgives_everybody(pi: Pi, district: TestDistrict) -> None:
    doors = (pi.settings("door-0", area_to="gym", passback=Passback.HARD), pi.settings("door-1"))
    async with pi.running() as agent:
        configure(agent, pi, district, doors=doors, **people(district))
        agent.presence.move("ch-teacher", Position("gym"))
        pi.fire_wire.drive(None)
        await until(lambda: agent.doors.fire, "the fire alarm")
        assert agent.presence.position("ch-teacher") is None


async def test_a_duress_stands_with_its_door_until_an_officers_command(pi: Pi, district: TestDistrict) -> None:
    doors = (pi.settings("door-0", identification=Identification.CARD_AND_PIN), pi.settings("door-1"))
    async with pi.running() as agent:
        configure(agent, pi, district, doors=doors, **people(district))
        swipe(agent, TEACHER)
        swipes.press(agent, "door-0", "4712#")
        assert pi.doors["door-0"].released
        assert Alarm.DURESS in agent.doors.reports()[0].alarms
    async with pi.running() as agent:
        assert Alarm.DURESS in agent.doors.reports()[0].alarms, "a restart ends no duress"
        command(agent, pi, district, "clear_duress", "door-0")
        assert Alarm.DURESS not in agent.doors.reports()[0].alarms
        ((_, done),) = await events(agent, EventKind.COMMAND_DONE)
        assert (done["kind"], done["cleared"], done["by"]) == ("clear_duress", True, "officer")
        found = await events(agent, EventKind.DURESS, EventKind.ALARM_RAISED, EventKind.ALARM_CLEARED)
        assert [kind for kind, _ in found] == ["duress", "alarm_raised", "alarm_raised", "alarm_cleared"]
        assert "4712" not in str(await events(agent, *EventKind))


async def test_a_pin_that_does_not_come_is_told_at_its_time_without_anybody_asking(
    pi: Pi, district: TestDistrict, monkeypatch: Any
) -> None:
    monkeypatch.setattr("edge_agent.access.pin_entry.KEY_MS", 100)
    doors = (pi.settings("door-0", identification=Identification.CARD_AND_PIN), pi.settings("door-1"))
    async with pi.running() as agent:
        configure(agent, pi, district, doors=doors, **people(district))
        swipe(agent, TEACHER)
        due, others = agent.desk.due_ms(), agent.doors.due_ms()
        assert due is not None
        assert others is None or due < others, "nothing else is due that soon"
        await until(lambda: agent.desk.due_ms() is None, "the end of the entry")
        ((_, data),) = await events(agent, EventKind.ACCESS_DENIED)
        assert data == {"reader": "door-0-in", "reason": "pin_missing", "cardholder": "ch-teacher"}


async def test_what_central_says_of_holidays_and_pins_is_in_force(pi: Pi, district: TestDistrict) -> None:
    today = local_time(pi.clock.utc_ns(), ZoneInfo("America/Chicago")).date()
    weekdays = {"always": (Period(days=tuple(range(7)), start="00:00", end="24:00"),)}
    doors = (
        pi.settings("door-0", schedule="always"),
        pi.settings("door-1", identification=Identification.CARD_AND_PIN),
    )
    break_ = Holiday(name="Break", first=today, last=today + timedelta(days=1))
    policy = PinPolicy(attempts=1)
    async with pi.running() as agent:
        fields = {"doors": doors, "schedules": weekdays, "pin_policy": policy} | people(district)
        configure(agent, pi, district, 1, **fields)
        assert mode(agent) is DoorMode.UNLOCKED
        configure(agent, pi, district, 2, holidays=(break_,), **fields)
        assert mode(agent) is DoorMode.CONTROLLED
        swipe(agent, TEACHER, "door-1")
        swipes.press(agent, "door-1", "0000#")
        swipe(agent, TEACHER, "door-1")
        reasons = [data["reason"] for _, data in await events(agent, EventKind.ACCESS_DENIED)]
        assert reasons == ["wrong_pin", "reader_locked_out"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"holidays": (Holiday(name="Break", first=date(2026, 12, 2), last=date(2026, 12, 1)),)},
        {"doors": (DoorSettings(door="door-0", name="Front", card_only_schedule="of-nobody"),)},
    ],
)
async def test_a_configuration_whose_access_rules_contradict_themselves_is_not_taken_up(
    pi: Pi, district: TestDistrict, wrong: dict[str, Any]
) -> None:
    async with pi.running() as agent:
        agent.inbox.receive(Incoming(pi.topic(TopicKind.CONFIG), district.config(pi, 1, **wrong), True))
        assert agent.configuration.rules.version == 0
        ((_, data),) = await events(agent, EventKind.MESSAGE_REFUSED)
        assert data["reason"] == "malformed"
