"""Reads agent.yaml: who this agent is, where its broker is, and how its doors are wired.

What people change in central (names, schedules, credentials) is not here: it arrives signed, as the configuration
bundle. This reads the keys, once, so that a bad key file is found before any door is touched.
"""

from __future__ import annotations

from pathlib import Path

from edge_agent.agent_yaml import cards, checks, forms, machine, owners, pins, unkeyed
from edge_agent.agent_yaml.agent_file import AgentFile
from edge_agent.agent_yaml.build import build
from edge_agent.agent_yaml.keys import read_secret
from ground import yaml_forms
from ground.problems import ConfigError, Problem, Report

__all__ = ["AgentFile", "ConfigError", "Problem", "examine", "load", "load_to_serve", "read_secret"]


def load(path: Path) -> AgentFile:
    """Read and check a configuration and the key files it names.

    Raises :class:`ConfigError` with every mistake, one a line; each also in its ``problems``.
    """
    report = Report(path)
    _, config = _examine(path, report)
    report.refuse_errors()
    return config


def load_to_serve(path: Path) -> AgentFile:
    """As :func:`load`, but moves a reader whose key cannot be used to ``unkeyed``, so that the doors are held."""
    report = Report(path)
    _, config = _examine(path, report)
    served = unkeyed.without(config, report.errors)
    if served is None:
        report.refuse_errors()
    return served or config


def examine(path: Path, board: str | None = None) -> tuple[Problem, ...]:
    """Everything wrong with a configuration, and everything dubious, in the order of the file.

    ``board``: check the pins against this board in place of the one the file names.
    """
    report = Report(path)
    try:
        owners.check(_examine(path, report, board)[0], path.parent, report)
    except ConfigError as error:
        return error.problems
    return report.problems


def _examine(path: Path, report: Report, board: str | None = None) -> tuple[forms.AgentForm, AgentFile]:
    form = yaml_forms.read(path, forms.AgentForm, report)
    checks.check(form, report)
    cards.check(form, report)
    machine.check(form, path.parent, report)
    stack = machine.stack_of(form, report, board)
    pins.check(form, report, stack)
    if stack is not None:
        machine.check_serial(form, report, stack)
        if board is None:
            machine.check_model(report, stack)
    return form, build(form, path.parent, report)
