"""The instructions for the person at the door, and their answers. Words only; a terminal or a script shows them."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from edge_agent.walk_test.judge import KEYS
from edge_agent.walk_test.words import Step, StepKind, StepResult


class Answer(StrEnum):
    """What a person may answer at any time."""

    DONE = "done"  # Enter
    SKIP = "skip"
    REPEAT = "repeat"
    QUIT = "quit"  # and go on later


class Prompts(Protocol):
    """Shows the walk test to the person: a terminal, a script. No method may wait."""

    def door(self, door: str, number: int, of: int) -> None:
        """Show that the test of a door begins; ``number`` from 1."""

    def instruct(self, step: Step, text: str) -> None:
        """Show what the person must do, or what happens by itself."""

    def time_left(self, step: Step, seconds: int) -> None:
        """Show the seconds left of the step; called once a second."""

    def result(self, step: Step, result: StepResult) -> None:
        """Show how the step came out. After a failure the walk waits for done (to go on), repeat or quit."""

    def say(self, text: str) -> None:
        """Show something else that the person must know."""

    def answer(self) -> Answer | None:
        """The person's next answer since the last call, if any."""


TITLES: dict[StepKind, str] = {
    StepKind.INPUTS: "Fire, panic and power at rest",
    StepKind.REST: "At rest",
    StepKind.UNLOCK: "Unlock",
    StepKind.LOCK: "Lock",
    StepKind.PULL: "Pull while locked",
    StepKind.OPEN: "Open",
    StepKind.CLOSE: "Fall shut and latch",
    StepKind.BADGE: "Badge",
    StepKind.KEYPAD: "Keypad",
    StepKind.REX: "Exit button",
    StepKind.TAMPER: "Tamper switch",
    StepKind.END: "Locked at the end",
}

_INSTRUCTIONS: dict[StepKind, str] = {
    StepKind.INPUTS: "Looking at the fire, panic and power inputs.",
    StepKind.REST: "Shut the door, put all covers on, and keep everybody away from it. Then press Enter.",
    StepKind.UNLOCK: "The lock opens now. Do not touch the door.",
    StepKind.LOCK: "The lock closes now. Do not touch the door.",
    StepKind.PULL: "The door is locked. Pull at it from outside, without a badge. Then press Enter.",
    StepKind.OPEN: "The door is unlocked. Open it wide, from outside; if it stays locked, from inside.",
    StepKind.CLOSE: "Let the door fall shut by itself. Press Enter if nothing is noticed.",
    StepKind.BADGE: "Hold any badge to reader {reader}. Press Enter if nothing is noticed.",
    StepKind.KEYPAD: f"Press {' '.join(KEYS)} on the keypad of {{reader}} - not your PIN.",
    StepKind.REX: "Press the exit button (REX) and let go. Press Enter if nothing is noticed.",
    StepKind.TAMPER: "Take the cover off so that the tamper switch opens, and put it back. Press Enter if nothing "
    "is noticed.",
    StepKind.END: "Looking whether the door is locked.",
}

OPEN_FIRST = "First open the door again, wide."
READER_AWAITED = "Waiting for the reader to answer."
READER_INTERRUPTED = "The reader's line was disturbed: hold the badge to it once more."
SHUT_FIRST = "First shut the door. Press Enter if it is shut."


def instruction(step: Step) -> str:
    """The instruction of a step."""
    return _INSTRUCTIONS[step.kind].format(reader=step.reader)
