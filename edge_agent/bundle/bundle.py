"""The configuration bundle: verified, tried, kept or rolled back; taken whole or not at all.

A bundle whose credentials come in pages waits, beside the one in use, until every page is on the disk; then both
change in one step, for it is the bundle that names the pages. What becomes of a bundle is decided in
`edge_agent.bundle.trial`; this does it: on the disk, at the doors, in the journal.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial

from edge_agent.bundle import trial as config_trial
from edge_agent.bundle.candidate import Candidate, Candidates
from edge_agent.bundle.kept import agent_keys, opened
from edge_agent.bundle.missing_pages import MissingPages
from edge_agent.bundle.page_fetch import PageFetch, PagesChanged
from edge_agent.bundle.trial import Trial
from edge_agent.events.journal import Journal
from edge_agent.events.refusals import Refusals
from edge_agent.host.clock import AgentClock
from edge_agent.policy.rules import Rules
from edge_agent.storage.credential_store import CredentialStore
from edge_agent.storage.state_db import Store
from ground.reporter import Reporter
from protocol import topics
from protocol.messages import AgentConfig, TrustedKey
from protocol.signing import Keyring
from protocol.topics import TopicKind
from protocol.words import Alarm, EventKind

log = logging.getLogger(__name__)

_KEPT_AS = "the configuration"


@dataclass(frozen=True, slots=True)
class ConfigurationChanged:
    """Another bundle is on the disk and used from now on, or the agents' keys of one that waits are trusted."""

    rules: Rules
    trusted_keys: tuple[TrustedKey, ...]


class Configuration(Reporter[ConfigurationChanged]):
    """The bundle in use; reports every change of it. If a listener raises, the configuration on trial is rolled back.

    ``anchor`` are the keys of the agent's own file: only they may sign a bundle, so that no bundle can hand the agent
    over to somebody else."""

    def __init__(
        self,
        site: str,
        agent: str,
        *,
        anchor: Keyring,
        wired: frozenset[str],
        store: Store,
        credentials: CredentialStore,
        clock: AgentClock,
        journal: Journal,
        refusals: Refusals,
    ) -> None:
        super().__init__()
        self.pages = PageFetch(
            credentials,
            topic=lambda number: topics.credential_page(site, agent, number),
            refusals=refusals,
        )
        self.pages.listen(self._pages_changed)
        credentials.listen(lambda _lost: self.fetch_missing())
        self._state = config_trial.State()
        self._known: list[AgentConfig] = []  # every bundle that was verified, and is not older than the one in use
        self._missing = MissingPages(credentials, clock=clock, journal=journal)
        self._topic = topics.of_agent(TopicKind.CONFIG, site, agent)
        self._anchor = anchor
        self._candidates = Candidates(anchor, self._topic, credentials)
        self._wired = wired
        self._store = store
        self._credentials = credentials
        self._clock = clock
        self._journal = journal
        self._next_look: asyncio.TimerHandle | None = None
        self._cleaning: set[asyncio.Task[None]] = set()

    @property
    def rules(self) -> Rules:
        """What central has said of this agent's doors, as far as it is used now."""
        return self._state.rules

    @property
    def trial(self) -> Trial | None:
        """The trial of the bundle in use, until it has proven itself."""
        return self._state.trial

    @property
    def trusted_keys(self) -> tuple[TrustedKey, ...]:
        """The keys of the bundle in use, and the agents' keys of newer ones: those agents may lock already."""
        used, version = self._state.used, self.rules.version
        newer = (key for config in self._known if config.version > version for key in agent_keys(config))
        return (*(() if used is None else used.config.trusted_keys), *newer)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What is wrong with the agent's configuration and credentials, for its snapshots."""
        return (*self._missing.alarms, *((Alarm.CONFIG_ROLLED_BACK,) if self._state.went_back else ()))

    @property
    def kept(self) -> bool:
        """Whether the disk has what is to be used after a restart."""
        return _KEPT_AS not in self._store.unkept

    # --- a start ------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Use what is kept, verified again: the bundle on trial, unless it has failed, or the last good one. Without
        one, doors are controlled, and no badge works. Call it on the loop."""
        try:
            self._known = opened(self._store, self._anchor, self._topic)
            self._step(self._from_disk())
        except Exception:  # the doors must be held, whatever the disk gives back
            log.exception("the kept configuration is not used")

    def kept_keys(self) -> list[Keyring]:
        """The keys of every bundle on the disk, in use or not. Ask before :meth:`load`, which may drop one."""
        return [Keyring(config.trusted_keys) for config in opened(self._store, self._anchor, self._topic)]

    def _from_disk(self) -> config_trial.Loaded:
        good, trial, rolled_back = self._store.config(), self._store.trial(), self._store.rolled_back()
        found = self._candidates.from_disk
        if trial is None:
            gone = None if rolled_back is None else found(rolled_back[1], rolled_back[0])
            return config_trial.Loaded(None if good is None else found(good), rolled_back=gone)
        ends = config_trial.unclean_ends(trial.unclean_ends, trial.boot, self._clock.boot)
        return config_trial.Loaded(None if good is None else found(good), found(trial.signed, trial.version), ends)

    # --- what happens -------------------------------------------------------------------------------------------

    def receive(self, signed: bytes) -> None:
        """A bundle arrived. :class:`Refused` leaves the one in use as it is."""
        config = self._candidates.opened(signed)
        config_trial.check(self._state, config.version)
        candidate = self._candidates.checked(config, signed)
        self._known.append(config)
        self._step(config_trial.Arrived(candidate, self._candidates.whole(candidate)))

    def receive_page(self, number: int, payload: bytes) -> None:
        """A page of credentials arrived; :class:`Refused` if it is not one that is waited for."""
        self.pages.receive(number, payload)

    def fetch_missing(self) -> None:
        """Fetch what the bundle that waits lacks, or else the one in use: the credentials' file may be damaged."""
        target = self._state.waiting or self._state.used
        self.pages.want(() if target is None else target.pages)
        self.watch_pages()

    def watch_pages(self) -> None:
        """Check whether pages are missing; call it every second or so, for they may be late."""
        used, waiting = (() if one is None else one.pages for one in (self._state.used, self._state.waiting))
        self._missing.check(used, waiting)

    def beat(self) -> None:
        """The agent is well: its doors are held, its beat is kept, it can say what they are."""
        self._step(config_trial.Beat())

    def stopped_well(self) -> None:
        """The program ends because somebody stopped it: that is not the doing of a configuration on trial."""
        self._step(config_trial.StoppedWell())

    def stop(self) -> None:
        """End what goes on by time, and what is being fetched."""
        if self._next_look is not None:
            self._next_look.cancel()
        self.pages.stop()
        for task in self._cleaning:
            task.cancel()

    def _pages_changed(self, change: PagesChanged) -> None:
        if not change.complete:
            return
        if self._state.waiting is not None and self._candidates.whole(self._state.waiting):
            self._step(config_trial.PagesComplete())
        self.watch_pages()

    # --- what is done about it ----------------------------------------------------------------------------------

    def _step(self, happened: config_trial.Input) -> None:
        before = self._on_trial
        self._state, effects = config_trial.step(self._state, happened, self._clock.mono_ms())
        self._known = [config for config in self._known if config.version >= self.rules.version]
        if self._on_trial != before:
            if self._next_look is not None:
                self._next_look.cancel()
            self._next_look = self._look_later() if self._on_trial else None
        for effect in effects:
            if not self._perform(effect):
                return

    @property
    def _on_trial(self) -> int:
        return 0 if self._state.trial is None else self._state.trial.version

    def _look_later(self) -> asyncio.TimerHandle:
        wait_s = config_trial.CONFIRM_WITHIN_MS / 1000 / config_trial.LOOKS
        return asyncio.get_running_loop().call_later(wait_s, self._look)

    def _look(self) -> None:
        self._next_look = self._look_later()
        self._step(config_trial.LookDue())

    def _perform(self, effect: config_trial.Effect) -> bool:
        """Whether to go on with the effects after it."""
        store, boot = self._store, self._clock.boot
        match effect:
            case config_trial.KeepTrial(new):
                store.keep(_KEPT_AS, lambda: store.save_trial(new.version, new.signed, boot))
            case config_trial.KeepRun(ends):
                store.keep(_KEPT_AS, lambda: store.trial_runs(ends, boot))
            case config_trial.KeepEndedWell():
                store.keep(_KEPT_AS, store.trial_ended_well)
            case config_trial.KeepConfirmed(good):
                confirm = partial(store.confirm_trial, good.version, good.signed)
                store.keep(_KEPT_AS, confirm, then=lambda: self._confirmed(good.version))
            case config_trial.KeepRolledBack(version, signed, to, why):
                store.keep(_KEPT_AS, lambda: store.roll_back_trial(version, signed))
                log.error("configuration %d is rolled back to %d: %s", version, to, why)
                self._journal.add(EventKind.CONFIG_ROLLED_BACK, {"version": version, "to": to, "why": why})
            case config_trial.ReportWentBack(raised):
                data = {"version": self._state.rolled_back, "used": self.rules.version}
                self._journal.alarm(Alarm.CONFIG_ROLLED_BACK, data, raised=raised)
            case config_trial.FetchPages():
                self.fetch_missing()
            case config_trial.Apply(applied):
                return self._apply(applied)
            case config_trial.Note(text):
                log.warning("%s", text)
        return True

    def _apply(self, new: Candidate | None) -> bool:
        try:
            self._report(ConfigurationChanged(self.rules, self.trusted_keys))
        except Exception as error:
            if new is None:
                raise
            log.exception("configuration %d cannot be used", new.version)
            self._step(config_trial.Failed(f"the doors could not be held by it: {error!r}"))
            return False
        if new is not None:
            self._report_applied(new)
            self._forget_pages()
        return True

    def _confirmed(self, version: int) -> None:
        self._journal.add(EventKind.CONFIG_CONFIRMED, {"version": version})
        self._forget_pages()

    def _report_applied(self, new: Candidate) -> None:
        configured = {settings.door for settings in new.config.doors}
        self._journal.add(
            EventKind.CONFIG_APPLIED,
            {
                "version": new.version,
                "doors": len(configured & self._wired),
                "credentials": len(new.config.credentials) + self._credentials.count(new.pages),
                "not_wired": sorted(configured - self._wired),
                "not_configured": sorted(self._wired - configured),
            },
        )

    def _forget_pages(self) -> None:
        """Of bundles that can no longer come into use: here, or after a restart."""
        if not self.kept:
            return
        possible = (self._state.used, self._state.good, self._state.waiting)
        digests = {digest for candidate in possible if candidate is not None for digest in candidate.pages}
        task = asyncio.get_running_loop().create_task(self._credentials.keep_only(digests))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
