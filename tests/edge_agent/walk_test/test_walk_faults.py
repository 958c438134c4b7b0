"""Each fault of a door's wiring or hardware, planted at a virtual door: the walk test names it, and nothing else."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from drivers.gpio import FailMode, LockKind
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import LockWiring
from edge_agent.walk_test.findings import TEXTS, root_causes
from edge_agent.walk_test.words import Finding, FindingKind, Step, StepKind
from simulators.hardware.door import DoorInput, VirtualDoor
from simulators.hardware.switch import WireFault
from simulators.school.walked_site import WalkedSite
from simulators.school.walker import Walker
from tests.support.walks import School, found, walk

STRIKE, OTHER, MAGLOCK = "door-0", "door-1", "door-2"
Plant = Callable[[VirtualDoor], object]


def broken(which: DoorInput, fault: WireFault) -> Plant:
    return lambda door: door.break_wire(which, fault)


@pytest.mark.parametrize(
    ("door", "plant", "kinds"),
    [
        (STRIKE, broken(DoorInput.CONTACT, WireFault.REVERSED), {"contact_reversed"}),
        (STRIKE, broken(DoorInput.CONTACT, WireFault.CUT), {"contact_dead"}),
        (STRIKE, broken(DoorInput.CONTACT, WireFault.SHORT), {"contact_dead"}),
        (STRIKE, broken(DoorInput.BOLT, WireFault.REVERSED), {"bolt_reversed"}),
        (STRIKE, broken(DoorInput.BOLT, WireFault.CUT), {"bolt_stays"}),
        (STRIKE, broken(DoorInput.BOLT, WireFault.SHORT), {"bolt_stays"}),
        (STRIKE, broken(DoorInput.REX, WireFault.REVERSED), {"rex_reversed"}),
        (STRIKE, broken(DoorInput.REX, WireFault.CUT), {"rex_dead"}),
        (STRIKE, broken(DoorInput.REX, WireFault.SHORT), {"rex_stuck"}),
        (STRIKE, broken(DoorInput.TAMPER, WireFault.REVERSED), {"tamper_reversed"}),
        (STRIKE, broken(DoorInput.TAMPER, WireFault.CUT), {"tamper_open"}),
        (STRIKE, broken(DoorInput.TAMPER, WireFault.SHORT), {"tamper_dead"}),
        (STRIKE, lambda door: door.weaken_bolt(2.5), {"bolt_slow"}),
        (STRIKE, lambda door: door.weaken_latch(), {"latch_not_caught"}),
        (STRIKE, lambda door: door.kill_strike(), {"bolt_stays"}),
        (STRIKE, lambda door: door.lock_power(False), {"bolt_stays"}),
        (MAGLOCK, broken(DoorInput.CONTACT, WireFault.REVERSED), {"contact_reversed"}),
        (MAGLOCK, broken(DoorInput.BOLT, WireFault.REVERSED), {"bolt_reversed"}),
        (MAGLOCK, lambda door: door.weaken_bolt(1.8), {"bolt_slow"}),
        (MAGLOCK, lambda door: door.kill_strike(), {"bolt_stays", "not_held"}),  # a magnet that never pulls
    ],
)
async def test_a_fault_at_a_door_is_named(tmp_path: Path, door: str, plant: Plant, kinds: set[str]) -> None:
    with WalkedSite(School(tmp_path, doors=4, readers=0).config) as site:
        plant(site.doors[door])
        outcome = await walk(site, Walker(site), doors=(OTHER, door))
        assert found(outcome) == {(door, kind) for kind in kinds}


def rewired(config: AgentFile, first: str, second: str, part: str) -> AgentFile:
    """The agent's file of a school where one part of two doors is crossed on the wall."""
    by_name = {wiring.door: wiring for wiring in config.doors}
    swapped = {
        first: replace(by_name[first], **{part: getattr(by_name[second], part)}),
        second: replace(by_name[second], **{part: getattr(by_name[first], part)}),
    }
    return replace(config, doors=tuple(swapped.get(wiring.door, wiring) for wiring in config.doors))


async def walked_as(config: AgentFile, believed: AgentFile) -> set[tuple[str, str]]:
    """What is found at a school wired one way by an agent that believes another."""
    with WalkedSite(config) as site:
        site.config = believed
        return found(await walk(site, Walker(site), doors=(STRIKE, OTHER)))


@pytest.mark.parametrize(
    ("part", "kind"), [("contact", "crossed"), ("rex", "crossed"), ("tamper", "crossed"), ("lock", "lock_crossed")]
)
async def test_wires_crossed_between_two_doors_are_named_at_both(tmp_path: Path, part: str, kind: str) -> None:
    config = School(tmp_path, doors=4, readers=0).config
    believed = rewired(config, STRIKE, OTHER, part)
    assert await walked_as(config, believed) == {(STRIKE, kind), (OTHER, kind)}


async def test_a_contact_and_a_bolt_that_are_swapped_are_named(tmp_path: Path) -> None:
    config = School(tmp_path, doors=4, readers=0).config
    first = config.doors[0]
    assert first.bolt is not None
    swapped = replace(first, contact=first.bolt, bolt=first.contact)
    assert await walked_as(config, replace(config, doors=(swapped, *config.doors[1:]))) == {(STRIKE, "swapped")}


async def test_a_lock_whose_output_is_inverted_is_named(tmp_path: Path) -> None:
    config = School(tmp_path, doors=1, readers=0).config
    wiring = config.doors[0]
    inverted = LockWiring(wiring.lock.pin, LockKind.STRIKE, FailMode.FAIL_SECURE, active_high=False)
    with WalkedSite(config) as site:
        site.config = replace(config, doors=(replace(wiring, lock=inverted),))
        outcome = await walk(site, Walker(site), locked_at_the_end=False)
        assert found(outcome) == {(STRIKE, "lock_inverted")}


async def test_a_strike_without_power_shows_without_a_bolt_monitor_too(tmp_path: Path) -> None:
    config = School(tmp_path, doors=1, readers=0).config
    with WalkedSite(replace(config, doors=(replace(config.doors[0], bolt=None),))) as site:
        assert found(await walk(site, Walker(site))) == set()
        site.doors[STRIKE].lock_power(False)
        assert found(await walk(site, Walker(site))) == {(STRIKE, "not_released")}


async def test_two_inputs_that_touch_are_named(tmp_path: Path) -> None:
    config = School(tmp_path, doors=2, readers=0).config
    with WalkedSite(config) as site:
        first, second = site.doors[STRIKE].wiring, site.doors[OTHER].wiring
        tamper, rex = site.factory.pin(first.tamper), site.factory.pin(second.rex)
        alone = tamper.drive

        def together(level: bool | None) -> None:
            alone(level)
            rex.drive(False if level is None else None)

        tamper.drive = together
        outcome = await walk(site, Walker(site), doors=(STRIKE,))
        assert found(outcome) == {(STRIKE, "tied")}


async def test_a_magnet_that_holds_against_the_exit_button_is_named(tmp_path: Path) -> None:
    with WalkedSite(School(tmp_path, doors=4, readers=0).config) as site:
        walker = Walker(site)
        walker.on_step = lambda step: site.doors[MAGLOCK].kill_strike(step.kind is StepKind.REX)
        outcome = await walk(site, walker, doors=(MAGLOCK,))
        assert found(outcome) == {(MAGLOCK, "egress_held")}


async def test_somebody_who_leaves_by_another_door_meanwhile_is_no_fault(tmp_path: Path) -> None:
    with WalkedSite(School(tmp_path, doors=4, readers=0).config) as site:
        walker = Walker(site)
        rng = random.Random(7)

        def somebody_leaves(_step: Step) -> None:
            leaving = partial(site.doors[OTHER].person_opens, 0.7, from_inside=True)
            site.timer.at(site.timer.now() + rng.uniform(0.0, 2.0), leaving)

        walker.on_step = somebody_leaves
        outcome = await walk(site, walker, doors=(STRIKE, MAGLOCK))
        assert found(outcome) == set()


async def test_a_dead_contact_and_a_dead_bolt_monitor_of_one_door_are_two_findings(tmp_path: Path) -> None:
    with WalkedSite(School(tmp_path, doors=2, readers=0).config) as site:
        site.doors[STRIKE].break_wire(DoorInput.CONTACT, WireFault.CUT)
        site.doors[STRIKE].break_wire(DoorInput.BOLT, WireFault.CUT)
        outcome = await walk(site, Walker(site))
        assert found(outcome) == {(STRIKE, "contact_dead"), (STRIKE, "bolt_stays")}


def test_two_inputs_that_moved_together_once_are_chance_and_twice_a_bridge() -> None:
    once = Finding(FindingKind.TIED, "contact", {"other_door": OTHER, "other_sensor": "rex", "times": 1})
    elsewhere = Finding(FindingKind.TIED, "contact", {"other_door": OTHER, "other_sensor": "bolt", "times": 1})
    assert root_causes([once, elsewhere]) == ()
    assert root_causes([once, elsewhere, once]) == (once,)


def test_every_kind_of_finding_has_words_for_it() -> None:
    assert set(TEXTS) == set(FindingKind)
