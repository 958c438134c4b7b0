"""Shows the walk test at a terminal: short sentences, the time left, one key to answer. Works over ssh, uncoloured.

Reads single keys where standard input is a terminal, and lines where it is not.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator
from typing import TextIO

from edge_agent.walk_test.findings import is_hint, text
from edge_agent.walk_test.prompts import TITLES, Answer
from edge_agent.walk_test.words import Step, StepResult, Verdict

KEYS_LINE = "Enter: done   s: skip   r: repeat   q: stop, to go on later"
_CHUNK = 256
_ANSWERS = {"\n": Answer.DONE, "\r": Answer.DONE, "s": Answer.SKIP, "r": Answer.REPEAT, "q": Answer.QUIT}
_VERDICTS = {
    Verdict.PASSED: "   passed",
    Verdict.FAILED: "   FAILED",
    Verdict.SKIPPED: "   skipped",
    Verdict.NOT_REACHED: "   not done",
}


class Terminal:
    """Prompts on two streams. ``keys`` must have a file descriptor. Use :meth:`raw_keys` around the walk."""

    def __init__(self, keys: TextIO | None = None, out: TextIO | None = None) -> None:
        self._in = sys.stdin if keys is None else keys
        self._out = sys.stdout if out is None else out
        self._descriptor = self._in.fileno()
        self._single_keys = os.isatty(self._descriptor)
        self._is_terminal = self._out.isatty()
        self._count_shown = False
        self._answers: deque[Answer] = deque()

    @contextlib.contextmanager
    def raw_keys(self) -> Iterator[None]:
        """Read single keys without Enter, and restore the terminal at the end."""
        if not self._single_keys:
            yield
            return
        before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor)
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)

    def door(self, door: str, number: int, of: int) -> None:
        self._put(f"\n=== Door {number} of {of}: {door} ===")
        self._put(KEYS_LINE)

    def instruct(self, step: Step, text: str) -> None:
        self._forget_typed_ahead()
        self._put(f"\n{TITLES[step.kind]}. {text}")

    def time_left(self, step: Step, seconds: int) -> None:
        """Count in place; without a terminal, write a line every ten seconds."""
        del step
        if self._is_terminal:
            self._out.write(f"\r   {seconds:3d} s left ")
            self._out.flush()
            self._count_shown = True
        elif seconds % 10 == 0:
            self._put(f"   {seconds} s left")

    def result(self, step: Step, result: StepResult) -> None:
        """Show the verdict, the bolt's time, and where to look."""
        measured = "".join(f", {name.removesuffix('_ms')} {value} ms" for name, value in result.measured.items())
        self._put(f"{_VERDICTS[result.verdict]}{measured}{': ' if result.why else ''}{result.why}")
        for finding in result.findings:
            if is_hint(finding):
                continue
            what, look_at = text(finding)
            self._put(f"   ! {what}\n     Look at: {look_at}")
        if result.verdict is Verdict.FAILED:
            self._put("   Enter: go on   r: repeat this step   q: stop, to go on later")

    def say(self, text: str) -> None:
        self._put(text)

    def answer(self) -> Answer | None:
        """The next key that has a meaning. The end of input means to stop."""
        if not self._answers and self._readable():
            self._queue(os.read(self._descriptor, _CHUNK))
        return self._answers.popleft() if self._answers else None

    def _readable(self) -> bool:
        return bool(select.select([self._descriptor], [], [], 0)[0])

    def _queue(self, data: bytes) -> None:
        """Queue what was typed: each key of a terminal, else the first letter of each line."""
        if not data:
            self._answers.append(Answer.QUIT)
            return
        typed = data.decode(errors="replace").lower()
        keys = typed if self._single_keys else [line[:1] or "\n" for line in typed.splitlines()]
        self._answers += [_ANSWERS[key] for key in keys if key in _ANSWERS]

    def _forget_typed_ahead(self) -> None:
        """Drop what was typed before the question, except the wish to stop."""
        if not self._single_keys:
            return
        while self._readable() and Answer.QUIT not in self._answers:
            self._queue(os.read(self._descriptor, _CHUNK))
        stop = Answer.QUIT in self._answers
        self._answers.clear()
        if stop:
            self._answers.append(Answer.QUIT)

    def _put(self, text: str) -> None:
        if self._count_shown:
            self._out.write("\r                  \r")
            self._count_shown = False
        self._out.write(text + "\n")
        self._out.flush()
