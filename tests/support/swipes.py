"""Cards and keys at the readers of a real agent, as its reader families report them, without a reader."""

from drivers.readers import CardRead, KeyPress
from edge_agent.access.desk import ReaderPlace
from edge_agent.agent import Agent
from edge_agent.agent_yaml.wiring import Passage
from protocol.words import Alarm


def swipe(agent: Agent, door: str, bits: int, data: bytes, *, age_ms: int = 0) -> None:
    """A card at the door's reader "<door>-in", which need not be wired, read so long ago."""
    agent.desk.hear_reader(CardRead(_reader(agent, door), bits, data, _at(agent, age_ms)))


def press(agent: Agent, door: str, keys: str) -> None:
    """Keys at the door's reader "<door>-in", which need not be wired."""
    agent.desk.hear_reader(KeyPress(_reader(agent, door), keys, _at(agent)))


def reader_alarms(agent: Agent, door: str) -> set[tuple[str, Alarm]]:
    """(reader, alarm) of every alarm that is on for a reader of the door."""
    return {
        (dict(source)["reader"], alarm) for alarm, source in agent.alarms.sources(door) if "reader" in dict(source)
    }


def _at(agent: Agent, age_ms: int = 0) -> float:
    return (agent.clock.mono_ms() - age_ms + 0.5) / 1000  # the half keeps the whole milliseconds exact


def _reader(agent: Agent, door: str) -> str:
    reader = f"{door}-in"
    agent.desk.places.setdefault(reader, ReaderPlace(door, Passage.IN))
    return reader
