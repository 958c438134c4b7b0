"""The rule by which sensor readings prove a door secure: the agent applies it, and central checks it.

Pure: evidence and ages in, a verdict out.
"""

from protocol.messages import Evidence
from protocol.words import Bolt, Contact

FRESH_MS = 3_000
"""Readings older than this when their snapshot is made prove nothing. Agents read their sensors twice a second."""

SILENT_MS = 12_000
"""An agent not heard for this long is unknown, and so are its doors."""

SNAPSHOT_EVERY_MS = 2_500
"""Snapshots come at least this often. With the longest retry of the link (protocol.mqtt) it bounds how long the live
view takes to be right again after central or the broker was away: 4.5 s."""


def proves_secure(evidence: Evidence) -> bool:
    """Closed contact and thrown bolt (where fitted), read fresh and after the lock was commanded (invariant 2)."""
    return (
        evidence.contact is Contact.CLOSED
        and (evidence.bolt is Bolt.THROWN or not evidence.bolt_fitted)
        and evidence.age_ms is not None
        and evidence.age_ms <= FRESH_MS
        and evidence.locked_ms is not None
        and evidence.age_ms <= evidence.locked_ms
    )
