"""The walk test over a simulated school: real drivers, virtual doors, OSDP readers on a pty, a person who obeys."""

import random
from pathlib import Path

import pytest

from edge_agent.walk_test.runner import Ending
from edge_agent.walk_test.words import Verdict
from simulators.hardware.door import DoorInput
from simulators.hardware.switch import WireFault
from simulators.school.walked_site import WalkedSite
from simulators.school.walker import Walker
from tests.support.walks import School, found, walk


async def test_a_school_without_a_fault_passes_whole(tmp_path: Path) -> None:
    with WalkedSite(School(tmp_path).config, seed=1) as site:
        outcome = await walk(site, Walker(site, seed=1))
        assert found(outcome) == set()
        assert outcome.ending is Ending.FINISHED
        assert outcome.report.verdict is Verdict.PASSED


@pytest.mark.parametrize("seed", range(3))
async def test_three_planted_faults_are_found_and_nothing_else(tmp_path: Path, seed: int) -> None:
    school = School(tmp_path, doors=6, readers=3)  # half of the doors are sound
    config = school.config
    with_reader = [reader.door for reader in config.reader_lines[0].readers]
    rng = random.Random(seed)
    dead = rng.choice(with_reader)
    reversed_, weak = rng.sample([wiring.door for wiring in config.doors if wiring.door != dead], 2)
    with WalkedSite(config, seed=seed, dead_readers=frozenset({f"{dead}-in"})) as site:
        site.doors[reversed_].break_wire(DoorInput.CONTACT, WireFault.REVERSED)
        site.doors[weak].weaken_bolt(rng.uniform(1.7, 4.0))
        outcome = await walk(site, Walker(site, seed=seed))
        assert found(outcome) == {(reversed_, "contact_reversed"), (weak, "bolt_slow"), (dead, "reader_silent")}
        failed = {door.door for door in outcome.report.doors if door.verdict is not Verdict.PASSED}
        assert failed == {reversed_, weak, dead}
