"""Divides the past into equal buckets of time. Pure; all times are UTC milliseconds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_POINTS = 2_000
"""The most points of a series: more than a screen has pixels."""

SHORTEST_RESOLUTION_MS = 1_000


class BadRange(ValueError):  # noqa: N818 - an answer to a person
    """A range or resolution that central cannot serve; the message says why and gives a cure."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """Equal spans from ``from_ms`` up to, not including, ``to_ms``; the last may be cut short."""

    from_ms: int
    to_ms: int
    resolution_ms: int

    def __post_init__(self) -> None:
        if self.from_ms < 0 or self.to_ms > 2**53:
            raise BadRange(f"from_ms {self.from_ms}, to_ms {self.to_ms}: expected UTC milliseconds since 1970")
        if self.from_ms >= self.to_ms:
            raise BadRange(f"from_ms {self.from_ms} is not before to_ms {self.to_ms}")
        if self.resolution_ms < SHORTEST_RESOLUTION_MS:
            raise BadRange(f"resolution_ms {self.resolution_ms}: expected {SHORTEST_RESOLUTION_MS} or more")
        if len(self) > MOST_POINTS:
            least = -(-(self.to_ms - self.from_ms) // MOST_POINTS)
            raise BadRange(
                f"{len(self)} points; at most {MOST_POINTS} are given: ask for a resolution_ms of {least} or more, "
                "or for a shorter range"
            )

    def __len__(self) -> int:
        return (self.to_ms - self.from_ms + self.resolution_ms - 1) // self.resolution_ms

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The beginning and end of each bucket."""
        for start in range(self.from_ms, self.to_ms, self.resolution_ms):
            yield start, min(start + self.resolution_ms, self.to_ms)

    def index(self, at_ms: int) -> int:
        """The bucket of a moment in the range."""
        return (at_ms - self.from_ms) // self.resolution_ms


@dataclass(frozen=True, slots=True)
class Since(Generic[T]):
    """A value that holds from a moment on."""

    at_ms: int
    value: T


@dataclass(slots=True)
class Lasted(Generic[T]):
    """The values in one bucket: how long each lasted (ms), and the last of them."""

    last: T
    ms: dict[T, int] = field(default_factory=dict)


def lasted(buckets: Buckets, initial: T, changes: Iterable[Since[T]], until_ms: int) -> list[Lasted[T]]:
    """How long each value lasted in each bucket. ``changes`` are in order; time after ``until_ms`` does not count."""
    found: list[Lasted[T]] = []
    waiting = iter(changes)
    following = next(waiting, None)
    value = initial
    for start, end in buckets:
        bucket = Lasted(value)
        at_ms, counted_to_ms = start, max(start, min(end, until_ms))
        while following is not None and following.at_ms < counted_to_ms:
            _add(bucket.ms, value, following.at_ms - at_ms)
            at_ms, value = max(at_ms, following.at_ms), following.value
            following = next(waiting, None)
        _add(bucket.ms, value, counted_to_ms - at_ms)
        bucket.last = value
        found.append(bucket)
    return found


def _add(sums: dict[T, int], value: T, ms: int) -> None:
    if ms > 0:
        sums[value] = sums.get(value, 0) + ms


def overlaid(initial: T, changes: Sequence[Since[T]], spans: Sequence[tuple[int, int]], value: T) -> list[Since[T]]:
    """The changes, with ``value`` throughout the spans (in order, not overlapping) instead of their own.

    A change exactly at a span's end stands.
    """
    result: list[Since[T]] = []
    current = initial
    rest = list(changes)
    for start, end in spans:
        while rest and rest[0].at_ms < start:
            current = rest[0].value
            result.append(rest.pop(0))
        result.append(Since(start, value))
        while rest and rest[0].at_ms < end:
            current = rest.pop(0).value
        result.append(Since(end, current))
    return result + rest
