"""Leaves out the readers whose keys cannot be used: one bad key file must not cost a school its doors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edge_agent.agent_yaml.agent_file import AgentFile
from edge_agent.agent_yaml.wiring import UnkeyedReader
from ground.problems import Problem


def without(config: AgentFile, errors: Iterable[Problem]) -> AgentFile | None:
    """The file without the readers whose keys are wrong; None if any error is about something else."""
    problems = {each.field: each for each in errors}
    lines = []
    unkeyed = []
    for n, line in enumerate(config.reader_lines):
        kept = []
        for m, reader in enumerate(line.readers):
            problem = problems.pop(f"reader_lines[{n}].readers[{m}].key_file", None)
            if problem is None:
                kept.append(reader)
            else:
                unkeyed.append(UnkeyedReader(reader.reader, reader.door, str(problem)))
        if kept:
            lines.append(replace(line, readers=tuple(kept)))
    return None if problems else replace(config, reader_lines=tuple(lines), unkeyed=tuple(unkeyed))
