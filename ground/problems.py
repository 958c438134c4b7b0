"""All problems of a configuration: one a line, each with file, line, field and a cure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST_LISTED = 100
"""Problems in one message; one mistake in a district may make ten thousand."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file. ``field`` is written as in ``doors[0].lock.pin``; the first line is 1."""

    file: Path
    line: int
    field: str
    problem: str
    cure: str
    warning: bool = False
    """Dubious, but the file loads."""

    def __str__(self) -> str:
        end = f"; {self.cure}" if self.cure else ""
        warning = "warning: " if self.warning else ""
        return f"{self.file}:{self.line}: {self.field or 'the file'}: {warning}{self.problem}{end}"


class ConfigError(ValueError):
    """The configuration cannot be used. The message has one line a problem: file, line, field, problem; cure."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class Report:
    """Gathers the problems of one file.

    ``lines`` gives the line of a field, and ``locate`` that of a field which is not in ``lines``.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.lines: dict[str, int] = {"": 1}
        self.locate: Callable[[str], int] | None = None
        self._problems: list[Problem] = []
        self._broken: set[str] = set()

    def error(self, field: str, problem: str, cure: str = "", *, of: Iterable[str] = ()) -> None:
        """Report that the file cannot be used because of ``field``.

        Only the first error of a field counts, and none if a field around it is wrong. ``of``: other fields that the
        problem depends on; if one of them is wrong itself, this is not reported yet.
        """
        if any(self.broken(each) for each in (field, *of)):
            return
        self._broken.add(field)
        self._add(field, problem, cure, warning=False)

    def also(self, field: str, problem: str, cure: str = "") -> None:
        """Report a mistake that breaks no other field: a field that does not exist, say."""
        self._add(field, problem, cure, warning=False)

    def warn(self, field: str, problem: str, cure: str = "", *, of: Iterable[str] = ()) -> None:
        """Report that ``field`` is dubious."""
        if not any(self.broken(each) for each in (field, *of)):
            self._add(field, problem, cure, warning=True)

    def broken(self, field: str) -> bool:
        """Whether a field, or one around it, is known to be wrong; its value then means nothing."""
        return any(each in self._broken for each in _around(field))

    def broken_within(self, field: str) -> bool:
        """Whether a field or anything in it is known to be wrong."""
        return self.broken(field) or any(bad.startswith((f"{field}.", f"{field}[")) for bad in self._broken)

    def line(self, field: str) -> int:
        """The line of a field, or of the innermost field around it that the file has."""
        if self.locate is not None and field not in self.lines:
            return self.locate(field)
        return next(self.lines[each] for each in _around(field) if each in self.lines)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems, in the order of the file."""
        return tuple(sorted(self._problems, key=lambda each: each.line))

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems because of which the file cannot be used."""
        return tuple(each for each in self.problems if not each.warning)

    def refuse_errors(self) -> None:
        """Raise :class:`ConfigError` with all errors, if there are any."""
        if errors := self.errors:
            listed = [str(each) for each in errors[:MOST_LISTED]]
            if len(errors) > MOST_LISTED:
                listed.append(f"{self.file}: and {len(errors) - MOST_LISTED} more")
            raise ConfigError("\n".join(listed), errors)

    def _add(self, field: str, problem: str, cure: str, *, warning: bool) -> None:
        self._problems.append(Problem(self.file, self.line(field), field, problem, cure, warning))


def nearest(name: str, known: Sequence[str]) -> str:
    """The cure for a word that is none of those known."""
    meant = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{meant[0]}'?" if meant else f"write one of: {', '.join(known)}"


def _around(field: str) -> Iterator[str]:
    """A field, then those around it, from the inside out, to the whole file."""
    while field:
        yield field
        field = field[: max(field.rfind("."), field.rfind("["), 0)]
    yield ""


def as_json(problems: Iterable[Problem]) -> list[Mapping[str, object]]:
    """The problems as ``doorward agent check --json`` prints them."""
    return [
        {
            "file": str(each.file),
            "line": each.line,
            "field": each.field,
            "problem": each.problem,
            "cure": each.cure,
            "severity": "warning" if each.warning else "error",
        }
        for each in problems
    ]
