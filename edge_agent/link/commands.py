"""Momentary acts: checks that a command may be carried out, once and now, and answers it with an event."""

from __future__ import annotations

import sqlite3

from edge_agent.access.desk import AccessDesk
from edge_agent.doors.doors import Doors
from edge_agent.events.journal import Journal
from edge_agent.events.refusals import Refusals
from edge_agent.host.clock import AgentClock
from edge_agent.readers.readers import Readers
from edge_agent.storage.state_db import Store
from protocol.messages import Command
from protocol.refusal import Reason, Refused
from protocol.signing import Keyring
from protocol.words import CommandKind, Denial, EventKind

LONGEST_LIFE_MS = 60_000
"""A command that is valid for longer is refused: somebody could keep it and replay it later."""

SKEW_MS = 5_000
"""Two synchronised clocks may differ by this much."""


class Commands:
    """Carries commands out. A command that cannot be carried out is answered with ``message_refused`` and its id."""

    def __init__(
        self,
        *,
        doors: Doors,
        desk: AccessDesk,
        readers: Readers,
        store: Store,
        clock: AgentClock,
        journal: Journal,
        refusals: Refusals,
    ) -> None:
        self._doors = doors
        self._desk = desk
        self._readers = readers
        self._store = store
        self._clock = clock
        self._journal = journal
        self._refusals = refusals

    def carry_out(self, topic: str, signed: bytes, keyring: Keyring, *, retained: bool) -> None:
        """Act on a command that arrived. :class:`Refused` if it is not a command for this agent."""
        command = keyring.open(Command, topic, signed)
        try:
            kind = self._check(command, retained=retained)
        except Refused as refused:
            self._refusals.answer(topic, command.id, refused.reason, refused.detail)
            return
        match kind:
            case CommandKind.TEST_LOCK:
                self._done(command, self._doors.test_lock(command.door))
            case CommandKind.GRANT:
                self._grant(topic, command)
            case CommandKind.FORGIVE_PASSBACK:
                self._done(command, {"known": self._desk.forgive(_cardholder(command), command.by)})
            case CommandKind.CLEAR_DURESS:
                self._done(command, {"cleared": self._desk.duress.clear(command.door)})
            case CommandKind.ROTATE_READER_KEY:
                self._rotate_key(topic, command)

    def _grant(self, topic: str, command: Command) -> None:
        reason = self._doors.objection(command.door)
        if reason is None:
            self._doors.grant(command.door, {"command": command.id, "by": command.by})
            self._done(command, {})
            return
        if reason is Denial.INTERLOCKED:
            detail = f"a door that {command.door} is interlocked with is not closed and locked"
        else:
            detail = f"{command.door} is secured; a grant does not pass a declaration"
        self._refusals.answer(topic, command.id, reason, detail)

    def _rotate_key(self, topic: str, command: Command) -> None:
        """Answer once it has begun; the reader's own event says how it ended."""
        reader = command.data.get("reader")
        problem = self._readers.rotate_key(str(reader), command.door)
        if problem is None:
            self._done(command, {"reader": reader})
        else:
            self._refusals.answer(topic, command.id, Reason.NOT_POSSIBLE, problem)

    def _done(self, command: Command, data: dict[str, object]) -> None:
        done = {"id": command.id, "kind": command.kind, "by": command.by, **data}
        self._journal.add(EventKind.COMMAND_DONE, done, door=command.door)

    def _check(self, command: Command, *, retained: bool) -> CommandKind:
        """The kind of a command that may be carried out now; notes it as used. :class:`Refused` if it may not."""
        now = self._clock.utc_ms()
        if retained:
            raise Refused(Reason.RETAINED, "came out of the broker's memory")
        if not self._clock.trusted():
            raise Refused(Reason.CLOCK_UNTRUSTED, "this agent's clock is not synchronised yet")
        if command.issued_ms > now + SKEW_MS:
            raise Refused(Reason.NOT_YET_VALID, f"issued {command.issued_ms - now} ms ahead of this agent's clock")
        if command.expires_ms <= now:
            raise Refused(Reason.EXPIRED, f"expired {now - command.expires_ms} ms ago")
        if command.expires_ms - command.issued_ms > LONGEST_LIFE_MS:
            raise Refused(Reason.MALFORMED, f"holds for more than {LONGEST_LIFE_MS} ms")
        if command.kind not in list(CommandKind):
            raise Refused(Reason.UNKNOWN_KIND, f"{command.kind!r} is no command this version knows")
        if command.door not in self._doors.held:
            raise Refused(Reason.UNKNOWN_DOOR, f"this agent has no door {command.door!r}")
        try:
            fresh = self._store.use_command(command.id, command.expires_ms, now)
        except sqlite3.Error as error:
            raise Refused(Reason.NOT_KEPT, f"cannot be noted as used ({error}), so it is not carried out") from None
        if not fresh:
            raise Refused(Reason.DUPLICATE, "was carried out before")
        return CommandKind(command.kind)


def _cardholder(command: Command) -> str | None:
    cardholder = command.data.get("cardholder")
    return None if cardholder is None else str(cardholder)
