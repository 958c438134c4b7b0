"""Checks, for root, whether the agent's user can read the files that the configuration names.

The agent runs as the owner of its configuration's folder; a key made under sudo may belong to root alone, and the
agent then does not start.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from edge_agent.agent_yaml import forms
from ground.problems import Report

BROKER_FILES = ("password_file", "ca_file", "cert_file", "key_file")


def check(form: forms.AgentForm, at: Path, report: Report) -> None:
    """Report every file that the owner of its folder cannot read. Does nothing unless run by root."""
    if os.geteuid() != 0:
        return
    for field, path in _files(form, at, report.file):
        if report.broken(field):
            continue
        try:
            found, owner = path.stat(), path.parent.stat().st_uid
        except OSError:
            continue  # reported already by the part that reads it
        if not _readable(found, owner):
            problem = f"{path} cannot be read by {_name(owner)}, whose folder it is in"
            report.error(field, problem, f"sudo chown --reference={path.parent} {path}")


def _files(form: forms.AgentForm, at: Path, file: Path) -> Iterator[tuple[str, Path]]:
    yield "", file
    yield "key_file", at / form.key_file
    yield "credential_key_file", at / form.credential_key_file
    for name in BROKER_FILES:
        text = getattr(form.broker, name)
        if text is not None:
            yield f"broker.{name}", at / text
    for n, line in enumerate(form.reader_lines):
        for m, reader in enumerate(line.readers):
            yield f"reader_lines[{n}].readers[{m}].key_file", at / reader.key_file


def _readable(found: os.stat_result, uid: int) -> bool:
    if uid == 0:
        return True
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IRUSR)
    return bool(found.st_mode & (stat.S_IRGRP if found.st_gid in _groups(uid) else stat.S_IROTH))


def _groups(uid: int) -> list[int]:
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return []
    return os.getgrouplist(user.pw_name, user.pw_gid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
