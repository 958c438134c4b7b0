"""Explains why a door is not proven under a declaration, in one sentence that a person can act on. Pure."""

from central.fleet.state import LiveDoor
from protocol.messages import DoorState
from protocol.words import Bolt, Condition, DoorMode

FAILED_CONDITIONS = frozenset({Condition.JAMMED, Condition.FORCED, Condition.HELD, Condition.TAMPERED})
"""Conditions that time does not mend: a person must go there."""

_SENTENCES = {
    Condition.OPEN: "open",
    Condition.FORCED: "forced open",
    Condition.HELD: "held open",
    Condition.JAMMED: "bolt did not throw",
    Condition.TAMPERED: "tamper switch open: its sensors prove nothing",
}


def why_not_proven(door: LiveDoor, declaration_id: str, topic: str, revision: int, now_ms: int) -> str:
    """The first obstacle between a door and its proof."""
    agent = door.agent
    if not agent.alive:
        return _silent(door, now_ms)
    if door.state is None:
        return f"agent {agent.agent} says nothing of this door: its configuration may lack it"
    if door.condition in _SENTENCES:
        return _SENTENCES[door.condition]
    if agent.applied.get(topic, 0) < revision:
        return f"agent {agent.agent} has not taken up the declaration yet"
    return _not_held(door.state, agent.agent, declaration_id) or _not_shown(door.state, door.condition)


def _not_held(state: DoorState, agent: str, declaration_id: str) -> str | None:
    if state.mode is not DoorMode.SECURED:
        return f"agent {agent} keeps it {state.mode}"
    if declaration_id not in state.declarations:
        return f"agent {agent} does not hold it under this declaration"
    return None


def _not_shown(state: DoorState, condition: Condition) -> str:
    evidence = state.evidence
    if condition is Condition.UNKNOWN:
        if evidence.contact is None or (evidence.bolt_fitted and evidence.bolt is None):
            return "its sensors do not answer"
        return "no fresh evidence from its sensors"
    if state.released:
        return "closed, its lock is released"
    if evidence.bolt is Bolt.RETRACTED:
        return "closed, bolt not thrown yet"
    return "closed, not latched yet"


def _silent(door: LiveDoor, now_ms: int) -> str:
    agent = door.agent
    if agent.reason == "stopped":
        return f"agent {agent.agent} was stopped"
    if agent.heard_ms is None:
        return f"agent {agent.agent} has not been heard"
    return f"no answer from agent {agent.agent} for {max(0, now_ms - agent.heard_ms) // 1000} s"
