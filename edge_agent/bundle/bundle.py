"""The configuration bundle: taken whole or not at all, on trial until the agent is well with it, kept for restarts.

A bundle whose credentials come in pages waits, beside the one in use, until every page is on the disk; then both
change in one step, for it is the bundle that names the pages. What is taken up is kept as on trial
(`edge_agent.bundle.trial`), and the last good one beside it.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable

from edge_agent.bundle import trial as config_trial
from edge_agent.bundle.candidate import Candidate, Candidates
from edge_agent.bundle.kept import agent_keys, opened
from edge_agent.bundle.missing_pages import MissingPages
from edge_agent.bundle.page_fetch import PageFetch
from edge_agent.bundle.trial import Trial
from edge_agent.events.journal import Journal
from edge_agent.events.refusals import Refusals
from edge_agent.host.clock import Clock
from edge_agent.policy.rules import Rules
from edge_agent.storage.credential_store import CredentialStore
from edge_agent.storage.state_db import Store
from protocol import topics
from protocol.messages import AgentConfig, TrustedKey
from protocol.refusal import Reason, Refused
from protocol.signing import Keyring
from protocol.topics import TopicKind
from protocol.words import Alarm, EventKind

log = logging.getLogger(__name__)


class Configuration:
    """The bundle in use. ``anchor`` are the keys of the agent's own file: only they may sign a bundle, so that no
    bundle can hand the agent over to somebody else. ``on_change()`` is called once a new one is on the disk, and once
    the keys of one that waits are trusted; ``on_pages_wanted()`` when other pages of credentials are to be listened
    to.
    """

    def __init__(
        self,
        site: str,
        agent: str,
        *,
        anchor: Keyring,
        wired: frozenset[str],
        store: Store,
        credentials: CredentialStore,
        clock: Clock,
        journal: Journal,
        refusals: Refusals,
        on_change: Callable[[], None],
        on_pages_wanted: Callable[[], None],
    ) -> None:
        self.rules = Rules()
        self.trusted_keys: tuple[TrustedKey, ...] = ()
        self.pages = PageFetch(
            credentials,
            topic=lambda number: topics.credential_page(site, agent, number),
            refusals=refusals,
            on_wanted=on_pages_wanted,
            on_complete=self._pages_held,
        )
        self.trial: Trial | None = None
        self._missing = MissingPages(credentials, clock=clock, journal=journal)
        self._topic = topics.of_agent(TopicKind.CONFIG, site, agent)
        self._anchor = anchor
        self._candidates = Candidates(anchor, self._topic, credentials)
        self._wired = wired
        self._store = store
        self._credentials = credentials
        self._clock = clock
        self._journal = journal
        self._on_change = on_change
        self._used: Candidate | None = None
        self._good: Candidate | None = None
        self._waiting: Candidate | None = None  # for its pages
        self.kept = True
        """Whether the disk has what is to be used after a restart."""
        self._unclean_ends = 0
        self._told_older = False  # that an older one is used than was rolled back
        self._failed: tuple[int, bytes] | None = None  # rolled back in this run
        self._rolled_back = 0  # this version and all before it are not taken up again
        self._deadline: asyncio.TimerHandle | None = None
        self._cleaning: set[asyncio.Task[None]] = set()

    # --- a start ------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Take up what is kept: the bundle on trial, unless it has failed, or the last good one; verified again.
        Without one, doors are controlled, and no badge works. Call it on the loop."""
        try:
            self._load()
        except Exception:  # the doors must be held, whatever the disk gives back
            log.exception("the kept configuration is not used")

    def kept_keys(self) -> list[Keyring]:
        """The keys of every bundle on the disk, in use or not. Ask before :meth:`load`, which may drop one."""
        return [Keyring(config.trusted_keys) for config in opened(self._store, self._anchor, self._topic)]

    def _load(self) -> None:
        good = self._store.config()
        self._good = None if good is None else self._candidates.kept(good)
        trial = self._trial_to_go_on()
        newer = self._rolled_back_rules() if trial is None else trial.rules
        held = [one for one in (trial, self._good) if one is not None and self._candidates.whole(one)]
        chosen = held[0] if held else trial or self._good
        if chosen is None:
            self.rules = Rules(no_looser_than=newer)
            self._trust_agents_of(opened(self._store, self._anchor, self._topic))
            self._watch_rolled_back()
            return
        self._use(chosen, None if chosen is trial else newer)
        self._trust_agents_of(opened(self._store, self._anchor, self._topic))
        if chosen is trial:
            self._count_this_run()
            self._begin_trial(trial.rules.version)
        elif trial is not None:
            log.error(
                "configuration %d lacks pages of credentials; %d is used", trial.rules.version, self.rules.version
            )
            self._waiting = trial
        self._watch_rolled_back()
        self.fetch_missing()

    def _rolled_back_rules(self) -> Rules | None:
        """What the bundle rolled back last asked of doors and badges: see :class:`Rules`."""
        kept = self._failed or self._store.rolled_back()
        if kept is None:
            return None
        self._rolled_back, signed = kept
        return self._candidates.least(signed)

    def _trial_to_go_on(self) -> Candidate | None:
        """The bundle on trial; None if there is none, or it has failed and is rolled back now."""
        stored = self._store.trial()
        if stored is None:
            return None
        candidate = self._candidates.kept(stored.signed)
        self._unclean_ends = config_trial.unclean_ends(stored.unclean_ends, stored.boot, self._clock.boot)
        if candidate is not None and not config_trial.failed(self._unclean_ends):
            return candidate
        why = "it cannot be used" if candidate is None else f"the agent died with it {self._unclean_ends} times"
        self._give_up(stored.version, stored.signed)
        self._tell_rolled_back(stored.version, 0 if self._good is None else self._good.rules.version, why)
        return None

    def _count_this_run(self) -> None:
        try:
            self._store.trial_runs(self._unclean_ends, self._clock.boot)
        except sqlite3.Error as error:
            log.error("this run with the configuration on trial cannot be counted: %s", error)  # noqa: TRY400

    # --- what arrives -------------------------------------------------------------------------------------------

    def receive(self, signed: bytes) -> None:
        """A bundle arrived. :class:`Refused` leaves the one in use as it is."""
        config = self._candidates.opened(signed)
        waiting = 0 if self._waiting is None else self._waiting.rules.version
        if config.version in (self.rules.version, waiting):
            raise Refused(
                Reason.DUPLICATE, f"configuration {config.version} is in use already, or waits for its pages"
            )
        if config.version < max(self.rules.version, waiting):
            raise Refused(Reason.OLDER_REVISION, f"configuration {config.version}, in use is {self.rules.version}")
        nothing_else = self._used is None and config.version == self._rolled_back  # than to try it once more
        if config.version <= self._rolled_back and not nothing_else:
            raise Refused(Reason.ROLLED_BACK, f"{self._rolled_back} was rolled back; a newer one is waited for")
        candidate = self._candidates.checked(config, signed)
        if self._candidates.whole(candidate):
            self._take_up(candidate)
        else:
            self._waiting = candidate
            self.pages.want(candidate.pages)
            self.watch_pages()
            self._trust_agents_of([config])
            self._on_change()

    def receive_page(self, number: int, payload: bytes) -> None:
        """A page of credentials arrived; :class:`Refused` if it is not one that is waited for."""
        self.pages.receive(number, payload)

    def _pages_held(self) -> None:
        waiting = self._waiting
        if waiting is not None and self._candidates.whole(waiting):
            self._take_up(waiting)
        self.watch_pages()

    def fetch_missing(self) -> None:
        """Fetch what the bundle that waits lacks, or else the one in use: the credentials' file may be damaged."""
        target = self._waiting or self._used
        self.pages.want(() if target is None else target.pages)
        self.watch_pages()

    def watch_pages(self) -> None:
        """Look whether pages are missing; call it every second or so, for they may be late."""
        used, waiting = (() if one is None else one.pages for one in (self._used, self._waiting))
        self._missing.look(used, waiting)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """What is wrong with the agent's configuration and credentials, for its snapshots."""
        return (*self._missing.alarms, *((Alarm.CONFIG_ROLLED_BACK,) if self._told_older else ()))

    def _watch_rolled_back(self) -> None:
        older = self._rolled_back > self.rules.version
        if older is self._told_older:
            return
        self._told_older = older
        data = {"alarm": Alarm.CONFIG_ROLLED_BACK, "version": self._rolled_back, "used": self.rules.version}
        self._journal.add(EventKind.ALARM_RAISED if older else EventKind.ALARM_CLEARED, data)

    def _take_up(self, candidate: Candidate) -> None:
        self._waiting = None
        config = candidate.config
        try:
            self._store.save_trial(config.version, candidate.signed, self._clock.boot)
        except sqlite3.Error as error:
            log.error("the configuration cannot be kept (%s): used until the power goes", error)  # noqa: TRY400
            self.kept = False
        self._use(candidate, None)
        self._watch_rolled_back()
        self._begin_trial(config.version)
        self.fetch_missing()
        try:
            self._on_change()
        except Exception as error:
            log.exception("configuration %d cannot be used", config.version)
            self._roll_back(f"the doors could not be held by it: {error!r}")
            return
        configured = {settings.door for settings in config.doors}
        self._journal.add(
            EventKind.CONFIG_APPLIED,
            {
                "version": config.version,
                "doors": len(configured & self._wired),
                "credentials": len(config.credentials) + self._credentials.count(candidate.pages),
                "not_wired": sorted(configured - self._wired),
                "not_configured": sorted(self._wired - configured),
            },
        )
        self._clean()

    # --- the trial ----------------------------------------------------------------------------------------------

    def beat(self) -> None:
        """The agent is well: its doors are held, its beat is kept, it can say what they are."""
        if self.trial is None:
            return
        self.trial = config_trial.beat(self.trial, self._clock.mono_ms())
        if config_trial.proven(self.trial):
            self._confirm()

    def stopped_well(self) -> None:
        """The program ends because it was told to: that is not the doing of a configuration on trial."""
        if self.trial is None:
            return
        try:
            self._store.trial_ended_well()
        except sqlite3.Error as error:
            log.error("that this run has ended well cannot be noted: %s", error)  # noqa: TRY400

    def stop(self) -> None:
        """End what goes on by time, and what is being fetched."""
        self._end_trial()
        self.pages.stop()
        for task in self._cleaning:
            task.cancel()

    def _begin_trial(self, version: int) -> None:
        self._end_trial()
        self.trial = Trial(version)
        self._look_again(config_trial.LOOKS)

    def _end_trial(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self.trial = self._deadline = None

    def _confirm(self) -> None:
        used = self._used
        if used is None:
            return
        self._end_trial()  # a disk that refuses is no fault of the configuration
        self._good = used
        try:
            self._store.confirm_trial(used.rules.version, used.signed)
        except sqlite3.Error as error:
            log.error("the configuration is good, and cannot be kept as such: %s", error)  # noqa: TRY400
            self.kept = False
            return
        self.kept = True
        self._journal.add(EventKind.CONFIG_CONFIRMED, {"version": self.rules.version})
        self._clean()

    def keep(self) -> None:
        """Put on the disk what it has refused, if it takes it now. What is on trial comes there in the end."""
        if self.kept or self.trial is not None:
            return
        if self._failed is not None and self._failed[0] > self.rules.version:
            self._give_up(*self._failed)
        elif self._used is not None and self._used is self._good:
            self._confirm()

    def _look_again(self, left: int) -> None:
        if left:
            wait_s = config_trial.CONFIRM_WITHIN_MS / 1000 / config_trial.LOOKS
            self._deadline = asyncio.get_running_loop().call_later(wait_s, self._look_again, left - 1)
        elif self.trial is not None and config_trial.beating(self.trial, self._clock.mono_ms()):
            log.warning(
                "configuration %d is not proven yet, and the agent is well: it stays on trial", self.rules.version
            )
            self._look_again(config_trial.LOOKS)
        else:
            self._roll_back(f"not confirmed within {config_trial.CONFIRM_WITHIN_MS // 1000} s")

    def _roll_back(self, why: str) -> None:
        """Give up the bundle on trial while the agent runs."""
        failed, used = self.rules, self._used
        self._end_trial()
        if used is None:
            return
        self._give_up(failed.version, used.signed)
        if self._good is None:
            self._used, self.trusted_keys = None, ()
            self.rules = Rules(no_looser_than=failed)
        else:
            self._use(self._good, failed)
        self._trust_agents_of([used.config])
        self.fetch_missing()
        self._tell_rolled_back(failed.version, self.rules.version, why)
        self._watch_rolled_back()
        self._on_change()

    def _give_up(self, version: int, signed: bytes) -> None:
        """Not to be used again, nor anything before it."""
        self._rolled_back, self._failed = version, (version, signed)
        try:
            self._store.roll_back_trial(version, signed)
        except sqlite3.Error as error:
            log.error("that configuration %d was rolled back cannot be kept: %s", version, error)  # noqa: TRY400
            self.kept = False
        else:
            self.kept = True

    def _tell_rolled_back(self, version: int, to: int, why: str) -> None:
        log.error("configuration %d is rolled back to %d: %s", version, to, why)
        self._journal.add(EventKind.CONFIG_ROLLED_BACK, {"version": version, "to": to, "why": why})

    # --- small matters ------------------------------------------------------------------------------------------

    def _use(self, candidate: Candidate, floor: Rules | None) -> None:
        self._used = candidate
        self.rules = candidate.rules.held_to(floor)
        self.trusted_keys = candidate.config.trusted_keys

    def _trust_agents_of(self, configs: list[AgentConfig]) -> None:
        """Whoever a newer bundle lets lock may lock, though an older one is used."""
        newer = [config for config in configs if config.version > self.rules.version]
        self.trusted_keys += tuple(key for config in newer for key in agent_keys(config))

    def _clean(self) -> None:
        """Forget the pages of bundles that can no longer come into use: here, or after a restart."""
        if not self.kept:
            return
        kept = (self._used, self._good, self._waiting)
        digests = {digest for candidate in kept if candidate is not None for digest in candidate.pages}
        task = asyncio.get_running_loop().create_task(self._credentials.keep_only(digests))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
