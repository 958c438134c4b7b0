"""Central is killed (SIGKILL) at the worst moments of a commit; the agent's outbox and the records agree again."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from central.events.ingest import Ingest
from central.records.engine import open_records
from central.records.schema import events
from tests.central.databases import sqlite_url
from tests.central.event_batches import batch

ROOT = Path(__file__).parents[3]

CHILD = """
import os, signal, sys
from sqlalchemy import event
from central.events.ingest import Ingest
from central.records.engine import open_records
from tests.central.event_batches import batch

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

url, moment = sys.argv[1:]
engine = open_records(url)
acks = []

def acknowledge(commit):
    (committed,) = commit.cursors.values()
    if committed == 30 and moment == "after the commit":
        die()
    acks.append(committed)
    print(committed, flush=True)

ingest = Ingest(engine)
ingest.listen(acknowledge)
ingest.start()
for first in (1, 11):
    ingest.offer("lincoln", "east", batch(range(first, first + 10)))
    assert ingest.flush(20)
if moment == "before the commit":
    event.listen(engine, "commit", die)
ingest.offer("lincoln", "east", batch(range(21, 31)))
ingest.flush(20)
"""


def crash(url: str, moment: str) -> int:
    """Run a central that dies at a moment of its third batch; what it acknowledged last."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, url, moment], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    return int(child.stdout.split()[-1])


@pytest.mark.parametrize(("moment", "on_disk"), [("before the commit", 20), ("after the commit", 30)])
def test_a_crash_around_the_commit_loses_and_repeats_nothing(tmp_path: Path, moment: str, on_disk: int) -> None:
    url = sqlite_url(tmp_path)
    acknowledged = crash(url, moment)
    assert acknowledged == 20  # in neither case was the third batch acknowledged, so the agent has it still

    engine = open_records(url)
    with engine.connect() as connection:
        assert list(connection.execute(select(events.c.seq)).scalars()) == list(range(1, on_disk + 1))
    acks: list[int] = []
    ingest = Ingest(engine)
    ingest.listen(lambda commit: acks.extend(commit.cursors.values()))
    ingest.start()
    ingest.offer("lincoln", "east", batch(range(acknowledged + 1, acknowledged + 16)))  # the agent sends again
    assert ingest.flush(20)
    ingest.close()
    assert acks[-1] == 35
    assert ingest.health().duplicates == on_disk - 20
    with engine.connect() as connection:
        assert list(connection.execute(select(events.c.seq).order_by(events.c.id)).scalars()) == list(range(1, 36))
    engine.dispose()
