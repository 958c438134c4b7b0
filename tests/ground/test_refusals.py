"""Refusals are all counted, and reported so that no sender can fill a log."""

from hypothesis import given
from hypothesis import strategies as st

from ground.refusals import MOST_SOURCES, REPORT_EVERY_MS, RefusalCount


def test_the_first_of_a_kind_is_reported_and_the_next_minute_is_held_back() -> None:
    count = RefusalCount()
    assert count.note("topic", "malformed", 0) == 0
    assert [count.note("topic", "malformed", at) for at in (1, 2, REPORT_EVERY_MS - 1)] == [None] * 3
    assert count.note("topic", "malformed", REPORT_EVERY_MS) == 3
    assert count.note("topic", "malformed", REPORT_EVERY_MS + 1) is None


def test_another_source_and_another_reason_are_reported_by_themselves() -> None:
    count = RefusalCount()
    assert [count.note(*kind, 0) for kind in (("a", "x"), ("b", "x"), ("a", "y"))] == [0, 0, 0]


def test_what_is_reported_by_other_means_is_counted_too() -> None:
    count = RefusalCount()
    count.count("duplicate")
    count.note("topic", "malformed", 0)
    assert count.by_reason() == {"duplicate": 1, "malformed": 1}


@given(st.lists(st.tuples(st.text(max_size=2), st.sampled_from(["x", "y"]), st.integers(0, 10_000))))
def test_every_refusal_is_counted_and_every_one_held_back_is_reported_in_the_end(
    noted: list[tuple[str, str, int]],
) -> None:
    count, now_ms, reported = RefusalCount(), 0, 0
    for source, reason, later_ms in noted:
        now_ms += later_ms
        held_back = count.note(source, reason, now_ms)
        reported += 0 if held_back is None else held_back + 1
    for source, reason, _ in dict.fromkeys((source, reason, 0) for source, reason, _ in noted):
        held_back = count.note(source, reason, now_ms + REPORT_EVERY_MS)
        assert held_back is not None
        reported += held_back + 1
    assert reported == sum(count.by_reason().values())


def test_memory_is_bounded_whatever_sources_are_named() -> None:
    count = RefusalCount()
    for number in range(3 * MOST_SOURCES):
        assert count.note(f"topic/{number}", "malformed", 0) == 0
    assert len(count._reported) <= MOST_SOURCES
    assert count.by_reason() == {"malformed": 3 * MOST_SOURCES}
