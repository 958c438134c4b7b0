"""Explains findings to the person at the door: what is wrong, where to look, which one follows from another.

Pure text and tables. `edge_agent.walk_test.judge` decides what is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from edge_agent.walk_test.words import Finding, Sensor
from edge_agent.walk_test.words import FindingKind as K


class Text(NamedTuple):
    """``{about}`` and the names of a finding's detail are filled in."""

    what: str
    look_at: str


TEXTS: dict[K, Text] = {
    K.NO_READING: Text(
        "The {about} gives no reading.",
        "The input chatters or cannot be read: look at its terminals, its ADC and the SPI cable.",
    ),
    K.LINE_CUT: Text(
        "The line of the {about} is cut.",
        "An open circuit: a loose terminal, a broken wire, or end-of-line resistors that were never fitted.",
    ),
    K.LINE_SHORT: Text(
        "The line of the {about} is shorted.",
        "The two wires touch: look for crushed cable at the hinge and stray strands at the terminals. "
        "Resistors fitted at the board instead of at the switch look the same.",
    ),
    K.UNSTEADY: Text(
        "The {about} moved though nobody touched the door.",
        "A loose terminal, a magnet at the edge of its reach, or a wire of another door: watch it while you "
        "move the cable.",
    ),
    K.CROSSED: Text(
        "Not the {about} moved, but the {other_sensor} of door {other_door}.",
        "The two cables are crossed: swap them at the board, or swap the two pins in agent.yaml.",
    ),
    K.TIED: Text(
        "With the {about} the {other_sensor} of door {other_door} moves too.",
        "The two inputs touch: look for a bridge between their terminals.",
    ),
    K.SWAPPED: Text(
        "Contact and bolt are swapped: the lock moves the contact's input.",
        "Swap the two cables at the board, or the pins of contact and bolt in agent.yaml.",
    ),
    K.CONTACT_OPEN: Text(
        "The door contact reads open while the door is shut.",
        "Is the door really shut? Then: the magnet is too far from the reed, or the cable is cut.",
    ),
    K.CONTACT_REVERSED: Text(
        "The door contact is reversed: it reads open while shut and closed while open.",
        "Reversed (NC for NO): move the wire to the switch's other terminal, "
        "or fit a reed that is closed while the door is shut.",
    ),
    K.CONTACT_DEAD: Text(
        "The door contact never moved: it read {value} with the door shut and with the door open.",
        "Reads closed: a short, or a second magnet. Reads open: a cut wire, no magnet, or the wrong pin.",
    ),
    K.CONTACT_NOT_BACK: Text(
        "The door contact did not come back when the door was shut.",
        "The magnet misses the reed when the door falls shut by itself: look at closer, hinges and magnet.",
    ),
    K.BOLT_NOT_THROWN: Text(
        "The bolt reads retracted while the lock is commanded locked.",
        "Push and pull the door: does it sit against the strike? Then look at the monitor's wire and adjustment.",
    ),
    K.BOLT_STAYS: Text(
        "The lock was commanded, and the bolt did not move.",
        "A dead strike, no lock power, a blown fuse, the wrong output pin, or a bolt monitor that is stuck: "
        "listen whether the lock clicks.",
    ),
    K.BOLT_OPPOSITE: Text(
        "The bolt does the opposite of what the lock was told.",
        "Either the bolt monitor is reversed or the lock's output is inverted: see the step 'pull'.",
    ),
    K.BOLT_REVERSED: Text(
        "The bolt monitor is reversed: it reads retracted while the bolt holds the door.",
        "Use the monitor switch's other terminal (NC for NO).",
    ),
    K.BOLT_SLOW: Text(
        "The bolt is slow: it took {took_ms} ms to {move}; at most {limit_ms} ms is healthy here.",
        "A weak bolt: low voltage at the lock under load, a worn spring, dirt, or a door that presses on the bolt.",
    ),
    K.BOLT_BOUNCES: Text(
        "The bolt does not stay: it moved {times} times after one command.",
        "The bolt meets the edge of the strike, or its monitor's switch sits at its limit: adjust the strike.",
    ),
    K.LATCH_NOT_CAUGHT: Text(
        "The door fell shut and was not latched: the bolt did not throw.",
        "Shut it hard: if it latches then, the closer is too weak or the strike is out of line.",
    ),
    K.LOCK_CROSSED: Text(
        "The command moved the bolt of door {other_door} instead.",
        "The two locks' outputs are crossed: swap them at the relay board, or swap the two pins in agent.yaml.",
    ),
    K.LOCK_INVERTED: Text(
        "The lock is inverted: it is open when told to lock, and locked when told to open.",
        "In agent.yaml: active_high of the lock (relay boards that pull in on a low level need false), or "
        "fail_mode; on the wall: the relay's NC terminal used for NO.",
    ),
    K.NOT_HELD: Text(
        "The door opened though it was locked.",
        "The bolt is not in the strike, or the lock is not wired to this output. This door keeps nobody out.",
    ),
    K.NOT_RELEASED: Text(
        "The door was opened from inside though it was unlocked, and no bolt monitor tells whether the lock let go.",
        "Repeat the step and open it from outside, nobody inside. If it stays locked: a dead strike, no lock power, "
        "or the wrong output pin.",
    ),
    K.READER_SILENT: Text(
        "The reader {about} is silent.",
        "No power, data pair A/B swapped or cut, the wrong address or speed, or the reader is dead.",
    ),
    K.READER_UNSTEADY: Text(
        "The reader {about} answers, but its secure channel does not come up or stay up.",
        "Look at its cable, its supply and the line's ends (120 ohms at both), and another reader at its address.",
    ),
    K.READER_KEY: Text(
        "The reader {about} answers, but not with its key.",
        "It has another key or none: provision it ('doorward agent provision-reader'), or put its key file right.",
    ),
    K.READER_PORT: Text(
        "The serial port of the reader {about} cannot be opened.",
        "Look at the device's name in agent.yaml, its cable, and the rights of the agent's user.",
    ),
    K.READER_CROSSED: Text(
        "The badge held to reader {about} was read by reader {other_reader}.",
        "The two readers are crossed: swap cables, addresses or the doors in agent.yaml.",
    ),
    K.BADGE_GARBLED: Text(
        "The reader {about} sent something that is no card: {reason}.",
        "Data lines swapped, noise on a long cable without a shield, or a card format that is not listed.",
    ),
    K.BADGE_NOT_READ: Text(
        "The reader {about} read no badge.",
        "Try another badge of the kind the school uses; look whether the reader beeps by itself.",
    ),
    K.KEYPAD_SILENT: Text(
        "The keypad of {about} sent nothing.",
        "The reader may send whole PINs instead of single keys: set it to send each key.",
    ),
    K.KEYPAD_WRONG: Text(
        "The keypad of {about} sent other keys than were pressed ({count} came).",
        "Set 'keypad' in agent.yaml to what the reader sends (4-bit or 8-bit).",
    ),
    K.REX_STUCK: Text(
        "The exit button (REX) reads pressed all the time.",
        "A jammed button, a shorted wire, a sensor that looks at something that moves, or normally_closed set wrong.",
    ),
    K.REX_DEAD: Text(
        "The exit button (REX) was not heard.",
        "Look at its wire and pin. Egress must work without it; try the door from inside.",
    ),
    K.REX_REVERSED: Text(
        "The exit button (REX) is reversed: it reads pressed at rest and not while pressed.",
        "Set normally_closed of the rex in agent.yaml, or use the button's other terminal.",
    ),
    K.EGRESS_HELD: Text(
        "The exit button was pressed and the magnet did not let go within a second.",
        "Take this door out of use until it does: the button must cut the magnet's supply by itself.",
    ),
    K.TAMPER_OPEN: Text(
        "The tamper switch reads open while the cover is on.",
        "Put the cover on properly; then look for a cut wire, or normally_closed set wrong.",
    ),
    K.TAMPER_DEAD: Text(
        "The tamper switch was not heard when the cover came off.",
        "It is not wired, bridged at the terminal, or on another pin.",
    ),
    K.TAMPER_REVERSED: Text(
        "The tamper switch is reversed: it reads open with the cover on.",
        "Set normally_closed of the tamper in agent.yaml, or use the switch's other terminal.",
    ),
    K.NOT_SECURE_AT_END: Text(
        "At the end the door is not proven locked.",
        "Shut it, and see the findings before this one. Do not leave it so.",
    ),
    K.FIRE_ACTIVE: Text(
        "The fire input calls for release.",
        "If there is no alarm: the loop is cut or its relay's other terminal is used. Flagged doors stay open.",
    ),
    K.PANIC_PRESSED: Text(
        "The panic button reads pressed.",
        "Release it; else its loop is cut or shorted, or normally_closed is set wrong.",
    ),
    K.MAINS_FAILED: Text(
        "The power supply reports no mains.",
        "Look at the supply's fuse and at the wiring of its mains contact.",
    ),
    K.BATTERY_LOW: Text(
        "The power supply reports a bad battery.",
        "Measure it under load; else look at the wiring of its battery contact.",
    ),
}

_EXPLAINS: dict[K, frozenset[K]] = {
    K.CONTACT_REVERSED: frozenset({K.CONTACT_OPEN}),
    K.CONTACT_DEAD: frozenset({K.CONTACT_OPEN, K.CONTACT_NOT_BACK}),
    K.SWAPPED: frozenset(
        {
            K.CONTACT_OPEN,
            K.CONTACT_DEAD,
            K.CONTACT_NOT_BACK,
            K.CONTACT_REVERSED,
            K.BOLT_STAYS,
            K.BOLT_NOT_THROWN,
            K.BOLT_SLOW,
            K.BOLT_BOUNCES,
            K.LATCH_NOT_CAUGHT,
            K.UNSTEADY,
            K.NOT_HELD,
            K.NOT_SECURE_AT_END,
        }
    ),
    K.BOLT_STAYS: frozenset({K.BOLT_NOT_THROWN, K.LATCH_NOT_CAUGHT, K.NOT_SECURE_AT_END}),
    K.LOCK_CROSSED: frozenset({K.BOLT_STAYS, K.BOLT_NOT_THROWN, K.LATCH_NOT_CAUGHT, K.NOT_SECURE_AT_END}),
    K.LOCK_INVERTED: frozenset(
        {K.BOLT_OPPOSITE, K.NOT_HELD, K.BOLT_NOT_THROWN, K.BOLT_SLOW, K.LATCH_NOT_CAUGHT, K.NOT_SECURE_AT_END}
    ),
    K.BOLT_REVERSED: frozenset(
        {K.BOLT_OPPOSITE, K.BOLT_NOT_THROWN, K.BOLT_SLOW, K.LATCH_NOT_CAUGHT, K.NOT_SECURE_AT_END}
    ),
    K.BOLT_SLOW: frozenset({K.LATCH_NOT_CAUGHT, K.NOT_SECURE_AT_END}),
    K.LATCH_NOT_CAUGHT: frozenset({K.NOT_SECURE_AT_END, K.BOLT_NOT_THROWN}),
    K.REX_REVERSED: frozenset({K.REX_STUCK, K.REX_DEAD}),
    K.TAMPER_REVERSED: frozenset({K.TAMPER_OPEN, K.TAMPER_DEAD}),
}

_OF_INPUT: dict[Sensor, frozenset[K]] = {
    Sensor.CONTACT: frozenset({K.CONTACT_OPEN, K.CONTACT_DEAD, K.CONTACT_NOT_BACK, K.NOT_SECURE_AT_END}),
    Sensor.BOLT: frozenset({K.BOLT_NOT_THROWN, K.BOLT_STAYS, K.LATCH_NOT_CAUGHT, K.NOT_SECURE_AT_END}),
    Sensor.REX: frozenset({K.REX_DEAD, K.REX_STUCK}),
    Sensor.TAMPER: frozenset({K.TAMPER_DEAD, K.TAMPER_OPEN}),
}
_NOT_THIS_INPUT = frozenset({K.LINE_CUT, K.LINE_SHORT, K.NO_READING, K.CROSSED})


_NAMES: dict[str, str] = {
    Sensor.CONTACT: "door contact",
    Sensor.BOLT: "bolt monitor",
    Sensor.REX: "exit button (REX)",
    Sensor.TAMPER: "tamper switch",
    Sensor.FIRE: "fire input",
    Sensor.PANIC: "panic button",
    Sensor.MAINS: "mains contact",
    Sensor.BATTERY: "battery contact",
}


def text(finding: Finding) -> Text:
    """A finding in words."""
    found = TEXTS[finding.kind]
    words = {"about": _NAMES.get(finding.about, finding.about), **finding.detail}
    return Text(found.what.format_map(words), found.look_at)


def is_hint(finding: Finding) -> bool:
    """Whether a finding counts only if another step repeats it: two inputs that moved together once."""
    return finding.kind is K.TIED and int(finding.detail["times"]) < 2


def root_causes(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """A door's findings, each once, less those that only follow from another of them."""
    once: dict[tuple[K, str], Finding] = {}
    for finding in _confirmed(tuple(findings)):
        once.setdefault((finding.kind, finding.about), finding)
    _name_the_inversion(once)
    kinds = {kind for kind, _ in once}
    explained: set[K] = set()
    for kind in kinds:
        explained |= _EXPLAINS.get(kind, frozenset())
    for finding in once.values():
        if finding.kind in _NOT_THIS_INPUT and finding.about in list(Sensor):
            explained |= _OF_INPUT.get(Sensor(finding.about), frozenset())
            if finding.kind in {K.LINE_CUT, K.LINE_SHORT}:
                explained.add(K.NO_READING)
    return tuple(finding for finding in once.values() if finding.kind not in explained)


def _confirmed(findings: tuple[Finding, ...]) -> Iterable[Finding]:
    hints = Counter(_tie(finding) for finding in findings if is_hint(finding))
    return (finding for finding in findings if not is_hint(finding) or hints[_tie(finding)] > 1)


def _tie(finding: Finding) -> tuple[object, ...]:
    return finding.about, finding.detail["other_door"], finding.detail["other_sensor"]


def _name_the_inversion(once: dict[tuple[K, str], Finding]) -> None:
    """A bolt that does the opposite is the lock's fault if the door could be opened, else the monitor's."""
    if not any(kind is K.BOLT_OPPOSITE for kind, _ in once):
        return
    held = not any(kind is K.NOT_HELD for kind, _ in once)
    kind = K.BOLT_REVERSED if held else K.LOCK_INVERTED
    once[kind, ""] = Finding(kind)
