"""The field's own words, once: every closed vocabulary that travels on the wire.

Vocabularies that may grow (event kinds, command kinds, SRP actions) travel as plain strings, so that an older
program keeps and reports the words of a newer one; the enums below are the words of this version.
"""

from enum import StrEnum


class DoorMode(StrEnum):
    """The mode a door should be in. Ordered: see :func:`strictest`."""

    UNLOCKED = "unlocked"  # anyone may pass
    CONTROLLED = "controlled"  # locked, badges work
    SECURED = "secured"  # locked, override credentials only


_STRICTNESS = {DoorMode.UNLOCKED: 0, DoorMode.CONTROLLED: 1, DoorMode.SECURED: 2}


def strictest(first: DoorMode, *others: DoorMode) -> DoorMode:
    """The most restrictive of some modes (design invariant 4)."""
    return max((first, *others), key=_STRICTNESS.__getitem__)


class Condition(StrEnum):
    """What a door *is*, by its sensors. Reads a word of a newer version as UNKNOWN."""

    SECURE = "secure"  # closed contact and thrown bolt (where fitted), read after the lock was commanded
    OPEN = "open"  # the contact is open, and a person had the right to pass
    UNLATCHED = "unlatched"  # closed, but nothing holds it: lock released, or the bolt not (yet) thrown
    JAMMED = "jammed"  # lock commanded for longer than a bolt needs, closed, and the bolt is not thrown
    FORCED = "forced"  # opened while no person had the right to pass
    HELD = "held"  # open for longer than its time
    TAMPERED = "tampered"  # a tamper switch is open: its other sensors prove nothing
    UNKNOWN = "unknown"  # no evidence, or evidence too old

    @classmethod
    def _missing_(cls, value: object) -> "Condition":
        return cls.UNKNOWN


class Contact(StrEnum):
    """The reading of a door position switch (DPS)."""

    CLOSED = "closed"
    OPEN = "open"


class Bolt(StrEnum):
    """The reading of a latch-bolt monitor."""

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
    """A fault that needs a person. Events raise and clear it, and its door lists it while it lasts."""

    FORCED = "forced"
    HELD = "held"
    LATCH_FAULT = "latch_fault"  # closed with the lock commanded, and the bolt came back or never arrived
    JAMMED = "jammed"
    TAMPER = "tamper"
    NO_EVIDENCE = "no_evidence"  # its sensors do not answer
    READER_OFFLINE = "reader_offline"
    LINE_SILENT = "line_silent"
    FIRE = "fire"
    DURESS = "duress"  # a person was forced to open the door: shown to officers, never at the door
    LINE_CUT = "line_cut"  # a supervised line is open where it may not be
    LINE_SHORT = "line_short"
    MAINS_FAILED = "mains_failed"
    BATTERY_LOW = "battery_low"
    READER_POWER = "reader_power"
    MAINTENANCE = "maintenance"  # one alarm so often that the hardware is at fault, not an intruder
    REX_HELD = "rex_held"  # an endless request to exit: until it ends, no passage counts as forced
    OUTBOX_FILLING = "outbox_filling"
    STORAGE_FAILED = "storage_failed"  # the agent's disk refuses: new orders last until its power goes
    CONFIG_ROLLED_BACK = "config_rolled_back"  # the agent uses an older one than central's, until the next
    CREDENTIALS_MISSING = "credentials_missing"  # some good badges open nothing, or a change of badges waits


class Identification(StrEnum):
    """The means by which a person identifies at a door."""

    CARD = "card"
    PIN = "pin"
    CARD_OR_PIN = "card_or_pin"
    CARD_AND_PIN = "card_and_pin"  # the card first


class Passback(StrEnum):
    """The answer to a badge that enters an area it is already in, or leaves one it is not in."""

    OFF = "off"
    SOFT = "soft"  # let in, and reported
    HARD = "hard"  # denied
    TIMED = "timed"  # denied for a time after it entered


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
    CLEARANCE_LAPSED = "clearance_lapsed"  # a background check, for example, has run out
    PIN_MISSING = "pin_missing"  # the card was good, and no PIN followed in time
    WRONG_PIN = "wrong_pin"
    CARD_MISSING = "card_missing"  # a PIN was entered where a card must come first
    READER_LOCKED_OUT = "reader_locked_out"  # too many wrong PINs here; the reader rests
    PASSBACK = "passback"  # the card is already inside the area, or has not left the one it must come from
    FIRST_PERSON_MISSING = "first_person_missing"  # the person who must enter first has not come yet
    SECOND_PERSON_MISSING = "second_person_missing"  # two people must show their badges within seconds
    INTERLOCKED = "interlocked"  # the other door of the vestibule is not closed


class EventKind(StrEnum):
    """The kinds of event that this version writes. Others are stored and shown as they came."""

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
    CARD_READ_REFUSED = "card_read_refused"  # noise, missed or extra bits, a bad parity or checksum
    OVERRIDE_USED = "override_used"  # a responder's credential opened a secured door
    DURESS = "duress"  # a duress PIN was used; the door opened all the same
    PASSBACK_NOTED = "passback_noted"  # soft anti-passback: let in, and reported
    PASSBACK_FORGIVEN = "passback_forgiven"
    PASSBACK_UNGUARDED = "passback_unguarded"  # no reader leads back, so soft or hard anti-passback counts as off
    PIN_GUESSING = "pin_guessing"  # a keypad, or a card's PIN, rests again and again within a day
    FIRST_PERSON_CAME = "first_person_came"  # from now on the door follows its schedule
    SECOND_PERSON_AWAITED = "second_person_awaited"
    HELD_WARNING = "held_warning"  # the warning at a door before it counts as held
    CONFIG_CONFIRMED = "config_confirmed"  # the agent runs well with it: it is now the last good one
    CONFIG_ROLLED_BACK = "config_rolled_back"
    READER_KEY_SET = "reader_key_set"  # a reader has a new secure channel key
    READER_KEY_KEPT = "reader_key_kept"  # a reader rejected its new key, and works with the former one
    WALK_TEST_BEGUN = "walk_test_begun"  # a person walks the agent's doors; it reports nothing until the end
    WALK_TEST_ENDED = "walk_test_ended"  # with the verdict and the fingerprint of the signed report
    EVENTS_DROPPED = "events_dropped"  # the outbox was full: how many, and between which numbers


class CommandKind(StrEnum):
    """The momentary acts on a door."""

    GRANT = "grant"  # open once, as a badge would; refused while the door is secured
    TEST_LOCK = "test_lock"  # command the lock again and report the sensors
    CLEAR_DURESS = "clear_duress"  # a person has dealt with the duress alarm of a door
    FORGIVE_PASSBACK = "forgive_passback"  # forget where one cardholder (data: cardholder) is, or all
    ROTATE_READER_KEY = "rotate_reader_key"  # give a reader (data: reader) a new key, made by the agent


class KeyRole(StrEnum):
    """The role of a trusted key: the documents it may sign."""

    DISTRICT = "district"  # declarations of the district and its sites, configuration, commands
    AGENT = "agent"  # its own lock-only declarations


def door_mode_for(action: str, *, perimeter: bool) -> DoorMode | None:
    """The mode that an SRP action requires of a door, or None if it requires none.

    Lockdown secures every door, Secure the perimeter. Hold, Evacuate and Shelter direct people and never loosen a
    lock: egress is free in every mode, so a door need not be unlocked for people to leave. An unknown action requires
    none.
    """
    if action == SrpAction.LOCKDOWN or (action == SrpAction.SECURE and perimeter):
        return DoorMode.SECURED
    return None
