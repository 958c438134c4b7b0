"""The agent's process killed at 200 random moments while badges, panics, configurations and declarations flow.

After each cut: no file is damaged, the configuration is one of those sent and whole, no revision goes back, no door
is in a looser mode than before. In the end every numbered event is at central or in the outbox, once.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocol import codec, topics
from protocol.messages import Credential, EventBatch, Period
from protocol.topics import Topic, TopicKind
from protocol.words import DoorMode, strictest
from tests.support.agents import Pi, TestDistrict, lockdown
from tests.support.brokers import RunningBroker, mosquitto
from tests.support.central import ListeningCentral, listening
from tests.support.mortal_agent import KNOWN, summary
from tests.support.people import digests, paged, people
from tests.support.waiting import until

CUTS = 200
SHORT_CUTS = 5
PAGES = 4
DISTRICT = topics.district_declarations()
ROOT = Path(__file__).parents[2]
ALWAYS = {"always": (Period(days=tuple(range(7)), start="00:00", end="24:00"),)}
CONFIGURED = ("config_applied", "config_confirmed", "config_rolled_back")
FILES = ("state.db", "outbox.db", "credentials.db", "presence.db")


class Mortal:
    """The agent's process, over all its lives."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pid = 0

    async def start(self) -> None:
        """Begin a life."""
        self._order(b"start\n")
        self._pid = (await self.line())["pid"]

    async def kill(self) -> list[dict[str, Any]]:
        """kill -9; what it said and nobody has read yet."""
        os.kill(self._pid, signal.SIGKILL)
        self._order(b"reap\n")
        said = []
        while "reaped" not in (line := await self.line()):
            said.append(line)
        self._pid = 0
        return said

    async def end(self) -> None:
        """The end of it all, also in the midst of a life."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)  # it holds our pipe open
        self._process.kill()
        await self._process.wait()

    async def line(self) -> dict[str, Any]:
        """The next line it says."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            line = json.loads(await self._process.stdout.readline())
        assert "died" not in line, line
        return dict(line)

    def _order(self, what: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(what)


class StrictCentral(ListeningCentral):
    """Sees whether an event that is sent again is the same event."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.ambiguous: list[int] = []
        """Numbers that two different events have had."""

    def _commit(self, topic: Topic, batch: EventBatch) -> None:
        stream = self.events.get(batch.stream, {})
        for event in batch.events:
            if codec.encode(stream.get(event.seq, event)) != codec.encode(event):
                self.ambiguous.append(event.seq)
        super()._commit(topic, batch)


class Sender:
    """What central sends meanwhile: configurations with pages, and declarations; remembers all of it."""

    def __init__(self, central: ListeningCentral, pi: Pi, district: TestDistrict, rng: random.Random) -> None:
        self._central, self._pi, self._district, self._rng = central, pi, district, rng
        self._people = people(KNOWN)
        self.known: dict[int, list[str | None]] = {0: [None] * KNOWN}
        """By version: whose each token is."""
        self.unlocked: dict[int, bool] = {0: False}
        """By version: whether door-0's schedule unlocks it."""
        self.locked: dict[int, bool] = {0: False}
        """By revision: whether it is a lockdown."""

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await (self._configure if self._rng.random() < 0.6 else self._declare)()
            await asyncio.sleep(self._rng.uniform(0.02, 0.3))

    async def _configure(self) -> None:
        version = len(self.known)
        for _ in range(self._rng.randrange(1, 4)):  # one to three pages change
            number = self._rng.randrange(KNOWN)
            other = Credential(token=self._people[number].token, cardholder=f"ch-{number}-{version}")
            self._people[number] = msgspec.structs.replace(other, suspended=self._rng.random() < 0.5)
        self.known[version] = [one.cardholder for one in self._people]
        self.unlocked[version] = self._rng.random() < 0.5
        pages = paged(self._people, PAGES)
        for number, page in enumerate(pages):
            await self._central.say(topics.credential_page(self._pi.site, self._pi.agent, number), page)
        schedule = "always" if self.unlocked[version] else None
        doors = (self._pi.settings("door-0", schedule=schedule), self._pi.settings("door-1"))
        signed = self._district.config(
            self._pi, version, doors=doors, schedules=ALWAYS, credential_pages=digests(pages)
        )
        await self._central.say(self._pi.topic(TopicKind.CONFIG), signed)

    async def _declare(self) -> None:
        revision = len(self.locked)
        self.locked[revision] = self._rng.random() < 0.5
        declared = (lockdown(f"lockdown-{revision}"),) if self.locked[revision] else ()
        ended = self._pressed() if self._rng.random() < 0.7 else ()
        await self._central.say(DISTRICT, self._district.declare(DISTRICT, revision, *declared, ended=ended))

    def _pressed(self) -> tuple[str, ...]:
        """The ids of what the panic button has declared, as far as the agent has told."""
        told = self._central.snapshots.get(self._pi.agent)
        held = {one for door in told.doors for one in door.declarations} if told is not None else set()
        return tuple(sorted(one for one in held if not one.startswith("lockdown-")))

    def least(self, told: dict[str, Any]) -> DoorMode:
        """The loosest that door-0 may be by what the agent says it holds."""
        if told["own"] or self.locked[told["applied"].get(DISTRICT, 0)]:
            return DoorMode.SECURED
        versions = {told["version"], told["floor"] or told["version"]}
        return DoorMode.UNLOCKED if all(self.unlocked[one] for one in versions) else DoorMode.CONTROLLED


def at_least(mode: str, least: DoorMode) -> bool:
    return strictest(DoorMode(mode), least) == mode


def check_word(sender: Sender, told: dict[str, Any]) -> None:
    """What an agent says it holds is one of those sent, whole, and its doors follow it."""
    assert told["known"] == summary(sender.known[told["version"]]), f"configuration {told['version']} is not whole"
    assert at_least(told["modes"]["door-0"], sender.least(told))


def check_life(sender: Sender, before: dict[str, Any], now: dict[str, Any]) -> None:
    """What a life begins with, against what the one before ended with."""
    for topic, revision in before["applied"].items():
        assert now["applied"].get(topic, 0) >= revision, f"{topic}: on the disk before it is acted on"
    assert now["last"] >= before["last"], "no number is given twice"
    # A newer configuration may have come since, and loosened the doors: taken up, or rolled back and now the floor.
    newest = max(before["version"], before["floor"])
    if now["applied"] == before["applied"] and max(now["version"], now["floor"]) <= newest:
        for door, mode in before["modes"].items():
            assert at_least(now["modes"][door], DoorMode(mode)), f"{door} is looser than before the cut"


def check_files(data: Path, folder: Path) -> None:
    """Every file as the cut left it is whole. Copies are looked at: opening one would mend it."""
    if not data.exists():
        return  # the very first life was too short
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(data, folder)
    for name in FILES:
        if (folder / name).exists() and (folder / name).stat().st_size:
            with contextlib.closing(sqlite3.connect(folder / name)) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)], name
    assert not list(folder.glob("*damaged*"))


def check_events(central: StrictCentral, outbox: Path) -> None:
    """Every number ever given is at central or still in the outbox, and stands for one event."""
    with contextlib.closing(sqlite3.connect(outbox)) as db:
        waiting = {seq for (seq,) in db.execute("SELECT seq FROM events")}
        name, last, dropped = db.execute("SELECT stream, last_seq, dropped FROM outbox").fetchone()
    assert (list(central.events), central.ambiguous, dropped) == ([name], [], 0)
    arrived = set(central.events[name])
    assert arrived | waiting == set(range(1, last + 1))
    assert len(arrived) > last / 2


@contextlib.asynccontextmanager
async def mortal(pi: Pi) -> AsyncIterator[Mortal]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.mortal_agent",
        str(pi.yaml_file),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    agent = Mortal(process)
    try:
        yield agent
    finally:
        await agent.end()


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


def moment(rng: random.Random) -> float:
    """Seconds that a life lasts: some end as the agent comes up, few last long enough to confirm a configuration."""
    (span,) = rng.choices([(0.0, 0.15), (0.1, 0.5), (0.5, 1.0)], [45, 45, 10])
    return rng.uniform(*span)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("cuts", [SHORT_CUTS, pytest.param(CUTS, marks=pytest.mark.slow)])
async def test_a_power_cut_at_any_moment_loses_nothing_and_loosens_nothing(
    cuts: int, tmp_path: Path, broker: RunningBroker
) -> None:
    seed = int(os.environ.get("DOORWARD_SEED") or random.randrange(1, 10**9))
    print(f"DOORWARD_SEED={seed} cuts at the same moments")  # noqa: T201 - shown when it fails
    rng, district = random.Random(seed), TestDistrict()
    pi = Pi(tmp_path / "pi", district, port=broker.port)
    strict = StrictCentral(broker.port)
    before: dict[str, Any] = {"version": 0, "floor": 0, "applied": {}, "modes": {}, "last": 0}
    async with listening(broker.port, strict), mortal(pi) as agent:
        sender = Sender(strict, pi, district, rng)
        sending = asyncio.create_task(sender.run())
        for _ in range(cuts):
            await agent.start()
            await asyncio.sleep(moment(rng))  # not waiting for anything: the moment of the cut
            said = await agent.kill()
            if said:
                for told in said:
                    check_word(sender, told)
                check_life(sender, before, said[0])
                before = said[-1]
            check_files(pi.folder / "data", tmp_path / "copy")
        await agent.start()
        while (await agent.line())["version"] == 0:
            pass
        await until(lambda: len(strict.of_kind("config_applied")) > 1, "configurations taken up")
        await agent.kill()
        while not sending.done():  # aiomqtt's wait_for can swallow a cancellation before Python 3.12
            sending.cancel()
            await asyncio.wait([sending], timeout=0.1)
        assert sending.cancelled(), sending.exception()
        check_files(pi.folder / "data", tmp_path / "copy")
        check_events(strict, tmp_path / "copy" / "outbox.db")
    if cuts == CUTS:
        flowed = {event.kind for stream in strict.events.values() for event in stream.values()}
        assert flowed >= {"access_denied", "panic_pressed", "declarations_applied", *CONFIGURED}, "nothing was spared"
