import threading
from pathlib import Path

import pytest

from central.records.engine import open_records, writing
from central.records.turns import Turns

DEADLINE_S = 30


def test_turns_are_had_in_the_order_they_were_asked_for() -> None:
    turns = Turns()
    had: list[int] = []
    asked = threading.Semaphore(0)

    def have(number: int) -> None:
        asked.release()
        with turns.taken():
            had.append(number)

    with turns.taken():
        threads = []
        for number in range(20):
            thread = threading.Thread(target=have, args=(number,))
            thread.start()
            assert asked.acquire(timeout=DEADLINE_S)
            while len(turns._waiting) <= number:
                pass
            threads.append(thread)
        assert had == []
    for thread in threads:
        thread.join(DEADLINE_S)
    assert had == list(range(20))


def test_a_turn_is_given_back_after_a_fault() -> None:
    turns = Turns()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.taken():
            _ = 1 // 0
    with turns.taken():
        pass


def test_a_writer_that_never_pauses_lets_another_in_after_the_commit_under_way(tmp_path: Path) -> None:
    engine = open_records(f"sqlite:///{tmp_path}/r.db")
    enough, commits, begun = threading.Event(), [0], threading.Event()

    def ingest() -> None:
        while not enough.is_set():
            with writing(engine):
                begun.set()
                commits[0] += 1

    busy = threading.Thread(target=ingest)
    busy.start()
    try:
        assert begun.wait(DEADLINE_S)
        for _ in range(50):
            before = commits[0]
            with writing(engine):
                between = commits[0] - before
            assert between <= 2
    finally:
        enough.set()
        busy.join(DEADLINE_S)
        engine.dispose()
