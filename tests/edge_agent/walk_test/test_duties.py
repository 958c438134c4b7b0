"""What holds while doors are walked: exits, fire, panic and declarations; and that no door is left unlocked."""

import asyncio
import json
from pathlib import Path

import pytest

from edge_agent.agent import Agent
from edge_agent.events.outbox import Outbox
from edge_agent.storage.lock_file import AlreadyHeld, Holding
from edge_agent.storage.state_db import Store, StoredSet
from edge_agent.walk_test.prompts import Answer
from edge_agent.walk_test.report import fingerprint, sign
from edge_agent.walk_test.runner import Ending
from edge_agent.walk_test.walk import CannotWalk
from edge_agent.walk_test.words import Step, StepKind, Verdict
from protocol import topics
from protocol.messages import AgentConfig, Declaration, DeclarationSet, DoorSettings, Scope
from protocol.topics import TopicKind
from protocol.words import DoorMode, ScopeKind
from simulators.school.walked_site import WalkedSite
from simulators.school.walker import Walker
from tests.support.waiting import until
from tests.support.walks import School, found, walk

STRIKE, OTHER, MAGLOCK = "door-0", "door-1", "door-2"


def declare(school: School, scope: Scope, action: str = "lockdown") -> None:
    """Leave a declaration on the agent's disk, as central signed it."""
    topic = topics.site_declarations("lincoln-high")
    declaration = Declaration(id="lockdown-1", action=action, scope=scope, by="officer", at_ms=1)
    signed = school.district.sign(DeclarationSet(audience=topic, revision=1, declarations=(declaration,)))
    store = Store(school.config.data / "state.db")
    store.save_declarations(StoredSet(topic, 1, signed))
    store.close()


def configure(school: School, *doors: DoorSettings) -> None:
    """Leave a configuration on the agent's disk, the last good one."""
    topic = topics.of_agent(TopicKind.CONFIG, "lincoln-high", "east")
    signed = school.district.sign(
        AgentConfig(audience=topic, version=1, timezone="America/Chicago", doors=tuple(doors))
    )
    store = Store(school.config.data / "state.db")
    store.confirm_trial(1, signed)
    store.close()


async def test_a_door_that_a_declaration_secures_is_not_walked(tmp_path: Path) -> None:
    school = School(tmp_path, doors=2, readers=0)
    declare(school, Scope(kind=ScopeKind.SITE, site="lincoln-high"))
    with WalkedSite(school.config) as site:
        with pytest.raises(CannotWalk, match="secured by declaration lockdown-1"):
            await walk(site, Walker(site))
        assert all(not door.released for door in site.doors.values())


async def test_doors_that_no_declaration_covers_are_walked_and_the_others_only_locked(tmp_path: Path) -> None:
    school = School(tmp_path, doors=2, readers=0)
    declare(school, Scope(kind=ScopeKind.DOOR, site="lincoln-high", door=STRIKE))
    with WalkedSite(school.config) as site:
        with pytest.raises(CannotWalk, match=STRIKE):
            await walk(site, Walker(site))
        walker = Walker(site)
        unlocked: set[str] = set()
        walker.on_step = lambda _step: unlocked.update(name for name, door in site.doors.items() if door.released)
        outcome = await walk(site, walker, doors=(OTHER,))
        assert outcome.report.left_out == (STRIKE,)
        assert unlocked == {OTHER}


async def test_a_declaration_that_asks_nothing_of_doors_does_not_hinder_a_walk(tmp_path: Path) -> None:
    school = School(tmp_path, doors=1, readers=0)
    declare(school, Scope(kind=ScopeKind.SITE, site="lincoln-high"), action="hold")
    with WalkedSite(school.config) as site:
        assert (await walk(site, Walker(site))).report.verdict is Verdict.PASSED


async def test_a_zone_of_a_door_that_central_has_not_described_may_be_the_declared_one(tmp_path: Path) -> None:
    school = School(tmp_path, doors=2, readers=0)
    configure(school, DoorSettings(door=OTHER, name="Gym", zones=("north",)))
    declare(school, Scope(kind=ScopeKind.ZONE, site="lincoln-high", zone="south"))
    with WalkedSite(school.config) as site:
        with pytest.raises(CannotWalk, match=STRIKE):
            await walk(site, Walker(site), doors=(STRIKE,))
        walker = Walker(site)
        outcome = await walk(site, walker, doors=(OTHER,))
        assert outcome.report.doors[-1].name == "Gym"
        assert f"door 1 of 1: Gym ({OTHER})" in walker.heard


async def test_nobody_is_locked_in_by_a_magnet_while_another_door_is_walked(tmp_path: Path) -> None:
    school = School(tmp_path, doors=4, readers=0)
    with WalkedSite(school.config) as site:
        walker = Walker(site)
        let_out: list[bool] = []

        def leave(step: Step) -> None:
            if step.kind is StepKind.PULL:
                site.doors[MAGLOCK].press_rex()
                site.timer.at(site.timer.now() + 0.1, lambda: let_out.append(site.doors[MAGLOCK].released))

        walker.on_step = leave
        outcome = await walk(site, walker, doors=(STRIKE,))
        assert let_out == [True]
        assert found(outcome) == set()


async def test_the_exit_button_of_the_door_under_test_works_in_every_step(tmp_path: Path) -> None:
    school = School(tmp_path, doors=4, readers=0)
    with WalkedSite(school.config) as site:
        walker = Walker(site)
        door = site.doors[MAGLOCK]
        let_out: dict[str, bool] = {}

        def leave(step: Step) -> None:
            if step.door == MAGLOCK:
                site.timer.at(site.timer.now() + 0.3, door.press_rex)
                site.timer.at(site.timer.now() + 0.4, lambda: let_out.update({step.key: door.released}))

        walker.on_step = leave
        await walk(site, walker, doors=(MAGLOCK,))
        assert set(let_out) == {"rest", "unlock", "lock", "pull", "open", "close", "rex", "tamper", "end"}
        assert all(let_out.values()), let_out


async def test_whoever_is_leaving_is_let_out_for_their_whole_time_though_the_next_step_would_lock(
    tmp_path: Path,
) -> None:
    with WalkedSite(School(tmp_path, doors=4, readers=0).config) as site:
        walker, door = Walker(site), site.doors[MAGLOCK]
        let_out: list[bool] = []

        def leave(step: Step) -> None:
            if step.door == MAGLOCK and step.kind is StepKind.PULL:
                now = site.timer.now()
                site.timer.at(now + 0.3, lambda: door.press_rex(0.1))
                for tenth in range(4, 52):
                    site.timer.at(now + tenth / 10, lambda: let_out.append(door.released))

        walker.on_step = leave
        await walk(site, walker, doors=(MAGLOCK,))
        assert let_out == [True] * 48


async def test_fire_releases_the_flagged_doors_at_once_and_the_walk_waits_for_its_end(tmp_path: Path) -> None:
    school = School(tmp_path, doors=4, readers=0)
    configure(school, *(DoorSettings(door=one.door, name=one.door, fire_release=True) for one in school.config.doors))
    with WalkedSite(school.config) as site:
        walker = Walker(site)
        seen: dict[str, bool] = {}
        open_all_along: list[bool] = []

        def fire(step: Step) -> None:
            if step.kind is StepKind.LOCK and step.door == MAGLOCK and not seen:
                now = site.timer.now()
                site.timer.at(now + 0.1, lambda: site.trip("fire", True))
                site.timer.at(
                    now + 0.2, lambda: seen.update({name: one.released for name, one in site.doors.items()})
                )
                for second in range(1, 30):
                    site.timer.at(now + second, lambda: open_all_along.append(site.doors[MAGLOCK].released))
                site.timer.at(now + 30.0, lambda: site.trip("fire", False))

        walker.on_step = fire
        outcome = await walk(site, walker, doors=(MAGLOCK,))
        assert seen == {STRIKE: False, OTHER: False, MAGLOCK: True, "door-3": True}
        assert open_all_along == [True] * 29
        assert any("FIRE ALARM" in heard for heard in walker.heard)
        assert found(outcome) == set()


async def test_the_panic_button_locks_every_door_ends_the_walk_and_is_declared_on_the_disk(tmp_path: Path) -> None:
    school = School(tmp_path, doors=2, readers=0)
    config = school.config
    with WalkedSite(config) as site:
        walker = Walker(site)

        def panic(step: Step) -> None:
            if step.kind is StepKind.OPEN:
                site.timer.at(site.timer.now() + 0.2, lambda: site.trip("panic", True))
                site.timer.at(site.timer.now() + 0.5, lambda: site.trip("panic", False))

        walker.on_step = panic
        outcome = await walk(site, walker)
        assert outcome.ending is Ending.PANIC
        assert all(not door.released for door in site.doors.values())
        agent = Agent(site.config, pin_factory=site.factory)
        running = asyncio.create_task(agent.run())
        try:
            await until(agent.ready.is_set, "the agent")
            assert {door.state.mode for door in agent.doors.held.values()} == {DoorMode.SECURED}
            assert agent.declarations.own_signed is not None  # what it publishes to the site
        finally:
            running.cancel()
            await asyncio.wait([running])
            agent.close()


@pytest.mark.parametrize("kind", [StepKind.UNLOCK, StepKind.OPEN, StepKind.BADGE])
async def test_a_walk_that_is_stopped_leaves_every_door_locked(tmp_path: Path, kind: StepKind) -> None:
    school = School(tmp_path, doors=2, readers=1)
    with WalkedSite(school.config) as site:
        walker = Walker(site)

        def stop(step: Step) -> None:
            walker.next_answer = Answer.QUIT if step.kind is kind else None

        walker.on_step = stop
        outcome = await walk(site, walker)
        assert outcome.ending is Ending.QUIT
        assert outcome.report.verdict is Verdict.NOT_REACHED


async def test_a_walk_that_is_cancelled_leaves_every_door_locked(tmp_path: Path) -> None:
    with WalkedSite(School(tmp_path, doors=2, readers=0).config) as site:
        walker = Walker(site)
        walking = asyncio.current_task()
        assert walking is not None
        walker.on_step = lambda step: walking.cancel() and None if step.kind is StepKind.OPEN else None
        with pytest.raises(asyncio.CancelledError):
            await walk(site, walker)
        assert walking.uncancel() == 0
        assert all(not door.released for door in site.doors.values())


async def test_no_walk_begins_beside_a_program_that_holds_the_doors(tmp_path: Path) -> None:
    school = School(tmp_path, doors=1, readers=0)
    agent = Holding(school.config.data, "the agent")
    with WalkedSite(school.config) as site:
        with pytest.raises(AlreadyHeld, match="held by the agent, process"):
            await walk(site, Walker(site))
        agent.release()
        assert (await walk(site, Walker(site))).report.verdict is Verdict.PASSED
    Holding(school.config.data, "the agent").release()


async def test_the_district_is_told_who_walked_what_and_how_it_came_out(tmp_path: Path) -> None:
    school = School(tmp_path, doors=2, readers=0)
    with WalkedSite(school.config) as site:
        site.doors[STRIKE].weaken_latch()
        outcome = await walk(site, Walker(site), doors=(STRIKE,))
    outbox = Outbox(school.config.data / "outbox.db")
    waiting = outbox.next_batch(0)
    outbox.close()
    assert waiting is not None
    told = [event for event in waiting.events if event.kind.startswith("walk_test")]
    begun, ended = (json.loads(bytes(event.data)) for event in told)
    assert begun == {"by": "facilities", "doors": [STRIKE]}
    assert (ended["verdict"], ended["ending"]) == ("failed", "finished")
    assert ended["found"] == [{"door": STRIKE, "kind": "latch_not_caught"}]
    assert ended["report"] == fingerprint(sign(outcome.report, school.key))


@pytest.mark.parametrize("name", ["state.db", "outbox.db"])
async def test_no_walk_begins_where_the_disk_would_not_keep_a_panic_button(tmp_path: Path, name: str) -> None:
    school = School(tmp_path, doors=1, readers=0)
    (school.config.data / name).mkdir(parents=True)
    with WalkedSite(school.config) as site, pytest.raises(OSError, match="panic button"):
        await walk(site, Walker(site))
