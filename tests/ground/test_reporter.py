"""A part reports a value to whichever parts listen: at once, to each, in the order in which they came to listen."""

from dataclasses import dataclass

import pytest

from ground.reporter import Reporter


@dataclass(frozen=True)
class Rang:
    times: int


@dataclass(frozen=True)
class Fell:
    """The bell is on the floor."""


class Bell(Reporter[Rang | Fell]):
    def ring(self, times: int) -> None:
        self._report(Rang(times))

    def fall(self) -> None:
        self._report(Fell())


def test_every_listener_has_a_value_before_the_report_returns_in_the_order_of_registration() -> None:
    bell, heard = Bell(), []
    bell.ring(1)
    bell.listen(lambda value: heard.append(("first", value)))
    bell.listen(lambda value: heard.append(("second", value)))
    bell.ring(2)
    assert heard == [("first", Rang(2)), ("second", Rang(2))]


def test_one_who_asks_for_one_kind_is_called_for_no_other() -> None:
    bell, falls = Bell(), []
    bell.when(Fell, lambda: falls.append(True))
    bell.ring(1)
    assert not falls
    bell.fall()
    assert falls == [True]


def test_what_a_listener_raises_reaches_the_reporter() -> None:
    bell = Bell()
    bell.when(Fell, lambda: 1 // 0)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        bell.fall()
