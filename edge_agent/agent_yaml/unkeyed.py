"""Goes on without the readers whose keys cannot be used: a school is not left without its doors for one key file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edge_agent.agent_yaml.agent_file import AgentFile
from edge_agent.agent_yaml.wiring import UnkeyedReader
from ground.problems import Problem


def without(config: AgentFile, errors: Iterable[Problem]) -> AgentFile | None:
    """The same without the readers that the errors are about; None if one is about anything else than their keys."""
    told = {each.field: each for each in errors}
    lines = []
    unkeyed = []
    for n, line in enumerate(config.reader_lines):
        kept = []
        for m, reader in enumerate(line.readers):
            problem = told.pop(f"reader_lines[{n}].readers[{m}].key_file", None)
            if problem is None:
                kept.append(reader)
            else:
                unkeyed.append(UnkeyedReader(reader.reader, reader.door, str(problem)))
        if kept:
            lines.append(replace(line, readers=tuple(kept)))
    return None if told else replace(config, reader_lines=tuple(lines), unkeyed=tuple(unkeyed))
