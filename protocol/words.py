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
    DURESS = "duress"  # somebody was made to open the door: told to officers, never shown at the door
    LINE_CUT = "line_cut"  # a supervised line is open where it may not be
    LINE_SHORT = "line_short"
    MAINS_FAILED = "mains_failed"
    BATTERY_LOW = "battery_low"
    READER_POWER = "reader_power"
    MAINTENANCE = "maintenance"  # the same alarm so often that the fault is the hardware's, not an intruder's
    REX_HELD = "rex_held"  # a request to exit without end: meanwhile nobody's passing counts as forced
    OUTBOX_FILLING = "outbox_filling"
    STORAGE_FAILED = "storage_failed"  # the agent's disk refuses: what it is told holds until its power goes
    CONFIG_ROLLED_BACK = "config_rolled_back"  # an older one is used than central wants, until the next
    CREDENTIALS_MISSING = "credentials_missing"  # some good badges open nothing, or a change of badges waits


class Identification(StrEnum):
    """What a person shows at a door."""

    CARD = "card"
    PIN = "pin"
    CARD_OR_PIN = "card_or_pin"
    CARD_AND_PIN = "card_and_pin"  # the card first


class Passback(StrEnum):
    """What happens to a badge that enters an area it is in already, or comes from one it is not in."""

    OFF = "off"
    SOFT = "soft"  # let in, and told
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
    CLEARANCE_LAPSED = "clearance_lapsed"  # a background check, say, has run out: the badge is suspended
    PIN_MISSING = "pin_missing"  # the card was good, and no PIN followed in time
    WRONG_PIN = "wrong_pin"
    CARD_MISSING = "card_missing"  # a PIN was entered where a card must come first
    READER_LOCKED_OUT = "reader_locked_out"  # too many wrong PINs here; the reader rests
    PASSBACK = "passback"  # the card is already inside the area, or has not left the one it must come from
    FIRST_PERSON_MISSING = "first_person_missing"  # nobody who must be there first has come yet
    SECOND_PERSON_MISSING = "second_person_missing"  # two people must show their badges within seconds
    INTERLOCKED = "interlocked"  # the other door of the vestibule is not closed


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
    CARD_READ_REFUSED = "card_read_refused"  # noise, missed or extra bits, a bad parity or checksum
    OVERRIDE_USED = "override_used"  # a responder's credential opened a secured door
    DURESS = "duress"  # a duress PIN was used; the door opened all the same
    PASSBACK_NOTED = "passback_noted"  # soft anti-passback: let in, and told
    PASSBACK_FORGIVEN = "passback_forgiven"
    PASSBACK_UNGUARDED = "passback_unguarded"  # no reader leads back, so soft or hard anti-passback counts as off
    PIN_GUESSING = "pin_guessing"  # a keypad, or a card's PIN, rests again and again within a day
    FIRST_PERSON_CAME = "first_person_came"  # from now on the door follows its schedule
    SECOND_PERSON_AWAITED = "second_person_awaited"
    HELD_WARNING = "held_warning"  # the door is warned at before it counts as held
    CONFIG_CONFIRMED = "config_confirmed"  # the agent came up well with it: it is now the last good one
    CONFIG_ROLLED_BACK = "config_rolled_back"
    READER_KEY_SET = "reader_key_set"  # a reader has a new secure channel key
    READER_KEY_KEPT = "reader_key_kept"  # a reader did not take its new key, and works with the former one
    WALK_TEST_BEGUN = "walk_test_begun"  # the agent's doors are walked with a person; it tells nothing meanwhile
    WALK_TEST_ENDED = "walk_test_ended"  # with the verdict and the fingerprint of the signed report
    EVENTS_DROPPED = "events_dropped"  # the outbox was full: how many, and between which numbers


class CommandKind(StrEnum):
    """Momentary acts."""

    GRANT = "grant"  # open once, as a badge would; refused while the door is secured
    TEST_LOCK = "test_lock"  # command the lock again and report what the sensors say
    CLEAR_DURESS = "clear_duress"  # somebody has looked after the duress alarm of a door
    FORGIVE_PASSBACK = "forgive_passback"  # forget where a cardholder is (data: cardholder), or everybody
    ROTATE_READER_KEY = "rotate_reader_key"  # give a reader (data: reader) a new key, made by the agent


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
