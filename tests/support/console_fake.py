"""A small central for the console's tests: the API's answers, and states a real district reaches only by bad luck.

It decides nothing and proves nothing. A test sets what central would say (``fake.door(...)``), or breaks the stream
(``late_ms``, ``broker_connected``), and looks at what the console makes of it.
"""

import asyncio
import contextlib
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

from central.live.hub import STREAM_SILENT_MS
from ground.free_port import free_port
from protocol.proof import SILENT_MS

PASSWORD = "open sesame 8"
OFFICER = "olive"
NAMES = ("Main entrance", "Gym", "Library", "Office", "Loading dock", "Cafeteria", "Music room", "Room")
ROW_FIELDS = ("site", "agent", "door", "name", "condition", "evidence", "evidence_at_ms")
ZONES = ("front", "east-wing", "west-wing")
SCHOOLS = ("Lincoln High", "Oak Elementary", "Washington Middle", "Harbor Primary", "Maple Grove", "Cedar Ridge")


def now_ms() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """Becomes application/problem+json."""

    def __init__(self, status: int, detail: str, kind: str = "about:blank") -> None:
        super().__init__(detail)
        self.status, self.detail, self.kind = status, detail, kind


class FakeCentral:
    """Its state may be changed from the test's thread: each change is one assignment or one :meth:`door`."""

    def __init__(self, *, schools: int = 3, doors: int = 8) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.limits = {"evidence_lasts_ms": SILENT_MS, "stream_silent_ms": STREAM_SILENT_MS}
        self.late_ms = 0  # what the stream says of central's time lies so far back
        self.broker_connected = True
        self.streams = 0  # ever opened
        self.refuse_next: Refusal | None = None  # the next declaration is refused so
        self.sessions: set[str] = set()
        self.declarations: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.agent_says: dict[tuple[str, str], dict[str, Any]] = {}  # what is not as usual, see agent()
        self.commands: list[str] = []  # kinds, as they were sent
        self.frozen_evidence = False  # doors stay "secure" on evidence that is never renewed
        self.sites: dict[str, dict[str, Any]] = {}
        self.listeners: list[tuple[dict[str, str], asyncio.Queue[tuple[str, Any]]]] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        for index in range(schools):
            self._add_school(index, doors)

    def _add_school(self, index: int, doors: int) -> None:
        name = SCHOOLS[index] if index < len(SCHOOLS) else f"School {index + 1:03}"
        site = name.lower().replace(" ", "-")
        members = {}
        for number in range(doors):
            title = NAMES[number] if number < len(NAMES) - 1 else f"Room {100 + number}"
            key = title.lower().replace(" ", "-")
            members[key] = {
                "site": site, "agent": "east" if number % 2 else "west", "door": key, "name": title,
                "zones": [ZONES[number % 3]], "perimeter": number < 3, "mode": "controlled", "condition": "secure",
                "proven": True, "evidence": {"contact": "closed", "bolt": "thrown", "bolt_fitted": True},
                "evidence_at_ms": now_ms(), "since_ms": now_ms() - 3_600_000, "released": False,
                "declarations": [], "alarms": [], "fire_released": False,
            }  # fmt: skip
        self.sites[site] = {
            "site": site,
            "name": name,
            "timezone": "America/Chicago",
            "doors": members,
            "fire": False,
        }

    # --- what a test does ------------------------------------------------------------------------------------

    def door(self, site: str, door: str, **changes: Any) -> None:
        """Central now says this of a door, to everybody who watches."""
        view = self.sites[site]["doors"][door]
        view.update({"since_ms": now_ms(), "evidence_at_ms": now_ms(), **changes})
        view["proven"] = changes.get("proven", view["condition"] == "secure")
        self._tell_doors([view])

    def agent(self, site: str, agent: str, **changes: Any) -> None:
        """Central now says this of an agent; the stream tells of it in the school's line."""
        self.agent_says.setdefault((site, agent), {}).update(changes)
        self.tell("overview", {"sites": [self.summary(self.sites[site])], "totals": self.totals()})

    def event(self, site: str, door: str | None, happened: str, /, **data: Any) -> None:
        """Something worth a line happened."""
        event = {
            "id": len(self.events) + 1, "site": site, "agent": "east", "stream": "s", "seq": len(self.events) + 1,
            "door": door, "kind": happened, "at_ms": now_ms(), "clock_trusted": True, "received_ms": now_ms(),
            "data": data,
        }  # fmt: skip
        self.events.append(event)
        self.tell("event", event)

    def declare(self, by: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """A new declaration; its doors close by themselves unless a test has jammed them."""
        view = {
            "id": f"d-{secrets.token_hex(4)}", "action": wanted["action"], "scope": wanted["scope"],
            "drill": wanted["drill"], "reason": wanted.get("reason", ""), "by": by, "at_ms": now_ms(),
            "origin": "central",
            "state": "active", "release_requested_by": None, "release_requested_at_ms": None, "ended_by": None,
            "ended_at_ms": None,
        }  # fmt: skip
        self.declarations[view["id"]] = view
        for door in self.covered(view):
            door["mode"] = "secured"
            door["declarations"] = [*door["declarations"], view["id"]]
        self._tell_doors(self.covered(view))
        self.tell("declaration", self.declared(view))
        return self.declared(view)

    # --- what central would say ------------------------------------------------------------------------------

    def covered(self, view: dict[str, Any]) -> list[dict[str, Any]]:
        """The doors a declaration secures."""
        if view["action"] not in {"lockdown", "secure"}:
            return []
        scope = view["scope"]
        return [
            door
            for site in self.sites.values()
            for door in site["doors"].values()
            if scope.get("site") in {None, site["site"]}
            and (not scope.get("zone") or scope["zone"] in door["zones"])
            and (not scope.get("door") or scope["door"] == door["door"])
            and (view["action"] == "lockdown" or door["perimeter"])
        ]

    def row(self, view: dict[str, Any], door: dict[str, Any]) -> dict[str, Any]:
        """A door under a declaration."""
        failed = door["condition"] in {"jammed", "forced", "held", "tampered"}
        state = "proven" if door["proven"] else "failed" if failed else "pending"
        why = {"jammed": "its bolt did not throw", "open": "it stands open"}.get(door["condition"], door["condition"])
        return {
            **{key: door[key] for key in ROW_FIELDS},
            "state": state, "why": "" if state == "proven" else why,
            "proven_ms": 180 + len(door["name"]) * 7 if state == "proven" else None,
        }  # fmt: skip

    def declared(self, view: dict[str, Any]) -> dict[str, Any]:
        """A DeclarationView."""
        rows = [self.row(view, door) for door in self.covered(view)]
        states = Counter(row["state"] for row in rows)
        slowest = max((row["proven_ms"] for row in rows if row["proven_ms"] is not None), default=None)
        closure = {"doors": len(rows), **{state: states[state] for state in ("proven", "pending", "failed")}}
        return {**view, "closure": {**closure, "slowest_ms": slowest}}

    def summary(self, site: dict[str, Any]) -> dict[str, Any]:
        """A SiteSummary."""
        doors = site["doors"].values()
        return {
            "site": site["site"], "name": site["name"], "doors": len(doors),
            "conditions": dict(Counter(door["condition"] for door in doors)),
            "modes": dict(Counter(door["mode"] for door in doors)), "agents": 2,
            "agents_alive": sum(agent["alive"] for agent in self.agents(site["site"])),
            "agent_alarms": {one["agent"]: one["alarms"] for one in self.agents(site["site"]) if one["alarms"]},
            "alarms": sum(len(one["alarms"]) for one in [*doors, *self.agents(site["site"])]), "fire": site["fire"],
            "duress": sum("duress" in door["alarms"] for door in doors),
            "declarations": sorted({one for door in doors for one in door["declarations"]}),
        }  # fmt: skip

    def totals(self) -> dict[str, Any]:
        """The district's sums."""
        summaries = [self.summary(site) for site in self.sites.values()]
        conditions = sum((Counter(one["conditions"]) for one in summaries), Counter[str]())
        return {
            "doors": sum(one["doors"] for one in summaries), "proven": conditions["secure"],
            "conditions": dict(conditions), "agents": 2 * len(summaries),
            "agents_alive": sum(one["agents_alive"] for one in summaries),
        }  # fmt: skip

    def agents(self, site: str) -> list[dict[str, Any]]:
        """AgentViews."""
        return [
            {
                "site": site, "agent": agent, "alive": True,
                "heard_ms": now_ms(), "session": "s",
                "versions": {"doorward": "0.1.0"}, "outbox": {"depth": 0, "capacity": 500_000, "dropped": 0},
                "config_version": 3, "config_wanted": 3, "fire": self.sites[site]["fire"], "alarms": [],
                **self.agent_says.get((site, agent), {}),
            }
            for agent in ("east", "west")
        ]  # fmt: skip

    # --- the stream ------------------------------------------------------------------------------------------

    def tell(self, kind: str, data: Any) -> None:
        """To every stream that asked for it; from any thread."""
        if self.loop is None:
            return
        for asked, queue in list(self.listeners):
            if kind == "doors" and asked.get("site") != data[0]["site"]:
                continue
            if kind == "closure" and asked.get("declaration") != data["id"]:
                continue
            self.loop.call_soon_threadsafe(queue.put_nowait, (kind, data))

    @contextlib.contextmanager
    def untold(self) -> Iterator[None]:
        """What happens within the block is not told on the stream."""
        listeners, self.listeners = self.listeners, []
        yield
        self.listeners.extend(listeners)

    def _tell_doors(self, doors: list[dict[str, Any]]) -> None:
        for site in {door["site"] for door in doors}:
            self.tell("doors", [dict(door) for door in doors if door["site"] == site])
            self.tell("overview", {"sites": [self.summary(self.sites[site])], "totals": self.totals()})
        for view in self.declarations.values():
            covered = {id(door) for door in self.covered(view)} if view["state"] != "ended" else set()
            rows = [self.row(view, door) for door in doors if id(door) in covered]
            if rows:
                self.tell("closure", {"id": view["id"], "doors": rows})
                self.tell("declaration", self.declared(view))

    async def stream(self, asked: dict[str, str]) -> AsyncIterator[bytes]:
        """What GET /api/live sends."""
        queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        listener = (asked, queue)
        self.listeners.append(listener)
        self.streams += 1
        try:
            yield _frame("hello", {"server_ms": now_ms() - self.late_ms, **self.limits})
            while True:
                try:
                    async with asyncio.timeout(1):
                        kind, data = await queue.get()
                except TimeoutError:
                    kind = "ping"
                    data = {"server_ms": now_ms() - self.late_ms, "broker_connected": self.broker_connected}
                if kind == "_close":
                    return
                yield _frame(kind, data)
        finally:
            self.listeners.remove(listener)

    def renew_evidence(self) -> None:
        """As snapshots do every four seconds; the stream tells nothing of it."""
        for site in () if self.frozen_evidence else self.sites.values():
            for door in site["doors"].values():
                if door["condition"] != "unknown":
                    door["evidence_at_ms"] = now_ms()


def _frame(kind: str, data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


@contextlib.contextmanager
def serving(fake: FakeCentral) -> Iterator[FakeCentral]:
    """The fake, answering on its port within the block."""
    from tests.support.console_fake_http import application

    app = application(fake)
    server = uvicorn.Server(uvicorn.Config(app, port=fake.port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, name="fake central")
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline, "the fake central did not start"
            time.sleep(0.01)
        yield fake
    finally:
        fake.tell("_close", None)
        server.should_exit = True
        thread.join(10)
