"""The audit log: each act of a person, chained to the entry before by a hash, so that a change to any shows.

An entry is written in the transaction of its act: there is neither without the other. The chain alone cannot show
that its newest entries were cut off: compare :attr:`ChainVerdict.head` with one noted elsewhere.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, func, select

from central.records.schema import audit

GENESIS = "0" * 64
"""The previous hash of the first entry."""

_HASHED = ("seq", "at_ms", "who", "action", "subject", "detail", "previous_hash")
_READ_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. ``detail`` is a JSON object, as text."""

    seq: int
    at_ms: int
    who: str
    action: str
    subject: str
    detail: str
    hash: str


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """Whether the chain holds. ``first_bad`` is the first entry that does not fit; ``head`` the last one's hash."""

    ok: bool
    entries: int
    first_bad: int | None
    head: str


def append(
    connection: Connection,
    at_ms: int,
    who: str,
    action: str,
    subject: str,
    *,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry, inside a transaction of ``records.engine.writing`` (which excludes other writers)."""
    last = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
    entry = {
        "seq": 1 if last is None else last.seq + 1,
        "at_ms": at_ms,
        "who": who,
        "action": action,
        "subject": subject,
        "detail": msgspec.json.encode(dict(detail or {}), order="deterministic").decode(),
        "previous_hash": GENESIS if last is None else last.hash,
    }
    connection.execute(audit.insert().values(**entry, hash=entry_hash(entry)))


def entry_hash(entry: Mapping[str, Any] | RowMapping) -> str:
    """SHA-256 over an entry's columns, in order, as canonical JSON; the previous hash is one of them."""
    return hashlib.sha256(msgspec.json.encode([entry[column] for column in _HASHED])).hexdigest()


class AuditLog:
    """Reads the log. Safe from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def latest(self, limit: int, before_seq: int | None = None) -> list[AuditEntry]:
        """The newest entries first; give the last one's seq as ``before_seq`` for the next page."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if before_seq is not None:
            query = query.where(audit.c.seq < before_seq)
        with self._engine.connect() as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]

    def details(self, action: str, subjects: Iterable[str]) -> dict[str, str]:
        """The detail (JSON text) of the latest entry of an action, by subject."""
        query = select(audit.c.subject, audit.c.detail).where(
            audit.c.action == action, audit.c.subject.in_(list(subjects))
        )
        with self._engine.connect() as connection:
            return {row.subject: row.detail for row in connection.execute(query.order_by(audit.c.seq))}

    def verify(self) -> ChainVerdict:
        """Check the chain from its beginning."""
        previous, entries = GENESIS, 0
        with self._engine.connect() as connection:
            total: int = connection.execute(select(func.count()).select_from(audit)).scalar_one()
            rows = connection.execute(select(audit).order_by(audit.c.seq).execution_options(yield_per=_READ_AT_ONCE))
            for row in rows.mappings():
                entries += 1
                if row["seq"] != entries or row["previous_hash"] != previous or row["hash"] != entry_hash(row):
                    return ChainVerdict(False, total, row["seq"], row["hash"])
                previous = row["hash"]
        return ChainVerdict(True, entries, None, previous)


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(
        seq=row["seq"],
        at_ms=row["at_ms"],
        who=row["who"],
        action=row["action"],
        subject=row["subject"],
        detail=row["detail"],
        hash=row["hash"],
    )
