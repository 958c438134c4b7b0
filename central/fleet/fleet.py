"""The live view: how every door and agent may be shown now. Pure: messages and times in, changes out.

It holds invariant 2. A door is shown secure only on a live snapshot of its agent's current session, with the time
under way known from the sender's clock, and with readings no older than proof.SILENT_MS now. Call :meth:`Fleet.sweep`
once a second: silence is a change too.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from central.fleet.state import AgentSession, Changes, LiveAgent, LiveDoor, Totals
from ground.clock import Clock
from protocol.messages import AgentStatus, StateSnapshot
from protocol.proof import SILENT_MS, proves_secure
from protocol.words import Alarm, Condition

SESSIONS_KEPT = 4
"""Sessions remembered of an agent, with their numbering and delay, to recognise a late message of an old one."""

DOUBT_MS = 250
"""A session counts as alive after all only if its message was made this much later than its reported death, or than
its successor's last message: more than the error of an estimated delay. Its next message comes within seconds."""

STRANGERS_KEPT = 1_000

_SECURE = Condition.SECURE
_UNKNOWN = Condition.UNKNOWN


class Fleet:
    """Not safe for several threads: call it on the event loop.

    ``members`` are the inventory's agents: site, agent, and the names of its doors, unique within a site.
    """

    def __init__(self, members: Iterable[tuple[str, str, Iterable[str]]], clock: Clock) -> None:
        self._clock = clock
        self._listeners: list[Callable[[Changes], None]] = []
        self.agents: dict[tuple[str, str], LiveAgent] = {}
        self.doors: dict[tuple[str, str], LiveDoor] = {}
        self.sites: dict[str, Totals] = {}
        self.totals = Totals()
        self.strangers: Counter[str] = Counter()
        """Messages of agents and doors missing from the inventory, by ``site/agent`` or ``site/agent/door``."""
        since_ms = clock.utc_ms()
        for site, name, doors in members:
            agent = self.agents[site, name] = LiveAgent(site, name)
            for door in doors:
                agent.doors[door] = self.doors[site, door] = LiveDoor(agent, door, since_ms)
            for totals in (self.sites.setdefault(site, Totals()), self.totals):
                totals.agents += 1
                totals.doors += len(agent.doors)
                totals.conditions[_UNKNOWN] += len(agent.doors)

    def listen(self, listener: Callable[[Changes], None]) -> None:
        """Call a function with every change from now on, at once and in the order of registration."""
        self._listeners.append(listener)

    def utc_at(self, at_ms: int) -> int:
        """A moment of the monotonic clock as UTC milliseconds."""
        return self._clock.utc_ms() - self._clock.mono_ms() + at_ms

    # --- messages --------------------------------------------------------------------------------------------

    def apply_status(self, site: str, agent: str, status: AgentStatus, *, retained: bool, now_ms: int) -> Changes:
        """Apply an agent's coming or going. Only the death of the current session counts."""
        changes = Changes(now_ms)
        live = self._agent(site, agent)
        if live is None:
            return changes
        known = live.sessions.get(status.session)
        if live.session is None or (known is None and status.online and not retained):
            # Live, and of an unknown session: it has just begun. (If it was only late, the running session takes over
            # again with its next snapshot.)
            known = self._begin(live, status.session, changes)
        if known is not live.session or known is None:
            return changes
        if status.online:
            known.ended_ms = None
        elif known.ended_ms is None:
            known.ended_ms = now_ms
            self._silence(live, changes)
        reason = "" if status.online else status.reason
        if (live.versions, live.reason) != (status.versions, reason):
            live.versions, live.reason = status.versions, reason
            _once(changes.agents, live)
        return self._announce(changes)

    def apply_snapshot(
        self, site: str, agent: str, snapshot: StateSnapshot, *, retained: bool, now_ms: int
    ) -> Changes:
        """Apply an agent's report of all its doors."""
        changes = Changes(now_ms)
        live = self._agent(site, agent)
        if live is None:
            return changes
        session = live.sessions.get(snapshot.session)
        if session is not None and snapshot.seq <= session.seq:
            return changes  # a duplicate, or a newer one came first
        made_ms = None if retained else self._made_ms(live, snapshot, now_ms, changes)
        if made_ms is None:
            if not live.alive:
                self._take(live, snapshot, None, changes)  # of unknown age: shown as the last known, proves nothing
            return self._announce(changes)
        if not self._is_current(live, snapshot.session, made_ms, changes):
            return self._announce(changes)
        live.heard_ms = made_ms
        fresh = now_ms - made_ms <= SILENT_MS
        if not fresh:
            self._silence(live, changes)
        elif not live.alive:
            self._count_alive(live, True, changes)
        self._take(live, snapshot, made_ms if fresh else None, changes)
        return self._announce(changes)

    def sweep(self, now_ms: int) -> Changes:
        """Let time pass: silence agents, and expire old proofs."""
        changes = Changes(now_ms)
        limit = now_ms - SILENT_MS
        for live in self.agents.values():
            if not live.alive:
                continue
            assert live.heard_ms is not None
            if live.heard_ms < limit:
                self._silence(live, changes)
            elif live.oldest_proof_ms is not None and live.oldest_proof_ms < limit:
                self._expire(live, limit, changes)
        return self._announce(changes)

    # --- sessions --------------------------------------------------------------------------------------------

    def _made_ms(self, live: LiveAgent, snapshot: StateSnapshot, now_ms: int, changes: Changes) -> int | None:
        """Record a live snapshot and return when it was made; None: unknown."""
        session = live.sessions.get(snapshot.session)
        new = session is None
        if session is None:
            session = self._remember(live, snapshot.session)
        session.seq = snapshot.seq
        delay_ms = session.arrivals.delay_ms(snapshot.at, now_ms, self.utc_at(now_ms))
        if delay_ms is not None:
            return now_ms - delay_ms
        if new:
            # It may have just begun, which voids the current session's proofs. If it was only late, the current
            # session proves again with its next snapshot.
            self._silence(live, changes)
        return None

    def _is_current(self, live: LiveAgent, name: str, made_ms: int, changes: Changes) -> bool:
        """Whether a session's snapshot, made at ``made_ms``, is the agent's latest; if so, it becomes current."""
        session = live.sessions[name]
        if session.ended_ms is not None and made_ms <= session.ended_ms + DOUBT_MS:
            return False  # made before the reported death
        session.ended_ms = None
        if session is live.session:
            return True
        # An agent runs one session at a time, so the latest to report is the current one.
        if live.heard_ms is not None and made_ms < live.heard_ms + (DOUBT_MS if session.replaced else 0):
            return False
        self._begin(live, name, changes)
        return True

    def _remember(self, live: LiveAgent, name: str) -> AgentSession:
        session = live.sessions[name] = AgentSession(name)
        if len(live.sessions) > SESSIONS_KEPT:
            del live.sessions[next(old for old, kept in live.sessions.items() if kept is not live.session)]
        return session

    def _begin(self, live: LiveAgent, name: str, changes: Changes) -> AgentSession:
        """Make a session the current one. It voids the proofs of earlier ones."""
        self._silence(live, changes)
        if live.session is not None:
            live.session.replaced = True
        session = live.session = live.sessions.get(name) or self._remember(live, name)
        _once(changes.agents, live)
        return session

    # --- doors -----------------------------------------------------------------------------------------------

    def _take(self, live: LiveAgent, snapshot: StateSnapshot, made_ms: int | None, changes: Changes) -> None:
        """Apply a snapshot's contents. ``made_ms`` None: of unknown age, so it proves nothing."""
        self._take_agent(live, snapshot, changes)
        live.stamp = stamp = live.stamp + 1
        limit = changes.now_ms - SILENT_MS
        oldest: int | None = None
        listed = 0
        for state in snapshot.doors:
            door = live.doors.get(state.door)
            if door is None:
                self._stranger(f"{live.site}/{live.agent}/{state.door}")
                continue
            evidence = state.evidence
            proof_ms = made_ms - evidence.age_ms if made_ms is not None and evidence.age_ms is not None else None
            condition = _UNKNOWN
            if made_ms is not None and door.stamp != stamp:  # a door listed twice in one snapshot proves nothing
                condition = state.condition
                if condition is _SECURE:
                    if proof_ms is None or proof_ms < limit or not proves_secure(evidence):
                        condition = _UNKNOWN
                    elif oldest is None or proof_ms < oldest:
                        oldest = proof_ms
            listed += door.stamp != stamp
            door.stamp = stamp
            door.proof_ms = proof_ms
            before, door.state = door.state, state
            if condition is not door.condition:
                self._show(door, condition, changes)
                changes.doors.append(door)
            elif (
                before is None
                or state.mode is not before.mode
                or state.declarations != before.declarations
                or state.released is not before.released
                or state.alarms != before.alarms
                or state.maintenance != before.maintenance
                or state.fire_released is not before.fire_released
                or evidence.contact is not before.evidence.contact
                or evidence.bolt is not before.evidence.bolt
            ):
                changes.doors.append(door)
            else:
                continue
            self._count(door, before.alarms if before else (), state.alarms)
        live.oldest_proof_ms = oldest
        if listed < len(live.doors):
            self._forget(live, [door for door in live.doors.values() if door.stamp != stamp], changes)

    def _take_agent(self, live: LiveAgent, snapshot: StateSnapshot, changes: Changes) -> None:
        if live.applied != snapshot.applied:
            live.applied = snapshot.applied
            changes.applied.append(live)
            _once(changes.agents, live)
        if snapshot.fire is not live.fire:
            live.fire = snapshot.fire
            for totals in (self.sites[live.site], self.totals):
                totals.fires += 1 if live.fire else -1
            _once(changes.agents, live)
        if live.alarms != snapshot.alarms:
            for totals in (self.sites[live.site], self.totals):
                totals.alarms += len(snapshot.alarms) - len(live.alarms)
            live.alarms = snapshot.alarms
            _once(changes.agents, live)
        if live.config_version != snapshot.config_version or live.outbox != snapshot.outbox:
            live.config_version, live.outbox = snapshot.config_version, snapshot.outbox
            _once(changes.agents, live)

    def _count(self, door: LiveDoor, alarms_before: tuple[str, ...], alarms: tuple[str, ...]) -> None:
        """Update the sums that a new state may change."""
        assert door.state is not None
        mode = door.state.mode
        if mode is door.mode and alarms == alarms_before:
            return
        more = len(alarms) - len(alarms_before)
        duress = (Alarm.DURESS in alarms) - (Alarm.DURESS in alarms_before)
        for totals in (self.sites[door.site], self.totals):
            totals.alarms += more
            totals.duress += duress
            modes = totals.modes
            if door.mode is not None:
                modes[door.mode] -= 1
            modes[mode] += 1
        door.mode = mode

    def _show(self, door: LiveDoor, condition: Condition, changes: Changes) -> None:
        for totals in (self.sites[door.site], self.totals):
            totals.conditions[door.condition] -= 1
            totals.conditions[condition] += 1
        door.condition = condition
        door.since_ms = self.utc_at(changes.now_ms)

    def _forget(self, live: LiveAgent, doors: list[LiveDoor], changes: Changes) -> None:
        """Show some doors unknown; their last state stays."""
        for door in doors:
            if door.condition is not _UNKNOWN:
                self._show(door, _UNKNOWN, changes)
                changes.doors.append(door)

    def _expire(self, live: LiveAgent, limit: int, changes: Changes) -> None:
        secure = [door for door in live.doors.values() if door.condition is _SECURE and door.proof_ms is not None]
        self._forget(live, [door for door in secure if door.proof_ms < limit], changes)  # type: ignore[operator]
        proofs = [door.proof_ms for door in secure if door.condition is _SECURE and door.proof_ms is not None]
        live.oldest_proof_ms = min(proofs, default=None)

    # --- agents ----------------------------------------------------------------------------------------------

    def _agent(self, site: str, agent: str) -> LiveAgent | None:
        live = self.agents.get((site, agent))
        if live is None:
            self._stranger(f"{site}/{agent}")
        return live

    def _stranger(self, name: str) -> None:
        if name in self.strangers or len(self.strangers) < STRANGERS_KEPT:
            self.strangers[name] += 1

    def _silence(self, live: LiveAgent, changes: Changes) -> None:
        """Void everything that an agent proved."""
        if live.alive:
            self._count_alive(live, False, changes)
        live.oldest_proof_ms = None
        self._forget(live, list(live.doors.values()), changes)

    def _count_alive(self, live: LiveAgent, alive: bool, changes: Changes) -> None:
        live.alive = alive
        for totals in (self.sites[live.site], self.totals):
            totals.agents_alive += 1 if alive else -1
        changes.presence.append(live)
        _once(changes.agents, live)

    def _announce(self, changes: Changes) -> Changes:
        if changes:
            for listener in self._listeners:
                listener(changes)
        return changes


def _once(agents: list[LiveAgent], live: LiveAgent) -> None:
    if live not in agents:
        agents.append(live)
