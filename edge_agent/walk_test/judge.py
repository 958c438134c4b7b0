"""Judges the sensors' readings during a step: whether it is done, and what is wrong. Pure.

Somebody may leave by another door meanwhile, so a move elsewhere counts against a door only if its own input did not
move, or moved at the same instant.
"""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.walk_test.moves import Judgement, crossed, no_reading, tied, unexpected
from edge_agent.walk_test.words import DoorFacts, FindingKind, NewsKind, ReaderState, Record, Sensor, Step, StepKind

KEYS = "123"
"""The keys to press: enough to find crossed rows, too few for a PIN."""

HEALTHY_SHARE = 0.75
"""A bolt that needs a larger share of its time is slow: the agent will soon call it jammed."""

ELSEWHERE_MS = 2_000
"""If another reader read the badge this long ago, the person held it to that reader."""

LETS_GO_MS = 1_000
"""A magnet must let go this soon after the exit button."""

_READER_FAULTS = {
    ReaderState.SILENT: FindingKind.READER_SILENT,
    ReaderState.STARTING: FindingKind.READER_SILENT,
    ReaderState.UNSTEADY: FindingKind.READER_UNSTEADY,
    ReaderState.WRONG_KEY: FindingKind.READER_KEY,
    ReaderState.PORT: FindingKind.READER_PORT,
}


def healthy_ms(facts: DoorFacts) -> int:
    """The longest a healthy bolt of this door may take."""
    return int(facts.bolt_ms * HEALTHY_SHARE)


def moves_ms(facts: DoorFacts) -> int:
    """How long to wait for a bolt of this door: long enough to measure a slow one."""
    return 2 * facts.bolt_ms + 1_000


# --- is it done? ------------------------------------------------------------------------------------------------


def complete(step: Step, record: Record, facts: DoorFacts) -> bool:
    """Whether the step need not wait any longer."""
    done = _DONE.get(step.kind)
    return record.said_done if done is None else done(step, record, facts)


def _bolt_is(value: bool) -> Callable[[Step, Record, DoorFacts], bool]:
    def done(step: Step, record: Record, facts: DoorFacts) -> bool:
        return not facts.bolt_fitted or record.value((step.door, Sensor.BOLT)) is value

    return done


def _opened(step: Step, record: Record, facts: DoorFacts) -> bool:
    return record.said_done or record.value((step.door, Sensor.CONTACT)) is not facts.shut


def _closed(step: Step, record: Record, facts: DoorFacts) -> bool:
    contact = (step.door, Sensor.CONTACT)
    moves = record.of(contact)
    shut_at = moves[-1].at_ms if moves and moves[-1].value is facts.shut else record.done_ms
    if shut_at is None:
        return False
    return _bolt_is(True)(step, record, facts) or record.now_ms - shut_at >= moves_ms(facts)


def answers(record: Record, reader: str) -> bool:
    """Whether a reader is able to read."""
    return record.readers.get(reader, ReaderState.UNKNOWABLE) not in _READER_FAULTS


def comes_up(record: Record, reader: str) -> bool:
    """Whether a reader that cannot be expected to read yet may still bring its secure channel up."""
    return record.readers.get(reader) in {ReaderState.STARTING, ReaderState.UNSTEADY}


def interrupted(step: Step, record: Record) -> bool:
    """Whether no reader read the badge, and the secure channel of one was down for a part of the step.

    Of any one: where two are crossed, the badge is held to another than the step's.
    """
    told = {news.kind for news in record.news}
    return step.kind is StepKind.BADGE and NewsKind.LOST in told and NewsKind.READ not in told


def _read(step: Step, record: Record, _facts: DoorFacts) -> bool:
    reads = [news for news in record.news if news.kind is NewsKind.READ]
    heard = any(news.reader == step.reader for news in reads)
    elsewhere = any(record.now_ms - news.at_ms >= ELSEWHERE_MS for news in reads)
    dead = not answers(record, step.reader or "") and not interrupted(step, record)
    return heard or elsewhere or record.said_done or dead


def _keyed(step: Step, record: Record, _facts: DoorFacts) -> bool:
    return len(_keys(step, record)) >= len(KEYS) or record.said_done


def _pressed_and_let_go(sensor: Sensor) -> Callable[[Step, Record, DoorFacts], bool]:
    def done(step: Step, record: Record, _facts: DoorFacts) -> bool:
        input_ = (step.door, sensor)
        there_and_back = len(record.of(input_)) >= 2 and record.value(input_) == record.before.get(input_)
        return there_and_back or record.said_done

    return done


_DONE: dict[StepKind, Callable[[Step, Record, DoorFacts], bool]] = {
    StepKind.INPUTS: lambda _step, _record, _facts: True,
    StepKind.UNLOCK: _bolt_is(False),
    StepKind.LOCK: _bolt_is(True),
    StepKind.OPEN: _opened,
    StepKind.CLOSE: _closed,
    StepKind.BADGE: _read,
    StepKind.KEYPAD: _keyed,
    StepKind.REX: _pressed_and_let_go(Sensor.REX),
    StepKind.TAMPER: _pressed_and_let_go(Sensor.TAMPER),
    StepKind.END: _bolt_is(True),
}


# --- how did it come out? ---------------------------------------------------------------------------------------


def judge(step: Step, record: Record, facts: DoorFacts) -> Judgement:
    """What a finished (or given up) step shows."""
    out = Judgement()
    _JUDGES[step.kind](step, record, facts, out)
    unexpected(step, record, out)
    return out


def _inputs(_step: Step, record: Record, _facts: DoorFacts, out: Judgement) -> None:
    for sensor, bad, kind in (
        (Sensor.FIRE, True, FindingKind.FIRE_ACTIVE),
        (Sensor.PANIC, True, FindingKind.PANIC_PRESSED),
        (Sensor.MAINS, False, FindingKind.MAINS_FAILED),
        (Sensor.BATTERY, False, FindingKind.BATTERY_LOW),
    ):
        if ("", sensor) not in record.before:
            continue
        value = record.value(("", sensor))
        if value is None or ("", sensor) in record.faults:
            no_reading(("", sensor), record, out)
        elif value is bad:
            out.found(kind)


def _rest(step: Step, record: Record, facts: DoorFacts, out: Judgement) -> None:
    _proven_locked(step, record, facts, out, shut=True)
    if record.value((step.door, Sensor.REX)) is True:
        out.found(FindingKind.REX_STUCK)
    if record.value((step.door, Sensor.TAMPER)) is True:
        out.found(FindingKind.TAMPER_OPEN)
    for input_, value in record.before.items():
        if input_[0] == step.door and value is None and record.value(input_) is None:
            no_reading(input_, record, out)


def _proven_locked(step: Step, record: Record, facts: DoorFacts, out: Judgement, *, shut: bool) -> None:
    if record.value((step.door, Sensor.CONTACT)) is (not shut):
        out.found(FindingKind.CONTACT_OPEN)
    if facts.bolt_fitted and record.value((step.door, Sensor.BOLT)) is False:
        out.found(FindingKind.BOLT_NOT_THROWN)


def _bolt(step: Step, record: Record, facts: DoorFacts, out: Judgement) -> None:
    """Judge the bolt after a command to the lock, with nobody at the door."""
    thrown = step.kind is StepKind.LOCK
    bolt = (step.door, Sensor.BOLT)
    if not facts.bolt_fitted:
        return
    if record.value(bolt) is None:
        no_reading(bolt, record, out)
        return
    before, moves = record.before.get(bolt), record.of(bolt)
    arrived = record.first(bolt, thrown)
    if arrived is not None and before is (not thrown):
        _timed(arrived.at_ms - record.began_ms, thrown, facts, out)
        if len(moves) > 1:
            out.found(FindingKind.BOLT_BOUNCES, times=len(moves))
        tied(step, bolt, record, out)
    elif moves and before is thrown and record.value(bolt) is (not thrown):
        out.found(FindingKind.BOLT_OPPOSITE)
    elif before is (not thrown) and not moves:
        _bolt_stays(step, record, out)


def _timed(took_ms: int, thrown: bool, facts: DoorFacts, out: Judgement) -> None:
    out.measured["throw_ms" if thrown else "retract_ms"] = took_ms
    limit_ms = healthy_ms(facts)
    if took_ms > limit_ms:
        move = "throw" if thrown else "retract"
        out.found(FindingKind.BOLT_SLOW, took_ms=took_ms, limit_ms=limit_ms, move=move)


def _bolt_stays(step: Step, record: Record, out: Judgement) -> None:
    if record.of((step.door, Sensor.CONTACT)):
        out.found(FindingKind.SWAPPED)
        return
    others = {change.door for change in record.changes if change.sensor is Sensor.BOLT and change.door != step.door}
    if len(others) == 1:
        out.found(FindingKind.LOCK_CROSSED, other_door=others.pop())
    else:
        out.found(FindingKind.BOLT_STAYS)


def _pull(step: Step, record: Record, facts: DoorFacts, out: Judgement) -> None:
    if not any(change.value is not facts.shut for change in record.of((step.door, Sensor.CONTACT))):
        return
    rex = (step.door, Sensor.REX)
    if facts.maglock and (record.before.get(rex) is True or record.first(rex, True)):
        out.void = "somebody asked to leave meanwhile, and was let out"
    else:
        out.found(FindingKind.NOT_HELD)


def _open(step: Step, record: Record, facts: DoorFacts, out: Judgement) -> None:
    contact = (step.door, Sensor.CONTACT)
    moved = next((change for change in record.of(contact) if change.value is not facts.shut), None)
    if record.value(contact) is None:
        no_reading(contact, record, out)
        return
    if moved is None:
        words = {True: "closed", False: "open"}
        if not crossed(contact, step, record, out):
            out.found(FindingKind.CONTACT_DEAD, value=words[facts.shut])
        return
    if facts.shut is False and moved.value is True:
        out.found(FindingKind.CONTACT_REVERSED)
    pressed = record.first((step.door, Sensor.REX), True)
    if not facts.bolt_fitted and not facts.maglock and pressed is not None and pressed.at_ms <= moved.at_ms:
        out.found(FindingKind.NOT_RELEASED)
    tied(step, contact, record, out)


def _close(step: Step, record: Record, facts: DoorFacts, out: Judgement) -> None:
    contact, bolt = (step.door, Sensor.CONTACT), (step.door, Sensor.BOLT)
    if record.value(contact) is None:
        no_reading(contact, record, out)
    elif record.before.get(contact) is not facts.shut and record.value(contact) is not facts.shut:
        out.found(FindingKind.CONTACT_NOT_BACK)
    elif record.of(contact):
        tied(step, contact, record, out)
    if not facts.bolt_fitted:
        return
    if record.value(bolt) is None:
        no_reading(bolt, record, out)
        return
    if record.value(bolt) is False:
        out.found(FindingKind.LATCH_NOT_CAUGHT)
        return
    shut_at = max((change.at_ms for change in record.of(contact)), default=record.began_ms)
    thrown_at = max((change.at_ms for change in record.of(bolt)), default=shut_at)
    if thrown_at > shut_at:
        _timed(thrown_at - shut_at, True, facts, out)


def _badge(step: Step, record: Record, _facts: DoorFacts, out: Judgement) -> None:
    reader = step.reader or ""
    read = [news.reader for news in record.news if news.kind is NewsKind.READ]
    refused = [news.detail for news in record.news if news.kind is NewsKind.REFUSED and news.reader == reader]
    if reader in read:
        return
    state = record.readers.get(reader, ReaderState.UNKNOWABLE)
    if state in _READER_FAULTS:
        out.found(_READER_FAULTS[state], reader)
    elif any(news.kind is NewsKind.LOST and news.reader == reader for news in record.news):
        out.found(FindingKind.READER_UNSTEADY, reader)
    elif refused:
        out.found(FindingKind.BADGE_GARBLED, reader, reason=refused[-1])
    elif read:
        out.found(FindingKind.READER_CROSSED, reader, other_reader=read[-1])
    else:
        out.found(FindingKind.BADGE_NOT_READ, reader)


def _keypad(step: Step, record: Record, _facts: DoorFacts, out: Judgement) -> None:
    keys = _keys(step, record)
    if not keys:
        out.found(FindingKind.KEYPAD_SILENT, step.reader or "")
    elif KEYS not in keys:
        out.found(FindingKind.KEYPAD_WRONG, step.reader or "", count=len(keys))  # what was pressed may be a PIN


def _keys(step: Step, record: Record) -> str:
    heard = (news for news in record.news if news.kind is NewsKind.KEYS and news.reader == step.reader)
    return "".join(news.detail for news in heard)


def _rex(step: Step, record: Record, facts: DoorFacts, out: Judgement) -> None:
    rex, bolt = (step.door, Sensor.REX), (step.door, Sensor.BOLT)
    pressed = record.first(rex, True)
    if record.before.get(rex) is True:
        out.found(FindingKind.REX_REVERSED if record.first(rex, False) else FindingKind.REX_STUCK)
        return
    if pressed is None:
        if not crossed(rex, step, record, out):
            out.found(FindingKind.REX_DEAD)
        return
    if record.value(rex) is True:
        out.found(FindingKind.REX_STUCK)
    if facts.maglock and facts.bolt_fitted:
        let_go = record.first(bolt, False)
        if record.before.get(bolt) is True and (let_go is None or let_go.at_ms - pressed.at_ms > LETS_GO_MS):
            out.found(FindingKind.EGRESS_HELD)
    tied(step, rex, record, out)


def _tamper(step: Step, record: Record, _facts: DoorFacts, out: Judgement) -> None:
    tamper = (step.door, Sensor.TAMPER)
    if record.before.get(tamper) is True:
        kind = FindingKind.TAMPER_REVERSED if record.first(tamper, False) else FindingKind.TAMPER_OPEN
        out.found(kind)
        return
    tripped = record.first(tamper, True)
    if tripped is None:
        if not crossed(tamper, step, record, out):
            out.found(FindingKind.TAMPER_DEAD)
        return
    if record.value(tamper) is True:
        out.found(FindingKind.TAMPER_OPEN)
    tied(step, tamper, record, out)


def _end(step: Step, record: Record, facts: DoorFacts, out: Judgement) -> None:
    shut = record.value((step.door, Sensor.CONTACT)) is facts.shut
    thrown = not facts.bolt_fitted or record.value((step.door, Sensor.BOLT)) is True
    if not (shut and thrown):
        out.found(FindingKind.NOT_SECURE_AT_END)


_JUDGES: dict[StepKind, Callable[[Step, Record, DoorFacts, Judgement], None]] = {
    StepKind.INPUTS: _inputs,
    StepKind.REST: _rest,
    StepKind.UNLOCK: _bolt,
    StepKind.LOCK: _bolt,
    StepKind.PULL: _pull,
    StepKind.OPEN: _open,
    StepKind.CLOSE: _close,
    StepKind.BADGE: _badge,
    StepKind.KEYPAD: _keypad,
    StepKind.REX: _rex,
    StepKind.TAMPER: _tamper,
    StepKind.END: _end,
}
