"""Refusals of messages: a typed reason, and a sentence for a person."""

from enum import StrEnum


class Reason(StrEnum):
    """The typed reasons. The receiver counts and logs them with the topic."""

    UNKNOWN_TOPIC = "unknown_topic"
    MALFORMED = "malformed"  # not JSON, or a field missing, of a wrong type or out of range
    OVERSIZED = "oversized"
    NOT_SIGNED = "not_signed"  # not a compact JWS
    WRONG_ALGORITHM = "wrong_algorithm"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    NOT_ALLOWED = "not_allowed"  # a good signature, of a key that may not sign this
    WRONG_TARGET = "wrong_target"  # signed for another topic, or of another kind
    WRONG_DIGEST = "wrong_digest"  # not the bytes of the digest in the signed configuration
    OLDER_REVISION = "older_revision"
    ROLLED_BACK = "rolled_back"  # the agent failed with it once, and waits for a newer one
    DUPLICATE = "duplicate"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"  # issued in the receiver's future: one of the two clocks is wrong
    CLOCK_UNTRUSTED = "clock_untrusted"
    RETAINED = "retained"  # a momentary act must not come from a broker's memory
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_DOOR = "unknown_door"
    NOT_POSSIBLE = "not_possible"  # the command cannot be carried out now; the detail says why
    NOT_KEPT = "not_kept"  # the disk refused to store it, as it must be before the agent acts


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A message is not acted on. ``reason`` is for machines and counters, ``detail`` for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
