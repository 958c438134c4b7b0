"""A walk that was stopped is gone on with; its report is signed, and no altered one passes for genuine."""

import argparse
import io
import json
import os
import pty
import random
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.agent_yaml.wiring import SwitchWiring
from edge_agent.walk_test import cli
from edge_agent.walk_test.progress import FILE
from edge_agent.walk_test.prompts import Answer
from edge_agent.walk_test.report import sign, verify
from edge_agent.walk_test.report_page import render, verify_page
from edge_agent.walk_test.runner import Ending
from edge_agent.walk_test.terminal import Terminal
from edge_agent.walk_test.walk import CannotWalk, Outcome
from edge_agent.walk_test.words import Step, StepKind, StepResult, Verdict
from protocol.refusal import Refused
from protocol.signing import SigningKey
from simulators.hardware.door import DoorInput
from simulators.hardware.switch import WireFault
from simulators.school.walked_site import WalkedSite
from simulators.school.walker import Walker
from tests.support.walks import School, found, walk

FIRST, SECOND = "door-0", "door-1"


def stop_at(walker: Walker, door: str, kind: StepKind) -> None:
    def stop(step: Step) -> None:
        if (step.door, step.kind) == (door, kind):
            walker.next_answer = Answer.QUIT

    walker.on_step = stop


def walked(walker: Walker) -> list[tuple[str, str]]:
    return [(step.door, step.key) for step, _ in walker.results if step.door]


async def test_a_walk_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    school = School(tmp_path, doors=2, readers=0)
    with WalkedSite(school.config) as site:
        first = Walker(site)
        stop_at(first, SECOND, StepKind.OPEN)
        assert (await walk(site, first)).ending is Ending.QUIT
        second = Walker(site)
        outcome = await walk(site, second, resume=True)
        assert walked(second)[0] == (SECOND, "open")
        assert {door for door, _ in walked(second)} == {SECOND}
        assert outcome.report.verdict is Verdict.PASSED
        assert [door.door for door in outcome.report.doors] == ["", FIRST, SECOND]


async def test_a_door_where_something_failed_is_walked_again_whole(tmp_path: Path) -> None:
    school = School(tmp_path, doors=2, readers=0)
    with WalkedSite(school.config) as site:
        site.doors[SECOND].break_wire(DoorInput.TAMPER, WireFault.SHORT)
        assert found(await walk(site, Walker(site))) == {(SECOND, "tamper_dead")}
        site.doors[SECOND].break_wire(DoorInput.TAMPER, WireFault.NONE)
        walker = Walker(site)
        outcome = await walk(site, walker, resume=True)
        assert outcome.report.verdict is Verdict.PASSED
        assert walked(walker)[0] == (SECOND, "rest")
        assert len(walked(walker)) == 9


async def test_a_skipped_step_is_told_in_the_report_and_asked_for_again(tmp_path: Path) -> None:
    school = School(tmp_path, doors=1, readers=0)
    with WalkedSite(school.config) as site:
        walker = Walker(site)

        def skip(step: Step) -> None:
            walker.next_answer = Answer.SKIP if step.kind is StepKind.REX else None

        walker.on_step = skip
        outcome = await walk(site, walker)
        assert outcome.report.verdict is Verdict.SKIPPED
        again = Walker(site)
        assert (await walk(site, again, resume=True)).report.verdict is Verdict.PASSED
        assert walked(again) == [(FIRST, "rex")]


async def test_a_step_is_done_again_when_the_person_wants_it(tmp_path: Path) -> None:
    with WalkedSite(School(tmp_path, doors=1, readers=0).config) as site:
        site.doors[FIRST].break_wire(DoorInput.TAMPER, WireFault.SHORT)
        walker = Walker(site)
        tell = walker.result

        def mend_and_repeat(step: Step, result: StepResult) -> None:
            tell(step, result)
            if result.verdict is Verdict.FAILED:
                site.doors[FIRST].break_wire(DoorInput.TAMPER, WireFault.NONE)
                walker.next_answer = Answer.REPEAT

        walker.result = mend_and_repeat  # type: ignore[method-assign]
        assert (await walk(site, walker)).report.verdict is Verdict.PASSED
        assert [key for _, key in walked(walker)].count("tamper") == 2


@pytest.mark.parametrize("kind", [StepKind.LOCK, StepKind.CLOSE])
async def test_a_lock_that_is_watched_again_is_unlocked_first(tmp_path: Path, kind: StepKind) -> None:
    with WalkedSite(School(tmp_path, doors=1, readers=0).config) as site:
        first = Walker(site)
        stop_at(first, FIRST, kind)
        await walk(site, first)
        second = Walker(site)
        outcome = await walk(site, second, resume=True)
        assert found(outcome) == set()
        result = next(result for step, result in second.results if step.kind is kind)
        assert kind is StepKind.CLOSE or result.measured["throw_ms"] > 0


async def test_what_was_found_so_far_is_on_the_disk_after_each_step_for_its_owner_alone(tmp_path: Path) -> None:
    school = School(tmp_path, doors=1, readers=0)
    kept = school.config.data / FILE
    counts: list[int] = []
    with WalkedSite(school.config) as site:
        walker = Walker(site)
        walker.on_step = lambda _step: counts.append(
            len(json.loads(kept.read_text())["doors"].get(FIRST, {})) if kept.exists() else 0
        )
        await walk(site, walker)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert counts[1:] == list(range(9))


async def test_a_walk_of_other_wiring_is_not_gone_on_with(tmp_path: Path) -> None:
    school = School(tmp_path, doors=1, readers=0)
    config = school.config
    with WalkedSite(config) as site:
        with pytest.raises(CannotWalk, match="no walk test to go on with"):
            await walk(site, Walker(site), resume=True)
        await walk(site, Walker(site))
        site.config = replace(config, doors=(replace(config.doors[0], tamper=SwitchWiring(30)),))
        with pytest.raises(CannotWalk, match=r"wiring in agent\.yaml has changed"):
            await walk(site, Walker(site), resume=True)


async def test_a_door_that_is_not_wired_is_refused_by_name(tmp_path: Path) -> None:
    with (
        WalkedSite(School(tmp_path, doors=1, readers=0).config) as site,
        pytest.raises(CannotWalk, match="no door 'gym' in this agent's file; it has: door-0"),
    ):
        await walk(site, Walker(site), doors=("gym",))


# --- the report ---------------------------------------------------------------------------------------------------


async def reported(school: School) -> Outcome:
    with WalkedSite(school.config) as site:
        site.doors[FIRST].break_wire(DoorInput.CONTACT, WireFault.REVERSED)
        return await walk(site, Walker(site))


async def test_a_report_of_which_one_byte_was_altered_is_refused(tmp_path: Path) -> None:
    school = School(tmp_path, doors=1, readers=0)
    outcome = await reported(school)
    signed = sign(outcome.report, school.key)
    assert verify(signed, school.public_key) == outcome.report
    rng = random.Random(3)
    ends = [place for place, byte in enumerate(signed + b".") if byte == ord(".")]
    flips = [(place, rng.randrange(7)) for place in rng.sample(range(len(signed)), 200)]
    flips += [(end - 1, bit) for end in ends for bit in range(7)]  # base64's last letters have bits that mean nothing
    for place, bit in flips:
        altered = bytearray(signed)
        altered[place] ^= 1 << bit
        with pytest.raises(Refused):
            verify(bytes(altered), school.public_key)


async def test_a_page_of_which_anything_was_altered_is_refused(tmp_path: Path) -> None:
    school = School(tmp_path, doors=1, readers=0)
    page = render(sign((await reported(school)).report, school.key), school.public_key)
    assert verify_page(page, school.public_key).site == "lincoln-high"
    rng = random.Random(4)
    for place in rng.sample(range(len(page)), 100):
        altered = page[:place] + ("x" if page[place] != "x" else "y") + page[place + 1 :]
        with pytest.raises(Refused):
            verify_page(altered, school.public_key)
    with pytest.raises(Refused):
        verify_page(page.replace("FAILED", "passed"), school.public_key)


async def test_a_report_signed_by_another_key_or_for_another_agent_is_refused(tmp_path: Path) -> None:
    school = School(tmp_path, doors=1, readers=0)
    report = (await reported(school)).report
    with pytest.raises(Refused, match="bad_signature"):
        verify(sign(report, SigningKey.generate(school.key.kid)), school.public_key)
    with pytest.raises(Refused, match="not_allowed"):
        verify(sign(replace(report, agent="west"), school.key), school.public_key)


async def test_the_three_files_are_written_for_their_owner_alone_and_can_be_checked_by_the_public_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    school = School(tmp_path, doors=1, readers=0)
    outcome = await reported(school)
    assert cli.finish(school.config, outcome, tmp_path / "reports", print_json=False) == 1
    files = sorted((tmp_path / "reports").iterdir())
    assert [file.suffix for file in files] == [".html", ".json", ".jws"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert json.loads(files[1].read_text())["doors"][1]["findings"][0]["kind"] == "contact_reversed"
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    key = f"{school.public_key.kid}:{school.public_key.x}"
    for file in (files[0], files[2]):
        assert cli.run(parser.parse_args(["--verify", str(file), "--key", key])) == 0
        file.write_text(file.read_text().replace("e", "f", 1))
        assert cli.run(parser.parse_args(["--verify", str(file), "--key", key])) == 1
    said = capsys.readouterr()
    assert said.out.count("genuine") == 2
    assert said.err.count("NOT genuine") == 2
    assert cli.run(parser.parse_args(["--verify", str(files[1]), "--key", key, "--json"])) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["genuine"] is False
    assert "check the .jws or the .html" in said.err
    for wrong in ("justtext", "kid:x", f":{school.public_key.x}"):
        assert cli.run(parser.parse_args(["--verify", str(files[2]), "--key", wrong])) == 2
        assert "--key: expected KID:X" in capsys.readouterr().err


# --- the terminal -------------------------------------------------------------------------------------------------


def test_single_keys_answer_at_a_terminal_and_what_was_typed_ahead_only_stops() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as keys:
        out = io.StringIO()
        terminal = Terminal(keys, out)
        step = Step(StepKind.OPEN, FIRST, person=True)
        with terminal.raw_keys():
            os.write(ours, b"\ns")
            terminal.instruct(step, "Open the door.")
            assert terminal.answer() is None
            os.write(ours, b"rx\n")
            assert [terminal.answer() for _ in range(3)] == [Answer.REPEAT, Answer.DONE, None]
            os.write(ours, b"\nq")
            terminal.instruct(step, "Open the door.")
            assert terminal.answer() is Answer.QUIT
        assert "Open the door." in out.getvalue()
    os.close(ours)


def test_lines_answer_where_there_is_no_terminal_and_their_end_stops() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "r") as keys:
        terminal = Terminal(keys, io.StringIO())
        assert terminal.answer() is None
        os.write(writing, b"\nskip\nwhat\nr\n")
        assert [terminal.answer() for _ in range(4)] == [Answer.DONE, Answer.SKIP, Answer.REPEAT, None]
        os.close(writing)
        assert terminal.answer() is Answer.QUIT
