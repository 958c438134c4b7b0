"""A page of credentials taken apart into rows for the disk, and put together again to the very same bytes.

Pure. A page is known by the SHA-256 of its bytes, so rows that give other bytes are not that page any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from protocol import codec
from protocol.messages import Credential, CredentialPage
from protocol.refusal import Reason, Refused

_LIST_BEGINS = b'"credentials":['
_LIST_ENDS = b"]}"


class _RawPage(msgspec.Struct):
    """A page whose credentials are still bytes."""

    page: int
    credentials: list[msgspec.Raw]


_decode_page = msgspec.json.Decoder(_RawPage).decode
_decode = msgspec.json.Decoder(Credential).decode


@dataclass(frozen=True, slots=True)
class CheckedPage:
    """A page that is what its digest says: what stands before its credentials, and each credential's bytes."""

    digest: bytes
    head: bytes
    bodies: tuple[bytes, ...]

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Token (32 bytes) and body of each credential. Decoded one by one as they are asked for, so that a thread
        that waits for the interpreter gets its turn; :class:`Refused` (malformed) where one is no credential."""
        before = b""
        for body in self.bodies:
            try:
                token = bytes.fromhex(_decode(body).token)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise Refused(Reason.MALFORMED, f"a credential of page {self.digest.hex()[:12]}: {error}") from None
            if token <= before:
                raise Refused(Reason.MALFORMED, f"page {self.digest.hex()[:12]} is not in the order of its tokens")
            before = token
            yield token, body


def open_page(digest: str, number: int, payload: bytes) -> CheckedPage:
    """The page with this digest (64 hex digits) and number; :class:`Refused` (oversized, wrong_digest, malformed) if
    these bytes are not that page. Nothing of them is parsed before their digest is known to be right."""
    found = check_digest(digest, number, payload)
    try:
        page = _decode_page(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Reason.MALFORMED, f"page {number}: {error}") from None
    if page.page != number:
        raise Refused(Reason.WRONG_TARGET, f"this is page {page.page}, it came as page {number}")
    begins = payload.find(_LIST_BEGINS) + len(_LIST_BEGINS)
    taken = CheckedPage(found, payload[:begins], tuple(bytes(raw) for raw in page.credentials))
    if assemble(taken.head, taken.bodies) != payload:
        raise Refused(Reason.MALFORMED, f"page {number} has something besides its number and its credentials")
    return taken


def check_digest(digest: str, number: int, payload: bytes) -> bytes:
    """The digest of these bytes; :class:`Refused` (oversized, wrong_digest) if it is not this one (64 hex digits)."""
    codec.check_size(CredentialPage, payload)
    found = hashlib.sha256(payload)
    if found.hexdigest() != digest:
        is_ = found.hexdigest()[:12]
        raise Refused(Reason.WRONG_DIGEST, f"page {number} is {is_}, the configuration says {digest[:12]}")
    return found.digest()


def assemble(head: bytes, bodies: Iterable[bytes]) -> bytes:
    """The bytes of a page again."""
    return head + b",".join(bodies) + _LIST_ENDS
