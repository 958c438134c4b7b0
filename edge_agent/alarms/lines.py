"""What a faulty supervised line is called when people read of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.supervised_line import LineState
from protocol.words import Alarm

_NAMES = {
    LineState.CUT: Alarm.LINE_CUT,
    LineState.SHORT: Alarm.LINE_SHORT,
    # A wrong resistor, a bad splice, a converter that does not answer.
    LineState.UNKNOWN: Alarm.NO_EVIDENCE,
}


def line_alarms(lines: Mapping[str, LineState]) -> dict[str, Alarm]:
    """The alarm of every faulty line: {input: alarm} from {input: state}."""
    return {name: _NAMES[line] for name, line in lines.items() if line in _NAMES}
