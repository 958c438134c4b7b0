"""Decides how long to wait after wrong passwords. Pure: names, sources and times in, a wait out.

It counts by name and source together, by source, and by name. The last two wait two seconds at the most, and only the
first applies to a name that has signed in from the source before: guesses at an officer's password from elsewhere, or
from the same school (one address), never keep the officer out of an emergency. An IPv6 source is its /64, since one
device may use any address of it.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

FORGOTTEN_AFTER_MS = 15 * 60_000
MOST_COUNTED = 20_000
"""Names and sources come from outside: beyond this many, the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """After ``free`` failures, waits double from one second up to ``longest_ms``."""

    free: int
    longest_ms: int


_RULES = {"both": _Rule(5, 60_000), "source": _Rule(20, 2_000), "name": _Rule(50, 2_000)}


@dataclass(slots=True)
class _Failures:
    count: int
    last_ms: int


class SignInThrottle:
    """Times are milliseconds of a monotonic clock."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, ...], _Failures] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()  # (name, source) signed in, the latest last

    def wait_ms(self, name: str, source: str, now_ms: int) -> int:
        """How long this name from this source must still wait, in ms; 0: it may try."""
        longest = 0
        source = _network(source)
        known = (name, source) in self._known
        for key in _keys(name, source):
            if known and key[0] != "both":
                continue
            failures = self._failures.get(key)
            if failures is None or now_ms - failures.last_ms > FORGOTTEN_AFTER_MS:
                continue
            rule = _RULES[key[0]]
            if failures.count >= rule.free:
                pause_ms = min(rule.longest_ms, 1_000 << min(20, failures.count - rule.free))
                longest = max(longest, failures.last_ms + pause_ms - now_ms)
        return longest

    def failed(self, name: str, source: str, now_ms: int) -> None:
        """Count a wrong password, or one about to be checked, so that parallel tries count, too."""
        for key in _keys(name, _network(source)):
            before = self._failures.pop(key, None)
            count = before.count if before and now_ms - before.last_ms <= FORGOTTEN_AFTER_MS else 0
            self._failures[key] = _Failures(count + 1, now_ms)
        while len(self._failures) > MOST_COUNTED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, source: str) -> None:
        """Take the last count back: the password was right. Failures of others stay counted."""
        source = _network(source)
        self._known[name, source] = None
        self._known.move_to_end((name, source))
        if len(self._known) > MOST_COUNTED:
            self._known.popitem(last=False)
        self._failures.pop(("both", name, source), None)
        for key in (("source", source), ("name", name)):
            failures = self._failures.get(key)
            if failures is not None:
                failures.count -= 1
                if failures.count <= 0:
                    del self._failures[key]


def _keys(name: str, source: str) -> tuple[tuple[str, ...], ...]:
    return ("both", name, source), ("source", source), ("name", name)


def _network(source: str) -> str:
    """The counted form of a source: the /64 of an IPv6 address, else itself. A mapped IPv4 address counts as IPv4."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:  # a name, or none: as it is
        return source
    if isinstance(address, ipaddress.IPv4Address):
        return source
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False))
