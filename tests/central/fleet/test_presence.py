"""The comings and goings of agents are written into the records, each once."""

from pathlib import Path

from sqlalchemy import select

from central.events.ingest import Ingest
from central.fleet.fleet import SILENT_MS
from central.fleet.presence import record_presence
from central.records.engine import open_records
from central.records.schema import agent_presence
from tests.central.databases import sqlite_url
from tests.central.fleets import District, Speaker


def test_an_agent_that_comes_falls_silent_and_comes_again_is_three_rows(tmp_path: Path) -> None:
    engine = open_records(sqlite_url(tmp_path))
    ingest = Ingest(engine)
    ingest.start()
    district = District()
    record_presence(district.fleet, ingest)
    speaker = Speaker(district, "east", ("front", "gym"))
    speaker.say()
    speaker.say()
    district.wait(SILENT_MS + 1_000)
    speaker.say()
    assert ingest.flush(15)
    with engine.connect() as connection:
        rows = connection.execute(select(agent_presence).order_by(agent_presence.c.id)).all()
    assert [(row.agent, bool(row.alive)) for row in rows] == [("east", True), ("east", False), ("east", True)]
    assert [row.at_ms for row in rows] == sorted(row.at_ms for row in rows)
    ingest.close()
    engine.dispose()
