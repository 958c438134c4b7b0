"""Records when central saw an agent come and go, for the history."""

from central.events.ingest import Ingest
from central.fleet.fleet import Fleet
from central.fleet.state import Changes


def record_presence(fleet: Fleet, ingest: Ingest) -> None:
    """From now on, pass every coming and going that the fleet sees to the records' writer."""

    def note(changes: Changes) -> None:
        for live in dict.fromkeys(changes.presence):
            ingest.note_presence(live.site, live.agent, alive=live.alive, at_ms=fleet.utc_at(changes.now_ms))

    fleet.listen(note)
