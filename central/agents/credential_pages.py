"""Selects each agent's credentials: a few go into its configuration, many into pages by their tokens' first bits.

Pure. A change to one cardholder changes one page. Each credential is encoded once for all agents, and a page's bytes
depend only on its number and its credentials, so that the agents of a school share pages.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from protocol.codec import LIMITS
from protocol.messages import MOST_PAGES, Credential, CredentialPage

MOST_CREDENTIALS = 250_000
"""The most credentials of one agent."""

INLINE_MOST = 2_000
"""Up to this many credentials travel in the configuration itself."""

PAGE_HOLDS = 1_000
"""Credentials of a page, on average: some 200 KB."""

_encode = msgspec.json.Encoder().encode


class TooMany(ValueError):  # noqa: N818 - says what is wrong
    """An agent cannot hold so many credentials, or so large ones."""


@dataclass(frozen=True, slots=True)
class EncodedPage:
    """A page as it travels, with the digest that the configuration lists."""

    number: int
    payload: bytes = field(repr=False)
    digest: str

    @classmethod
    def of(cls, number: int, bodies: Iterable[bytes]) -> "EncodedPage":
        """Join encoded credentials, in the order of their tokens, to a page."""
        payload = b'{"page":%d,"credentials":[%b]}' % (number, b",".join(bodies))
        return cls(number, payload, hashlib.sha256(payload).hexdigest())


@dataclass(frozen=True, slots=True)
class Share:
    """One agent's credentials: inline or in pages, never both."""

    inline: tuple[Credential, ...] = ()
    pages: tuple[EncodedPage, ...] = ()


class Shares:
    """Gives each agent its share. Agents that serve the same groups get the same object."""

    def __init__(self, credentials: tuple[Credential, ...]) -> None:
        self._credentials = credentials
        self._bodies: dict[int, bytes] = {}
        self._made: dict[frozenset[str], Share] = {}
        self._members: dict[str, list[int]] = {}
        for number, credential in enumerate(credentials):
            for group in credential.groups:
                self._members.setdefault(group, []).append(number)

    def of(self, groups: Iterable[str]) -> Share:
        """The share of an agent whose rules name these groups. Raises :class:`TooMany`."""
        key = frozenset(groups)
        share = self._made.get(key)
        if share is None:
            share = self._made[key] = self._make(key)
        return share

    def _make(self, groups: frozenset[str]) -> Share:
        numbers = sorted({number for group in groups for number in self._members.get(group, ())})
        if len(numbers) > MOST_CREDENTIALS:
            raise TooMany(f"{len(numbers)} credentials; an agent holds {MOST_CREDENTIALS}")
        if len(numbers) <= INLINE_MOST:
            return Share(inline=tuple(self._credentials[number] for number in numbers))
        by_token = {self._credentials[number].token: number for number in numbers}
        ordered = [(token, self._body(by_token[token])) for token in sorted(by_token)]
        count = 2
        while count * PAGE_HOLDS < len(ordered):
            count *= 2
        return Share(pages=_pages(ordered, count))

    def _body(self, number: int) -> bytes:
        body = self._bodies.get(number)
        if body is None:
            body = self._bodies[number] = _encode(self._credentials[number])
        return body


def _pages(ordered: list[tuple[str, bytes]], count: int) -> tuple[EncodedPage, ...]:
    """Spread credentials by token over ``count`` pages (a power of two), or over more if one page is too large."""
    shift = 12 - (count.bit_length() - 1)
    on_page: list[list[bytes]] = [[] for _ in range(count)]
    for token, body in ordered:
        on_page[int(token[:3], 16) >> shift].append(body)
    pages = tuple(EncodedPage.of(number, bodies) for number, bodies in enumerate(on_page))
    if all(len(page.payload) <= LIMITS[CredentialPage] for page in pages):
        return pages
    if count == MOST_PAGES:
        raise TooMany(f"the credentials need more than {MOST_PAGES} pages of {LIMITS[CredentialPage]} bytes")
    return _pages(ordered, count * 2)
