"""The field's own words, once: every closed vocabulary that travels on the wire.

Vocabularies that may grow (event kinds, command kinds, SRP actions) travel as plain strings, so that an older
program keeps and reports what a newer one says; the enums below are what this version knows.
"""

from enum import StrEnum


class DoorMode(StrEnum):
    """What a door should do. Ordered: see :func:`strictest`."""

    UNLOCKED = "unlocked"  # anyone may pass
    CONTROLLED = "controlled"  # locked, badges work
    SECURED = "secured"  # locked, override credentials only


_STRICTNESS = {DoorMode.UNLOCKED: 0, DoorMode.CONTROLLED: 1, DoorMode.SECURED: 2}


def strictest(first: DoorMode, *others: DoorMode) -> DoorMode:
    """The most restrictive of some modes (design invariant 4)."""
    return max((first, *others), key=_STRICTNESS.__getitem__)


class Condition(StrEnum):
    """What a door *is*, as its sensors show it. A word this version does not know reads as UNKNOWN."""

    SECURE = "secure"  # closed contact and thrown bolt (where fitted), read after the lock was commanded
    OPEN = "open"  # the contact is open and someone had the right to pass
    UNLATCHED = "unlatched"  # closed, but nothing holds it: lock released, or the bolt not (yet) thrown
    JAMMED = "jammed"  # lock commanded for longer than a bolt needs, closed, and the bolt is not thrown
    FORCED = "forced"  # opened with nobody having the right to pass
    HELD = "held"  # open for longer than its time
    TAMPERED = "tampered"  # a tamper switch is open: its other sensors prove nothing
    UNKNOWN = "unknown"  # no evidence, or evidence too old

    @classmethod
    def _missing_(cls, value: object) -> "Condition":
        return cls.UNKNOWN


class Contact(StrEnum):
    """A door position switch (DPS)."""

    CLOSED = "closed"
    OPEN = "open"


class Bolt(StrEnum):
    """A latch-bolt monitor."""

    THROWN = "thrown"
    RETRACTED = "retracted"


class SrpAction(StrEnum):
    """The actions of the Standard Response Protocol (SRP) of the I Love U Guys Foundation."""

    HOLD = "hold"  # stay in the room, clear the halls
    SECURE = "secure"  # get inside, lock outside doors
    LOCKDOWN = "lockdown"  # locks, lights, out of sight
    EVACUATE = "evacuate"  # to the announced location
    SHELTER = "shelter"  # against the announced hazard


class ScopeKind(StrEnum):
    """How wide a declaration reaches."""

    DISTRICT = "district"
    SITE = "site"
    ZONE = "zone"
    DOOR = "door"


class Alarm(StrEnum):
    """What needs a person. Raised and cleared by events, and listed with a door while it lasts."""

    FORCED = "forced"
    HELD = "held"
    LATCH_FAULT = "latch_fault"  # closed with the lock commanded, and the bolt came back or never arrived
    JAMMED = "jammed"
    TAMPER = "tamper"
    NO_EVIDENCE = "no_evidence"  # its sensors do not answer
    READER_OFFLINE = "reader_offline"
    LINE_SILENT = "line_silent"
    FIRE = "fire"
    OUTBOX_FILLING = "outbox_filling"


class Denial(StrEnum):
    """Why a badge did not open a door: one reason a person can read."""

    UNKNOWN_CREDENTIAL = "unknown_credential"
    CREDENTIAL_SUSPENDED = "credential_suspended"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    CLOCK_UNTRUSTED = "clock_untrusted"  # a validity or schedule cannot be judged without the time
    NO_ACCESS_HERE = "no_access_here"  # no rule gives this cardholder this door
    OUTSIDE_SCHEDULE = "outside_schedule"
    DOOR_SECURED = "door_secured"  # a declaration holds the door; only override credentials pass
    READ_TOO_OLD = "read_too_old"


class EventKind(StrEnum):
    """Kinds of event this version writes. Others are stored and shown as they came."""

    AGENT_STARTED = "agent_started"
    AGENT_HEALTH = "agent_health"  # once a minute: memory, processor, outbox
    ACCESS_GRANTED = "access_granted"
    ACCESS_DENIED = "access_denied"
    REQUEST_TO_EXIT = "request_to_exit"
    CONDITION_CHANGED = "condition_changed"
    MODE_CHANGED = "mode_changed"
    LOCK_COMMANDED = "lock_commanded"
    ALARM_RAISED = "alarm_raised"
    ALARM_CLEARED = "alarm_cleared"
    PANIC_PRESSED = "panic_pressed"
    FIRE_STARTED = "fire_started"
    FIRE_ENDED = "fire_ended"
    DECLARATIONS_APPLIED = "declarations_applied"
    CONFIG_APPLIED = "config_applied"
    COMMAND_DONE = "command_done"
    MESSAGE_REFUSED = "message_refused"
    READER_ONLINE = "reader_online"
    READER_OFFLINE = "reader_offline"
    EVENTS_DROPPED = "events_dropped"  # the outbox was full: how many, and between which numbers


class CommandKind(StrEnum):
    """Momentary acts."""

    GRANT = "grant"  # open once, as a badge would; refused while the door is secured
    TEST_LOCK = "test_lock"  # command the lock again and report what the sensors say


class KeyRole(StrEnum):
    """What a trusted key may sign."""

    DISTRICT = "district"  # declarations of the district and its sites, configuration, commands
    AGENT = "agent"  # its own lock-only declarations


def door_mode_for(action: str, *, perimeter: bool) -> DoorMode | None:
    """The mode an SRP action asks of a door, or None where it asks nothing.

    Lockdown secures every door, Secure the perimeter. Hold, Evacuate and Shelter tell people where to be and
    never loosen a lock: egress is free in every mode, so a door need not be opened for people to leave.
    An action this version does not know asks nothing.
    """
    if action == SrpAction.LOCKDOWN or (action == SrpAction.SECURE and perimeter):
        return DoorMode.SECURED
    return None
