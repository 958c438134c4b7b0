"""Writes the report of a walk test: signed, as JSON, and as a page to print."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.walk_test.report import Report, encode, sign
from edge_agent.walk_test.report_page import render
from protocol.signing import SigningKey
from protocol.words import KeyRole


@dataclass(frozen=True, slots=True)
class Files:
    """A report on the disk."""

    signed: Path
    json: Path
    page: Path


def write(folder: Path, report: Report, key: SigningKey) -> Files:
    """Sign a report and write it, mode 0600, for it says which doors are weak. Never replaces another.

    Raises OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = datetime.fromtimestamp(report.ended_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    stem = f"walk-test-{report.site}-{report.agent}-{at}"
    files = Files(*(folder / f"{stem}.{suffix}" for suffix in ("jws", "json", "html")))
    signed = sign(report, key)
    page = render(signed, key.trusted(KeyRole.AGENT, site=report.site, agent=report.agent))
    for path, content in ((files.signed, signed + b"\n"), (files.json, encode(report)), (files.page, page.encode())):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    return files
