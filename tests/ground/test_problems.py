"""Problems of a file: all of them, in its order, each once, and none that only follows from another."""

from pathlib import Path

import pytest

from ground.problems import ConfigError, Report, as_json

FILE = Path("agent.yaml")


def report() -> Report:
    made = Report(FILE)
    made.lines |= {"doors": 3, "doors[0]": 4, "doors[0].lock": 5, "doors[0].lock.pin": 6, "broker": 9}
    return made


def test_problems_are_listed_in_the_order_of_the_file_with_line_field_and_cure() -> None:
    found = report()
    found.error("broker", "has no host", "add 'host: …'")
    found.error("doors[0].lock.pin", "is used twice")
    assert [str(problem) for problem in found.problems] == [
        "agent.yaml:6: doors[0].lock.pin: is used twice",
        "agent.yaml:9: broker: has no host; add 'host: …'",
    ]


def test_a_field_that_is_missing_is_shown_on_the_line_of_what_it_stands_in() -> None:
    assert report().line("doors[0].lock.kind") == 5
    assert report().line("nothing.of.the.kind") == 1


def test_what_follows_from_a_mistake_is_not_told_again() -> None:
    found = report()
    found.error("doors[0].lock", "is no mapping")
    found.error("doors[0].lock.pin", "is missing")
    found.error("doors[0].lock", "has no kind")
    found.error("broker", "does not fit the lock", of=["doors[0].lock.kind"])
    assert len(found.problems) == 1
    assert (found.broken("doors[0].lock.pin"), found.broken("doors[0]")) == (True, False)
    assert found.broken_within("doors[0]")


def test_warnings_refuse_nothing_and_errors_are_raised_together() -> None:
    found = report()
    found.warn("broker", "is far away")
    found.refuse_errors()
    found.error("doors", "are none")
    found.also("doors[0].colour", "is unknown")
    with pytest.raises(ConfigError) as refused:
        found.refuse_errors()
    assert len(refused.value.problems) == len(str(refused.value).splitlines()) == 2
    assert [one["severity"] for one in as_json(found.problems)] == ["error", "error", "warning"]
