"""The stricter of two: of what a configuration in use says, and of a newer one's that was rolled back.

Pure. What the newer one takes away stays away, though it cannot be used; what it adds is not given. Where neither is
stricter, the newer counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from edge_agent.policy.credentials import Credentials
from protocol.messages import Credential, DoorSettings
from protocol.words import Identification


def settings(used: DoorSettings, newer: DoorSettings) -> DoorSettings:
    """A door's settings as strict as either has them. Sensors and exits are as in ``used``."""
    identification = _identification(used.identification, newer.identification)
    same_hours = used.card_only_schedule == newer.card_only_schedule
    return replace(
        used,
        zones=tuple(dict.fromkeys((*used.zones, *newer.zones))),
        perimeter=used.perimeter or newer.perimeter,
        identification=identification,
        card_only_schedule=used.card_only_schedule if same_hours else None,
        two_person=used.two_person or newer.two_person,
        first_person_group=used.first_person_group or newer.first_person_group,
        first_person_for_all=used.first_person_for_all or newer.first_person_for_all,
        interlock=newer.interlock or used.interlock,
    )


def credential(used: Credential, newer: Credential) -> Credential:
    """A credential that opens nothing that either would not."""
    starts = [one.valid_from_ms for one in (used, newer) if one.valid_from_ms is not None]
    ends = [one.valid_until_ms for one in (used, newer) if one.valid_until_ms is not None]
    return replace(
        used,
        groups=tuple(group for group in used.groups if group in newer.groups),
        override=used.override and newer.override,
        suspended=used.suspended or newer.suspended,
        valid_from_ms=max(starts, default=None),
        valid_until_ms=min(ends, default=None),
        pin=newer.pin,
        duress_pin=newer.duress_pin,
        duress=used.duress or newer.duress,
        clearances=(*used.clearances, *newer.clearances),
        passback_exempt=used.passback_exempt and newer.passback_exempt,
    )


@dataclass(frozen=True, slots=True)
class NoLooserCredentials:
    """The credentials of a configuration, less what a newer one takes away, as far as its pages are held."""

    used: Credentials
    newer: Credentials

    def find(self, token: str) -> Credential | None:
        """The credential with this token; None if either does not know it."""
        known = self.used.find(token)
        if known is None or not self.newer.holds(token):
            return known
        latest = self.newer.find(token)
        return None if latest is None else credential(known, latest)

    def holds(self, token: str) -> bool:
        """Whether it is certain that an unknown token belongs to nobody."""
        return self.used.holds(token)


def _identification(used: Identification, newer: Identification) -> Identification:
    if Identification.CARD_AND_PIN in (used, newer):
        return Identification.CARD_AND_PIN
    return used if newer is Identification.CARD_OR_PIN else newer
