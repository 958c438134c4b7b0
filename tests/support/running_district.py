"""A whole district as in production: broker, central and each agent a process of its own, to be killed at will.

The doors, readers and people are the simulators'; everything above the pin and the serial line is the real thing.
"""

import contextlib
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from argon2 import PasswordHasher

from central.people.accounts import Accounts
from central.people.roles import Role
from central.records.engine import open_records
from central.settings import database_in
from ground.clock import SystemClock
from ground.free_port import free_port
from simulators.district.make import AgentFolder, MadeDistrict, make_district
from simulators.district.plan import DistrictSize
from simulators.orders.control import send_order
from tests.support.brokers import HOST, RunningBroker, embedded
from tests.support.freezing import freeze

T = TypeVar("T")
STARTUP_S = 40
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""For accounts of tests alone; central verifies by what a hash was made with."""

ACCOUNTS = {
    "officer": "officer",
    "responder": "responder",
    "facilities": "facilities",
    "administrator": "administrator",
}


def wait_for(condition: Callable[[], T], what: str, deadline_s: float = 40, every_s: float = 0.05) -> T:
    """The condition's value once it is true; AssertionError says what did not come about."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {deadline_s:g} s"
        time.sleep(every_s)


class Program:
    """A ``doorward`` process that can be killed, frozen and started again."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it."""
        assert not self.running
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "doorward.main", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """``kill -9``."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop it where it is."""
        assert self._process is not None
        freeze(self._process.pid)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Make sure it is gone."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self.thaw()
            self.kill()

    def tail(self) -> str:
        """The end of its log, for a failing test's message."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""


class Api:
    """One person signed in to central."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=30)
        self._credentials = {"username": username, "password": password}
        self.sign_in()

    def sign_in(self) -> None:
        """Get a session."""
        answer = self.client.post("/api/session", json=self._credentials).raise_for_status().json()
        self.client.headers["Authorization"] = f"Bearer {answer['token']}"

    def get(self, path: str, **params: Any) -> Any:
        """A GET's JSON."""
        return self.client.get(f"/api{path}", params=params).raise_for_status().json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """A POST's response, whatever its status."""
        return self.client.post(f"/api{path}", json=body)

    def declare(self, scope: dict[str, str], *, drill: bool = False, action: str = "lockdown") -> str:
        """Declare; the declaration's id."""
        answer = self.post("/declarations", {"action": action, "scope": scope, "drill": drill, "reason": "test"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def closure(self, declaration: str) -> dict[str, int]:
        """How far a declaration has got."""
        return dict(self.get(f"/declarations/{declaration}")["closure"])

    def doors(self, site: str) -> dict[str, dict[str, Any]]:
        """A site's doors by name."""
        return {door["door"]: door for door in self.get(f"/sites/{site}")["doors"]}


@dataclass
class RunningDistrict:
    """What runs, and where to reach it."""

    district: MadeDistrict
    broker: RunningBroker
    central: Program
    address: str
    agents: dict[str, Program] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    signed_in: dict[str, Api] = field(default_factory=dict)

    def api(self, username: str = "responder") -> Api:
        """Somebody, signed in the first time they are asked for."""
        if username not in self.signed_in:
            self.signed_in[username] = Api(self.address, username, self.passwords[username])
        return self.signed_in[username]

    def agent_folder(self, key: str) -> AgentFolder:
        """An agent's files by ``site/agent``."""
        return next(agent for agent in self.district.agents if agent.key == key)

    def order(self, key: str, do: str, **fields: Any) -> dict[str, Any]:
        """Order something of an agent's virtual hardware."""
        return dict(send_order(self.agent_folder(key).control, {"do": do, **fields}))

    def hardware(self, key: str) -> dict[str, dict[str, Any]]:
        """The physical truth about an agent's doors."""
        return dict(self.order(key, "state")["doors"])

    def health(self) -> dict[str, Any]:
        """Central's health, or {} while it does not answer."""
        with contextlib.suppress(httpx.HTTPError):
            return dict(httpx.get(f"{self.address}/api/health", timeout=2).json())
        return {}

    def start_central(self) -> None:
        """Start central and wait until it answers."""
        self.central.start()
        try:
            wait_for(self.health, "central answers", STARTUP_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.central.tail()}") from None

    def wait_all_known(self, deadline_s: float = STARTUP_S) -> None:
        """Return once every door is shown with live evidence, and follows the schedule it was given."""
        api = self.api()
        doors = len(self.district.doors)
        sites = {agent.site for agent in self.district.agents}

        def known() -> bool:
            totals = api.get("/overview")["totals"]
            if totals["doors"] != doors or totals["conditions"].get("unknown"):
                return False
            agents = [agent for site in sites for agent in api.get(f"/sites/{site}")["agents"]]
            return all(agent["config_version"] == agent["config_wanted"] for agent in agents)

        wait_for(known, f"{doors} doors with live evidence", deadline_s)

    def events(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask central's records directly."""
        (database,) = self.district.central.glob("*.db")
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    def assert_every_event_once(self) -> int:
        """Each stream holds each of its numbers once, from 1 on, and no gap is recorded; how many there are."""
        counts = self.events(
            "SELECT stream, COUNT(*), COUNT(DISTINCT seq), MIN(seq), MAX(seq) FROM events GROUP BY stream"
        )
        for stream, count, distinct, first, last in counts:
            assert (count, distinct, first) == (last, last, 1), f"stream {stream}: {count} events, {first} to {last}"
        assert self.events("SELECT * FROM stream_gaps") == []
        return sum(count for _, count, *_ in counts)


def add_accounts(data: Path, passwords: dict[str, str]) -> None:
    """Write the accounts into central's records before it runs, without a process for each."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = open_records(database_in(data))
    try:
        accounts = Accounts(engine, SystemClock(), CHEAP)
        for name, role in ACCOUNTS.items():
            accounts.add_user(name, Role(role), passwords[name], "the test")
    finally:
        engine.dispose()


@contextlib.contextmanager
def running_district(
    folder: Path,
    size: DistrictSize,
    *,
    broker: Callable[..., contextlib.AbstractContextManager[RunningBroker]] = embedded,
    round_the_clock: bool = False,
    start_agents: bool = True,
) -> Iterator[RunningDistrict]:
    """Everything up, every door known."""
    http = free_port()
    with broker() as running_broker:
        district = make_district(folder, broker_port=running_broker.port, size=size, round_the_clock=round_the_clock)
        passwords = {name: secrets.token_urlsafe(12) for name in ACCOUNTS}
        add_accounts(district.central, passwords)
        where = ["--broker", f"{HOST}:{running_broker.port}", "--http", f"{HOST}:{http}"]
        files = ["--district", str(district.file), "--data", str(district.central)]
        central = Program("central", ["central", "run", *files, *where], folder / "central.log")
        running = RunningDistrict(district, running_broker, central, f"http://{HOST}:{http}", passwords=passwords)
        for agent in district.agents:
            arguments = ["simulate", "agent", str(agent.config), "--control", str(agent.control)]
            log = folder / f"{agent.site}-{agent.agent}.log"
            running.agents[agent.key] = Program(agent.key, [*arguments, "--cards", str(district.cards)], log)
        try:
            for program in running.agents.values() if start_agents else ():
                program.start()
            running.start_central()
            if start_agents:
                running.wait_all_known()
            yield running
        finally:
            for api in running.signed_in.values():
                api.client.close()
            for program in [*running.agents.values(), central]:
                program.end()


def pretty(value: object) -> str:
    """JSON for a failing test's message."""
    return json.dumps(value, indent=1)
