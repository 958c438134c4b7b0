"""Declares, releases, and sends every agent its sets: the one place where central's declarations change.

The order is the promise (design invariant 3): one transaction commits the act, the topic's new signed set and the
audit entry, and only then is the set published. Acts run one after the other. Declarations of panic buttons are
adopted, followed and ended here like any other.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine

from central.declarations import records as rows
from central.declarations import release
from central.declarations.closure import ClosureTracker
from central.declarations.own_sets import MOST_ADOPTED, OwnSet, OwnSets, adopted, is_agents, no_room
from central.declarations.records import DeclarationRecord, Origin, SetRecord
from central.declarations.sets import MOST_ALIKE, carriers, carries, make_set, next_revision, topic_of
from central.district.inventory import Inventory
from central.events.refusal_log import RefusalLog
from central.people import audit
from central.records.engine import writing
from ground.clock import Clock
from protocol import topics
from protocol.messages import Scope
from protocol.signing import SigningKey
from protocol.words import SrpAction

log = logging.getLogger(__name__)

Publish = Callable[[str, bytes], Coroutine[Any, Any, object]]
Listener = Callable[[DeclarationRecord, str | None], None]
T = TypeVar("T")

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 5.0
"""The wait before an agent's set is committed again after a failure; it doubles from one to the other."""

ENDED = "declaration_ended"
"""The audit action whose detail holds a declaration's last closure."""


class DeclarationRefused(Exception):  # noqa: N818 - an answer to a person
    """Central cannot declare this. ``kind`` is for machines, the message for people."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class NoSuchDeclaration(LookupError):  # noqa: N818 - an answer to a person
    """No declaration has this id."""


class DeclarationService:
    """Call it on the event loop. ``publish(topic, jws)`` must have written to the socket before it first waits.

    Call :meth:`load` before all else.
    """

    def __init__(
        self,
        engine: Engine,
        key: SigningKey,
        inventory: Inventory,
        *,
        closure: ClosureTracker,
        own_sets: OwnSets,
        clock: Clock,
        publish: Publish,
        refusals: RefusalLog | None = None,
    ) -> None:
        self._engine = engine
        self._key = key
        self._inventory = inventory
        self._closure = closure
        self._own = own_sets
        self._clock = clock
        self._publish = publish
        self._refusals = refusals or RefusalLog()
        self._lock = asyncio.Lock()
        self._active: dict[str, DeclarationRecord] = {}
        self._sets: dict[str, SetRecord] = {}
        self._listeners: list[Listener] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turns: dict[str, asyncio.Lock] = {}  # by agent's topic: its sets are adopted in their order
        self._failing: set[str] = set()
        self._ending = asyncio.Event()

    # --- reading ---------------------------------------------------------------------------------------------

    @property
    def active(self) -> list[DeclarationRecord]:
        """All active declarations, oldest first."""
        return list(self._active.values())

    def get(self, declaration_id: str) -> DeclarationRecord:
        """The declaration of an id, active or ended. Raises :class:`NoSuchDeclaration`. May read the records."""
        found = self._active.get(declaration_id)
        if found is None:
            with self._engine.connect() as connection:
                found = rows.get(connection, declaration_id)
        if found is None:
            raise NoSuchDeclaration(f"there is no declaration {declaration_id!r}")
        return found

    def latest(self, limit: int, *, ended_only: bool = False) -> list[DeclarationRecord]:
        """Declarations from the records, newest first."""
        with self._engine.connect() as connection:
            return rows.latest(connection, ended_only=ended_only, limit=limit)

    def documents(self) -> Iterable[tuple[str, bytes]]:
        """Central's signed sets by topic, for the broker to retain."""
        return [(topic, document.jws) for topic, document in self._sets.items()]

    def listen(self, listener: Listener) -> None:
        """Call a function with every declaration that changes, and with its last closure once it has ended."""
        self._listeners.append(listener)

    # --- acts of people --------------------------------------------------------------------------------------

    async def declare(
        self, action: SrpAction, scope: Scope, *, drill: bool, reason: str, by: str
    ) -> DeclarationRecord:
        """Declare; returns once the declaration is committed and on its way. Raises :class:`DeclarationRefused`."""
        missing = self._inventory.missing(scope)
        if missing is not None:
            raise DeclarationRefused("no_such_scope", missing)
        at_ms = self._clock.utc_ms()
        topic = topic_of(scope)
        make_set = self._set_maker()

        def act(connection: Connection) -> tuple[DeclarationRecord, SetRecord]:
            _check_room(connection, topic, drill=drill)
            record = DeclarationRecord(
                id=str(uuid.uuid4()),
                action=action.value,
                scope=scope,
                drill=drill,
                reason=reason,
                by=by,
                at_ms=at_ms,
                origin=Origin.CENTRAL,
                topic=topic,
                revision=next_revision(connection, topic, at_ms),
            )
            rows.insert(connection, record)
            audit.append(connection, at_ms, by, "declared", record.id, detail=_audit_detail(record))
            return record, make_set(connection, topic, at_ms)

        async def whole() -> DeclarationRecord:
            async with self._lock:
                record, document = await self._commit(act)
                await self._send(document)
                self._active[record.id] = record
                self._follow(record)
            self._announce(record)
            return record

        return await self._undivided(whole())

    async def agree(self, declaration_id: str, by: str) -> DeclarationRecord:
        """Have a person with the right to release agree to the end. Raises as ``release.agree``."""
        at_ms = self._clock.utc_ms()
        closure = self._last_closure(declaration_id)
        make_set = self._set_maker()

        def act(connection: Connection) -> tuple[DeclarationRecord, SetRecord | None]:
            record = release.agree(_existing(connection, declaration_id), by, at_ms)
            rows.save_state(connection, record)
            if record.active:
                audit.append(connection, at_ms, by, "release_requested", record.id)
                return record, None
            audit.append(connection, at_ms, by, ENDED, record.id, detail=closure)
            return record, make_set(connection, topic_of(record.scope), at_ms)

        return await self._undivided(self._step(act, closure))

    async def withdraw(self, declaration_id: str, by: str) -> DeclarationRecord:
        """Withdraw a request for release. Raises as ``release.withdraw``."""

        def act(connection: Connection) -> tuple[DeclarationRecord, None]:
            record = release.withdraw(_existing(connection, declaration_id))
            rows.save_state(connection, record)
            audit.append(connection, self._clock.utc_ms(), by, "release_withdrawn", record.id)
            return record, None

        return await self._undivided(self._step(act))

    async def _step(
        self,
        act: Callable[[Connection], tuple[DeclarationRecord, SetRecord | None]],
        closure: dict[str, Any] | None = None,
    ) -> DeclarationRecord:
        async with self._lock:
            record, document = await self._commit(act)
            if document is not None:
                await self._send(document)
            if record.active:
                self._active[record.id] = record
            else:
                self._active.pop(record.id, None)
                self._closure.untrack(record.id)
        self._announce(record, None if record.active else msgspec.json.encode(closure).decode())
        return record

    # --- declarations of agents ------------------------------------------------------------------------------

    def receive(self, site: str, agent: str, topic: str, jws: bytes) -> None:
        """Adopt an agent's own set, unless it is held already. Raises Refused if the agent may not declare it."""
        own = self._own.accept(site, agent, topic, jws)
        if own is not None:
            self._begin(self._adopt_surely(own))

    @property
    def failing(self) -> list[str]:
        """Topics of the agents' own sets that central cannot commit just now."""
        return sorted(self._failing)

    async def _adopt_surely(self, own: OwnSet) -> None:
        """Adopt, with as many tries as it takes: the set counts as held, so a second delivery would be ignored."""
        topic, wait_s = own.stored.topic, FIRST_RETRY_S
        async with self._turns.setdefault(topic, asyncio.Lock()):
            while True:
                try:
                    await self._adopt(own)
                except Exception:
                    if topic not in self._failing:
                        log.exception("cannot commit what %s declares, trying again until it works", own.name)
                    self._failing.add(topic)
                else:
                    self._failing.discard(topic)
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._ending.wait()
                    return  # the broker retains the set for the next run
                wait_s = min(2 * wait_s, LONGEST_RETRY_S)

    async def _adopt(self, own: OwnSet) -> None:
        """Commit the declarations of an agent's newer set, and declare again those it dropped on its own."""
        at_ms = self._clock.utc_ms()
        topic = topics.site_declarations(own.site)
        make_set = self._set_maker()

        def act(connection: Connection) -> tuple[list[DeclarationRecord], SetRecord | None, int]:
            rows.save_set(connection, own.stored, at_ms)
            new, outdated, surplus = _take_new(connection, own, at_ms)
            dropped = [
                record.id
                for record in rows.active(connection)
                if record.origin_agent == own.name and record.id in own.dropped
            ]
            if dropped:
                log.warning(
                    "%s dropped or changed %s by itself; central declares it again", own.name, ", ".join(dropped)
                )
                audit.append(connection, at_ms, own.name, "dropped_by_agent", topic, detail={"ids": dropped})
            return new, make_set(connection, topic, at_ms) if dropped or outdated else None, surplus

        async with self._lock:
            new, document, surplus = await self._commit(act)
            if document is not None:
                await self._send(document)
            for record in new:
                self._active[record.id] = record
                self._follow(record)
        if surplus:
            self._refusals.note(own.stored.topic, no_room(surplus))
        for record in new:
            log.warning("%s: %s over %s", record.by, record.action, record.scope.site)
            self._announce(record)

    # --- beginning and end -----------------------------------------------------------------------------------

    def load(self) -> None:
        """Restore active declarations, track their closure, and re-sign any set that is outdated or signed with
        another key.
        """
        with writing(self._engine) as connection:
            self._active = {record.id: record for record in rows.active(connection)}
            for stored in rows.sets(connection):
                if is_agents(stored.topic):
                    self._own.restore(stored)
                else:
                    self._sets[stored.topic] = stored
            wanted = carriers(self._active.values(), self._own.listed())
            for topic in sorted({*self._sets, *wanted}):
                if not carries(self._sets.get(topic), self._key, wanted.get(topic, frozenset())):
                    self._sets[topic] = self._set_maker()(connection, topic, self._clock.utc_ms())
        for record in self._active.values():
            self._follow(record)
        if self._active:
            log.warning("%d declarations hold", len(self._active))

    async def settle(self) -> None:
        """Return once everything begun is done, or has failed once more. For central's end."""
        self._ending.set()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _set_maker(self) -> Callable[[Connection, str, int], SetRecord]:
        """A function that makes sets in a transaction's thread, with the agents' own sets as they are now."""
        key, listed = self._key, self._own.listed()
        return lambda connection, topic, at_ms: make_set(connection, key, topic, listed=listed, now_ms=at_ms)

    async def _commit(self, act: Callable[[Connection], T]) -> T:
        def transaction() -> T:
            with writing(self._engine) as connection:
                return act(connection)

        return await asyncio.to_thread(transaction)

    async def _send(self, document: SetRecord) -> None:
        """Put a set on the socket before this returns, without waiting for the broker."""
        self._sets[document.topic] = document
        self._begin(self._publish(document.topic, document.jws))
        await asyncio.sleep(0)

    def _follow(self, record: DeclarationRecord) -> None:
        self._closure.track(
            record.id,
            topic=record.topic,
            revision=record.revision,
            doors=self._inventory.secured_by(record.action, record.scope),
            declared_ms=min(record.at_ms, self._clock.utc_ms()),
            now_ms=self._clock.mono_ms(),
        )

    def _last_closure(self, declaration_id: str) -> dict[str, Any]:
        return asdict(self._closure.summary(declaration_id)) if declaration_id in self._closure else {}

    def _announce(self, record: DeclarationRecord, last_closure: str | None = None) -> None:
        for listener in self._listeners:
            listener(record, last_closure)

    async def _undivided(self, work: Coroutine[Any, Any, T]) -> T:
        """Finish the work even if the caller no longer waits."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a fault of ours while keeping declarations", exc_info=error)


def _existing(connection: Connection, declaration_id: str) -> DeclarationRecord:
    record = rows.get(connection, declaration_id)
    if record is None:
        raise NoSuchDeclaration(f"there is no declaration {declaration_id!r}")
    return record


def _check_room(connection: Connection, topic: str, *, drill: bool) -> None:
    there = [one for one in rows.active(connection) if one.topic == topic and one.origin is Origin.CENTRAL]
    alike = sum(one.drill is drill for one in there)
    if alike >= MOST_ALIKE:
        raise DeclarationRefused("too_many_active", f"{alike} hold there already; end some of them first")


def _take_new(connection: Connection, own: OwnSet, at_ms: int) -> tuple[list[DeclarationRecord], bool, int]:
    """Adopt the new declarations of an agent's set. Also: whether it lists ended ones, and how many have no room."""
    new: list[DeclarationRecord] = []
    outdated, surplus = False, 0
    held = sum(record.origin_agent == own.name for record in rows.active(connection))
    for declaration in own.document.declarations:
        known = rows.get(connection, declaration.id)
        if known is None and held + len(new) >= MOST_ADOPTED:
            surplus += 1
        elif known is None:
            record = adopted(own, declaration, at_ms)
            rows.insert(connection, record)
            audit.append(connection, at_ms, record.by, "declared", record.id, detail=_audit_detail(record))
            new.append(record)
        elif known.origin_agent != own.name:
            log.warning("%s declares %s, which is another's; not adopted", own.name, declaration.id)
        else:
            outdated |= not known.active
    return new, outdated, surplus


def _audit_detail(record: DeclarationRecord) -> dict[str, Any]:
    """The audit log's detail of a declaration."""
    return {
        "action": record.action,
        "scope": msgspec.to_builtins(record.scope),
        "drill": record.drill,
        "reason": record.reason,
        "origin": record.origin.value,
    }
