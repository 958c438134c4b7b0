"""Which declarations hold at this agent: takes signed sets in, keeps them on the disk, and declares on its own.

The order is the promise (invariant 3): verified, accepted, on the disk, and only then do the doors follow. It does
not know doors or locks: who listens to :class:`SetsHeld` does.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ParamSpec

import msgspec

from edge_agent.declarations.book import DeclarationBook, accept, declared, joined, without_ended
from edge_agent.events.journal import Journal
from edge_agent.events.refusals import Refusals
from edge_agent.host.clock import AgentClock
from edge_agent.policy.effective_mode import unknown_actions
from edge_agent.storage.state_db import Store, StoredSet
from ground.reporter import Reporter
from protocol import topics
from protocol.messages import Declaration, DeclarationSet, Scope, TrustedKey
from protocol.refusal import Reason, Refused
from protocol.signing import Keyring, SigningKey
from protocol.topics import TopicKind
from protocol.words import EventKind, KeyRole, ScopeKind, SrpAction

log = logging.getLogger(__name__)

MOST_WAITING = 64
PANIC_REASON = "panic button"

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class SetsHeld:
    """Other sets are held from now on, and on the disk unless it refuses. ``own``: the agent's own is another."""

    sets: tuple[DeclarationSet, ...]
    own: bool


class Declarations(Reporter[SetsHeld]):
    """The sets this agent holds."""

    def __init__(
        self,
        *,
        site: str,
        agent: str,
        key: SigningKey,
        store: Store,
        clock: AgentClock,
        journal: Journal,
        refusals: Refusals,
    ) -> None:
        super().__init__()
        self.book = DeclarationBook()
        self.own_topic = topics.of_agent(TopicKind.DECLARATIONS, site, agent)
        self._site = site
        self._agent = agent
        self._key = key
        self._store = store
        self._clock = clock
        self._journal = journal
        self._refusals = refusals
        self.keyring = Keyring([])
        self.own_signed: bytes | None = None
        """The agent's own set as it signed it; None before the first."""
        self._waiting: dict[str, bytes] = {}  # signed by keys not known yet
        self._reported: set[str] = set()  # declarations of unknown actions

    @property
    def topics(self) -> frozenset[str]:
        return frozenset({topics.district_declarations(), topics.site_declarations(self._site)})

    def load(self, keyring: Keyring, former: Iterable[Keyring] = ()) -> None:
        """Load what the disk holds. Each set is verified again; one that fails is refused and reported, and one
        signed by a key not known yet waits for it. Whatever is wrong with a set, the others are loaded.

        A set was accepted once: it is loaded also if ``former`` keys verify it, those of bundles that are on the
        disk and not in use, or the agent's key that was kept beside it. What locked does not unlock because the
        keys have changed since.
        """
        self.keyring = keyring
        former = tuple(former)
        for stored in self._stored():
            self._try(stored.topic, self._load_one, stored, former)
        self._try(self.own_topic, self._sign_again)
        self._try(self.own_topic, self._drop_ended)

    def trust(self, keyring: Keyring) -> None:
        """Use other keys from now on. Sets held stay; what waited for one of these keys is tried again."""
        self.keyring = keyring
        waiting, self._waiting = self._waiting, {}
        for topic, signed in waiting.items():
            self._try(topic, self.accept_set, topic, signed)

    def accept_set(self, topic: str, signed: bytes) -> None:
        """Hold a set that arrived. :class:`Refused` changes nothing, whatever was wrong with it.

        One of the agent's own that is newer than the one held is what the broker remembers of before this agent's
        disk was replaced: it never takes the place of what is declared here; the agent joins the two and signs them.
        """
        document = self._open(topic, signed)
        self._waiting.pop(topic, None)
        if topic == self.own_topic:
            accept(self.book, topic, document)  # refused unless it is newer
            self._sign_and_take(joined(self.book, topic, document, self._ended()))
            return
        self._take(document, signed)
        self._drop_ended()

    def _stored(self) -> list[StoredSet]:
        try:
            return self._store.declarations()
        except sqlite3.Error as error:
            log.error("the declarations on the disk cannot be read: %s", error)  # noqa: TRY400
            return []

    def _load_one(self, stored: StoredSet, former: tuple[Keyring, ...]) -> None:
        document = self._open_stored(stored, former)
        self.book = accept(self.book, stored.topic, document)
        if stored.topic == self.own_topic:
            self.own_signed = stored.signed

    def _sign_again(self) -> None:
        """Sign the agent's own set with its new key, if the old one signed it."""
        if self.own_signed is None:
            return
        try:
            self.keyring.open(DeclarationSet, self.own_topic, self.own_signed)
        except Refused:
            own = self.book.sets[self.own_topic]
            self._sign_and_take(joined(self.book, self.own_topic, own, self._ended()))

    def _open_stored(self, stored: StoredSet, former: tuple[Keyring, ...]) -> DeclarationSet:
        try:
            return self._open(stored.topic, stored.signed)
        except Refused:
            for other in (*former, _kept_key(stored)):
                with contextlib.suppress(Refused):
                    document = other.open(DeclarationSet, stored.topic, stored.signed)
                    self._waiting.pop(stored.topic, None)
                    log.warning("declarations of %s hold by a key that was trusted when they came", stored.topic)
                    return document
            raise

    def _open(self, topic: str, signed: bytes) -> DeclarationSet:
        try:
            return self.keyring.open(DeclarationSet, topic, signed)
        except Refused as refused:
            if refused.reason is Reason.UNKNOWN_KEY and len(self._waiting) < MOST_WAITING:
                self._waiting[topic] = signed
            raise

    def _try(self, topic: str, act: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """One set must not keep the others from the doors: whatever is wrong with it is counted and logged."""
        try:
            act(*args, **kwargs)
        except Refused as refused:
            self._refusals.note(topic, refused)
        except Exception:
            self._refusals.count(Reason.MALFORMED)
            log.exception("declarations of %s failed; the other sets go on", topic)

    def declare_panic(self) -> None:
        """The panic button: lock down the site, by this agent's own word. Pressing again declares nothing new."""
        own = self.book.sets.get(self.own_topic)
        held = own is not None and any(one.id not in self._ended() for one in own.declarations)
        self._journal.add(EventKind.PANIC_PRESSED, {"again": held})
        if held:
            return
        declaration = Declaration(
            id=str(uuid.uuid4()),
            action=SrpAction.LOCKDOWN,
            scope=Scope(kind=ScopeKind.SITE, site=self._site),
            by=f"{self._site}/{self._agent}",
            at_ms=self._clock.utc_ms(),
            reason=PANIC_REASON,
        )
        self._sign_and_take(declared(self.book, self.own_topic, declaration))

    def _ended(self) -> frozenset[str]:
        """The agents' own declarations that two people have ended in central."""
        held = (self.book.sets[topic] for topic in self.topics if topic in self.book.sets)
        return frozenset(id_ for document in held for id_ in document.ended)

    def _drop_ended(self) -> None:
        remaining = without_ended(self.book, self.own_topic, self._ended())
        if remaining is not None:
            self._sign_and_take(remaining)

    def _sign_and_take(self, document: DeclarationSet) -> None:
        # An agent whose disk was replaced counts from 1 again, while its neighbours remember more: so the
        # revision is at least the time in seconds.
        revision = max(document.revision, self._clock.utc_ns() // 1_000_000_000)
        document = msgspec.structs.replace(document, revision=revision)
        signed = self._key.sign(document)
        self._take(document, signed)

    def _take(self, document: DeclarationSet, signed: bytes) -> None:
        topic = document.audience
        book = accept(self.book, topic, document)
        key = self.keyring.signer(signed)
        kept_key = None if key is None else msgspec.json.encode(key).decode()
        stored = StoredSet(topic, document.revision, signed, kept_key)
        self._store.keep(f"the set of {topic}", lambda: self._store.save_declarations(stored))
        self.book = book
        own = topic == self.own_topic
        if own:
            self.own_signed = signed
        self._report(SetsHeld(tuple(book), own=own))
        self._note_applied(document)

    def _note_applied(self, document: DeclarationSet) -> None:
        unknown = [one for one in unknown_actions(self._site, self.book) if one.id not in self._reported]
        self._reported.update(one.id for one in unknown)
        self._journal.add(
            EventKind.DECLARATIONS_APPLIED,
            {
                "topic": document.audience,
                "revision": document.revision,
                "declarations": [declaration.id for declaration in document.declarations],
                "unknown_actions": [{"id": one.id, "action": one.action} for one in unknown],
            },
        )


def _kept_key(stored: StoredSet) -> Keyring:
    """The key kept beside a set, if it is an agent's: that can only lock, so it does no harm if it was put there."""
    if stored.key is None:
        return Keyring([])
    try:
        key = msgspec.json.decode(stored.key, type=TrustedKey)
        return Keyring([key] if key.role is KeyRole.AGENT else [])
    except ValueError as error:  # msgspec's are
        log.error("the key kept with declarations of %s is none: %s", stored.topic, error)  # noqa: TRY400
        return Keyring([])


def keyring(anchor: Iterable[TrustedKey], bundle: Iterable[TrustedKey], own: TrustedKey) -> Keyring:
    """The keys to trust: the bundle's, then those of the agent's own file, which no bundle can replace."""
    return Keyring([*bundle, *anchor, own])
