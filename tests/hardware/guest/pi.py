"""A Pi in the guest: its folder, its configuration as its district signed it, and the agent's own process on it.

The agent is the program a school runs: ``doorward agent run agent.yaml``, with the pin factory it makes itself and no
broker in reach. It is known here by what anybody can see: the lines, and the events on its disk.
"""

import contextlib
import json
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edge_agent.storage.state_db import Store, StoredSet
from protocol import topics
from protocol.messages import AccessRule, AgentConfig, Credential, Declaration, DeclarationSet, DoorSettings, Scope
from protocol.signing import SigningKey
from protocol.topics import TopicKind
from protocol.words import KeyRole, ScopeKind, SrpAction

SITE, AGENT = "lincoln-high", "east"
POLL_S = 0.02
DOORWARD = Path(sys.executable).with_name("doorward")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the agent's outbox."""

    seq: int
    kind: str
    door: str | None
    data: dict[str, Any]


def until(condition: Callable[[], object], what: str, within: float = 10.0) -> None:
    """Return once the condition holds; fail, naming it, when time is up."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, f"{what} did not come about within {within} s"
        time.sleep(POLL_S)


class Pi:
    """One machine: its disk and its wiring stay while the agent on it comes and goes.

    ``wiring`` is agent.yaml without who and where: doors, fire, panic, readers. ``doors`` are their settings.
    """

    def __init__(self, folder: Path, wiring: dict[str, Any], doors: tuple[DoorSettings, ...]) -> None:
        self.folder = folder
        self.credential_key = secrets.token_bytes(32)
        self._district = SigningKey.generate("district-1")
        self._process: subprocess.Popen[bytes] | None = None
        self._doors = doors
        self._since = 0
        folder.mkdir(parents=True)
        SigningKey.generate("east").save(folder / "agent.jwk")
        self.secret("credential.key", self.credential_key)
        self._write_yaml(wiring)

    def secret(self, name: str, key: bytes) -> None:
        """A key file of the Pi's folder."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(key.hex())

    def configure(self, *credentials: Credential) -> None:
        """Put the district's signed configuration on the disk, as if it had come before the network went."""
        topic = topics.of_agent(TopicKind.CONFIG, SITE, AGENT)
        bundle = AgentConfig(
            audience=topic,
            version=1,
            timezone="America/Chicago",
            doors=self._doors,
            credentials=credentials,
            rules=(AccessRule(group="staff", doors=tuple(door.door for door in self._doors)),),
        )
        with contextlib.closing(self._store()) as store:
            store.confirm_trial(1, self._district.sign(bundle))

    def lock_down(self, door: str) -> None:
        """Put a signed lockdown of one door on the disk."""
        topic = topics.site_declarations(SITE)
        scope = Scope(kind=ScopeKind.DOOR, site=SITE, door=door)
        lockdown = Declaration(id="lockdown-1", action=SrpAction.LOCKDOWN, scope=scope, by="officer", at_ms=1)
        signed = self._district.sign(DeclarationSet(audience=topic, revision=1, declarations=(lockdown,)))
        with contextlib.closing(self._store()) as store:
            store.save_declarations(StoredSet(topic, 1, signed))

    # --- the agent's process ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the agent and wait until it holds its doors."""
        self._since = self._last_seq()
        log = (self.folder / "agent.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [DOORWARD, "agent", "run", self.folder / "agent.yaml"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/run",
            )  # fmt: skip
        process = self._process
        until(lambda: self.events("agent_started") or process.poll() is not None, "the agent's start", within=30)
        assert process.poll() is None, f"the agent ended with {process.returncode}; its log:\n{self.log}"

    def stop(self) -> int:
        """SIGTERM, as systemd stops it. Returns its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=20)

    def kill(self) -> None:
        """SIGKILL: what a crash or the kernel's memory killer does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=10)

    @contextlib.contextmanager
    def running(self) -> Iterator["Pi"]:
        """The agent, until the block ends."""
        self.start()
        try:
            yield self
        finally:
            if self._process is not None and self._process.poll() is None:
                self.stop()

    @property
    def log(self) -> str:
        """What the agent has said."""
        return (self.folder / "agent.log").read_text()

    # --- what it has written down -----------------------------------------------------------------------------

    def events(self, kind: str | None = None, door: str | None = None, **data: object) -> list[Event]:
        """Events in its outbox, oldest first, since it was started or looked at anew; those that match."""
        return [
            event
            for event in self._all_events(self._since)
            if kind in {None, event.kind}
            and door in {None, event.door}
            and all(event.data.get(name) == value for name, value in data.items())
        ]

    def wait_for(self, kind: str, door: str | None = None, *, within: float = 10, **data: object) -> Event:
        """The first event that matches, waited for. AssertionError shows what came instead."""
        try:
            until(lambda: self.events(kind, door, **data), f"{kind} of {door} with {data}", within)
        except AssertionError as error:
            came = "\n".join(map(str, self.events()))
            raise AssertionError(f"{error}; there came:\n{came}\nthe agent's log:\n{self.log}") from None
        return self.events(kind, door, **data)[0]

    def look_from_now(self, secure: Iterable[str]) -> None:
        """Wait until these doors are shown secure with no alarm on, then show only events that come after."""
        until(lambda: all(self._calm(door) for door in secure), f"a school at rest ({', '.join(secure)})")
        self._since = self._last_seq()

    def _calm(self, door: str) -> bool:
        condition, alarms = None, set[str]()
        for event in self._all_events(0):
            if event.door == door:
                match event.kind:
                    case "condition_changed":
                        condition = event.data["to"]
                    case "alarm_raised":
                        alarms.add(event.data["alarm"])
                    case "alarm_cleared":
                        alarms.discard(event.data["alarm"])
        return condition == "secure" and not alarms

    def _last_seq(self) -> int:
        return max((event.seq for event in self._all_events(0)), default=0)

    def _all_events(self, after: int) -> list[Event]:
        path = self.folder / "data" / "outbox.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as db:
            try:
                rows = db.execute("SELECT body FROM events WHERE seq > ? ORDER BY seq", (after,)).fetchall()
            except sqlite3.OperationalError:  # made this moment, still without its tables
                return []
        found = [json.loads(body) for (body,) in rows]
        return [Event(event["seq"], event["kind"], event.get("door"), event["data"]) for event in found]

    def _store(self) -> Store:
        return Store(self.folder / "data" / "state.db")

    def _write_yaml(self, wiring: dict[str, Any]) -> None:
        trust = self._district.trusted(KeyRole.DISTRICT)
        about = {
            "site": SITE,
            "agent": AGENT,
            "data": "data",
            "key_file": "agent.jwk",
            "credential_key_file": "credential.key",
            "broker": {"host": "127.0.0.1", "port": 1883},  # nobody listens: the school stands alone
            "trust": [{"kid": trust.kid, "x": trust.x}],
            "clock": {"require_sync": False},
        }
        (self.folder / "agent.yaml").write_text(yaml.safe_dump(about | wiring))
