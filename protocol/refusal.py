"""Why something that arrived was refused: a typed reason, and a sentence for a person."""

from enum import StrEnum


class Reason(StrEnum):
    """The typed reasons. Counted and logged with the topic by whoever receives the message."""

    UNKNOWN_TOPIC = "unknown_topic"
    MALFORMED = "malformed"  # not JSON, or a field missing, of a wrong type or out of range
    OVERSIZED = "oversized"
    NOT_SIGNED = "not_signed"  # not a compact JWS
    WRONG_ALGORITHM = "wrong_algorithm"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    NOT_ALLOWED = "not_allowed"  # a good signature of a key that may not say this
    WRONG_TARGET = "wrong_target"  # signed for another topic, or of another kind
    WRONG_DIGEST = "wrong_digest"  # not the bytes that the signed configuration names
    OLDER_REVISION = "older_revision"
    ROLLED_BACK = "rolled_back"  # the agent did not come up well with it once; it waits for a newer one
    DUPLICATE = "duplicate"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"  # issued in our future: one of the two clocks is wrong
    CLOCK_UNTRUSTED = "clock_untrusted"
    RETAINED = "retained"  # a momentary act may not come out of a broker's memory
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_DOOR = "unknown_door"
    NOT_POSSIBLE = "not_possible"  # a command that cannot be carried out as things are; the detail says why
    NOT_KEPT = "not_kept"  # the disk would not keep what must be kept before acting


class Refused(Exception):  # noqa: N818 - the field says "refused"; it is an answer, not a fault of ours
    """A message is not acted on. ``reason`` is for machines and counters, ``detail`` for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
