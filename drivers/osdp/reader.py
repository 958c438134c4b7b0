"""What a bus remembers of each reader, and the rules that need nothing else: heard, drained, due.

No I/O and no clock in here; the bus calls with the time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from drivers.osdp.config import OsdpReaderConfig
from drivers.osdp.frames import CommandCode, Frame, Question, ReplyCode
from drivers.osdp.key_state import KeyState
from drivers.readers import Show

SILENCE_S = 1.15
"""A reader is polled about 20 times a second; not one reply in a second is a cut line or a splice. libosdp repeats a
command 1.0 s after a reply was lost, and one lost reply is no alarm. It calls a link dead after 8 s itself."""

PROBE_S = 0.3
"""How long a reader that says nothing is tried. Each try holds a shared line for libosdp's 200 ms."""

HANDSHAKE_S = 1.5
"""How long a reader that does answer may take to bring the secure channel up (9600 baud, shared line)."""

REST_ALONE_S = 0.25
REST_SHARED_S = 0.9
REST_REFUSED_S = 2.0
"""How long a reader is left alone between tries; longer where others on the line must be served, and longest after a
handshake that failed: another of the same kind will fail, too."""

_SHOW_THE_KEY = (ReplyCode.PDCAP, ReplyCode.CCRYPT)
"""PDCAP says whether it has the secure channel at all; CCRYPT carries a cryptogram made with its key."""

_NO_SUCH_CHANNEL = (b"\x05", b"\x06")
"""Reasons of a NAK: no secure channel, or not with what was sent. The others are of a disturbed line."""

MAX_QUEUED_COMMANDS = 8
"""Commands held for a reader; the oldest go first when there are more."""


@dataclass(slots=True)
class PolledReader:
    """One reader as the bus sees it. `offset` is its place in libosdp's list, not its address."""

    config: OsdpReaderConfig
    offset: int
    heard_at: float
    listened_from: float
    """Silence counts from here: start, port opened, or the loop coming back after being blocked."""
    tried_at: float
    keys: KeyState
    away_since: float = 0.0
    """Since when its secure channel is to come up."""
    online: bool = False
    reported_online: bool | None = None
    """What the owner was last sent; a short handshake for a new key is not reported."""
    key_sent: bool = False
    """A new key went out and its acknowledgement may come in plaintext."""
    refused: int = 0
    """Replies under its address that were refused."""
    refusal_reported_at: float = -math.inf
    stale: bool = True
    """Reads may have waited at the reader; act on none until it has had nothing to say once."""
    unanswered: int = 0
    """Commands sent whose acknowledgement may still come."""
    answered_before: bool = False
    """Whether it answered the try before this one."""
    rejectable: bool = False
    """It answered a step of the handshake that shows its key, and the panel has asked it nothing since."""
    refuses_key: bool = False
    """Its answers, not their lateness, ended the last handshake: it holds another key, or none."""
    resting: bool = False
    rest_until: float = 0.0
    tampered: bool | None = None
    power_failed: bool | None = None
    lasting: Show | None = None
    queue: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MAX_QUEUED_COMMANDS))

    def hear(self, now: float, max_read_age_s: float) -> None:
        """A reply of this reader arrived."""
        if now - self.heard_at > max_read_age_s:
            self.stale = True
        self.heard_at = now

    def answered(self, frame: Frame, asked: Question | None) -> None:
        """A reply came within a handshake, to what was `asked`."""
        self.rejectable = frame.code in _SHOW_THE_KEY
        if frame.code == ReplyCode.NAK and asked is not None and asked.code == CommandCode.CHLNG:
            self.refuses_key = frame.data[:1] in _NO_SUCH_CHANNEL

    def forget(self) -> None:
        """The bus was stopped: nothing is known of the reader but what it should show."""
        self.online = self.resting = self.answered_before = self.key_sent = False
        self.rejectable = self.refuses_key = False
        self.reported_online = None
        self.stale = True
        self.unanswered = 0
        self.queue.clear()

    def rejoin(self, now: float) -> None:
        """A handshake begins for our own reasons: reads count again once it is done and the reader is drained."""
        self.online = self.key_sent = False
        self.stale = True
        self.unanswered = 0
        self.away_since = now
        self.tried(now)

    def nothing_to_say(self) -> bool:
        """An empty reply arrived. True if it answers a poll: nothing waits at the reader any more."""
        if self.unanswered:
            self.unanswered -= 1  # it may be the acknowledgement of a command, which says nothing of reads
            return False
        self.stale = False
        return True

    def silent(self, now: float) -> bool:
        """Whether nothing was heard for longer than the limit, while the bus listened and polled it.

        A reader whose handshake fails is not asked all the time, so what counts is whether it answers a try.
        """
        answers = self.answered_before or (self.answers and not self.resting)
        if answers and not self.online:
            return False
        return now - max(self.heard_at, self.listened_from) > SILENCE_S

    @property
    def answers(self) -> bool:
        """Whether it said anything since the present try began."""
        return self.heard_at >= self.tried_at

    def away_too_long(self, now: float) -> bool:
        """Whether its secure channel should be up by now."""
        return not self.online and now - self.away_since > HANDSHAKE_S

    def gives_up(self, now: float) -> bool:
        """Whether this try at a secure channel has failed and it should rest before the next."""
        return now - self.tried_at > (HANDSHAKE_S if self.answers else PROBE_S)

    def rest(self, now: float, *, silent: bool, shared: bool, lost: bool = False) -> None:
        """Leave it alone for a while; not if it `lost` a session it had, for it may just have restarted."""
        self.resting = True
        self.key_sent = False
        self.answered_before = self.answers and not silent and not lost
        self.stale = True
        self.queue.clear()
        self.unanswered = 0
        rest_s = REST_SHARED_S if shared else REST_ALONE_S
        if shared and self.answered_before and not self.keys.pending:
            rest_s = REST_REFUSED_S
        self.rest_until = now if lost else now + rest_s

    def tried(self, now: float) -> None:
        """A new handshake begins."""
        self.resting = False
        self.tried_at = now
