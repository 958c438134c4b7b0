"""The report of a walk test: what passed, what failed, where to look; signed with the agent's key.

The JWS is the document. The JSON beside it is its payload for programs, and the HTML is made from it alone, so that
both can be checked against it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.walk_test.findings import is_hint, root_causes, text
from edge_agent.walk_test.progress import Progress
from edge_agent.walk_test.prompts import TITLES
from edge_agent.walk_test.words import DoorFacts, Finding, Step, StepResult, Verdict
from protocol.messages import TrustedKey
from protocol.refusal import Reason, Refused
from protocol.signing import Keyring, SigningKey

TYPE = "doorward-walk-test+jws"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    """A finding in words."""

    kind: str
    about: str
    what: str
    look_at: str


@dataclass(frozen=True, slots=True)
class ReportedStep:
    """One step, as the report has it."""

    step: str
    title: str
    reader: str | None
    verdict: Verdict
    measured: Mapping[str, int]  # milliseconds
    note: str
    at_ms: int | None  # UTC; None: not reached


@dataclass(frozen=True, slots=True)
class ReportedDoor:
    """One door; "" is the agent itself."""

    door: str
    name: str
    verdict: Verdict
    bolt_limit_ms: int | None
    steps: tuple[ReportedStep, ...]
    findings: tuple[ReportedFinding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole walk test."""

    format: int
    site: str
    agent: str
    by: str
    began_ms: int  # UTC
    ended_ms: int
    clock_trusted: bool
    software: str
    wiring: str  # digest
    doors: tuple[ReportedDoor, ...]
    left_out: tuple[str, ...]  # doors of the agent that were not walked

    @property
    def verdict(self) -> Verdict:
        """PASSED only if every door of it passed whole."""
        return _worst(door.verdict for door in self.doors)


def make_report(
    config: AgentFile,
    progress: Progress,
    plans: Iterable[tuple[str, tuple[Step, ...]]],
    *,
    names: Mapping[str, str],
    facts: Mapping[str, DoorFacts],
    ended_ms: int,
    clock_trusted: bool,
    software: str,
) -> Report:
    """The report of some doors' plans and the progress of the walk. Times are UTC."""
    doors = tuple(_door(door, steps, progress, names, facts) for door, steps in plans)
    walked = {door.door for door in doors}
    return Report(
        format=FORMAT,
        site=config.site,
        agent=config.agent,
        by=progress.by,
        began_ms=progress.began_ms,
        ended_ms=ended_ms,
        clock_trusted=clock_trusted,
        software=software,
        wiring=progress.wiring,
        doors=doors,
        left_out=tuple(wiring.door for wiring in config.doors if wiring.door not in walked),
    )


def _door(
    door: str,
    steps: tuple[Step, ...],
    progress: Progress,
    names: Mapping[str, str],
    facts: Mapping[str, DoorFacts],
) -> ReportedDoor:
    results = [(step, progress.result(step)) for step in steps]
    found = root_causes(finding for _, result in results if result for finding in result.findings)
    verdicts = [result.verdict if result else Verdict.NOT_REACHED for _, result in results]
    fitted = door in facts and facts[door].bolt_fitted
    return ReportedDoor(
        door=door,
        name=names.get(door, door),
        verdict=Verdict.FAILED if found else _worst(verdicts),
        bolt_limit_ms=facts[door].bolt_ms if fitted else None,
        steps=tuple(_step(step, result) for step, result in results),
        findings=tuple(_finding(finding) for finding in found),
    )


def _step(step: Step, result: StepResult | None) -> ReportedStep:
    result = result or StepResult(step.key, Verdict.NOT_REACHED)
    note = result.why or " ".join(text(finding).what for finding in result.findings if not is_hint(finding))
    return ReportedStep(
        step=step.kind,
        title=TITLES[step.kind],
        reader=step.reader,
        verdict=result.verdict,
        measured=result.measured,
        note=note,
        at_ms=result.at_ms or None,
    )


def _finding(finding: Finding) -> ReportedFinding:
    what, look_at = text(finding)
    return ReportedFinding(finding.kind, finding.about, what, look_at)


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    order = (Verdict.FAILED, Verdict.NOT_REACHED, Verdict.SKIPPED, Verdict.PASSED)
    return min(verdicts, key=order.index, default=Verdict.PASSED)


# --- signed -----------------------------------------------------------------------------------------------------


def encode(report: Report) -> bytes:
    return msgspec.json.format(msgspec.json.encode(report), indent=2)


def sign(report: Report, key: SigningKey) -> bytes:
    return key.sign_bytes(TYPE, encode(report))


def verify(signed: bytes, key: TrustedKey) -> Report:
    """The report in a JWS that this key has signed. Raises :class:`Refused`."""
    payload = Keyring([key]).open_bytes(TYPE, signed.strip())
    try:
        report = msgspec.json.decode(payload, type=Report)
    except msgspec.MsgspecError as error:
        raise Refused(Reason.MALFORMED, f"not a walk test of format {FORMAT}: {error}") from None
    if (key.site, key.agent) != (None, None) and (report.site, report.agent) != (key.site, key.agent):
        raise Refused(Reason.NOT_ALLOWED, f"{key.kid!r} may not sign for {report.site}/{report.agent}")
    return report


def fingerprint(signed: bytes) -> str:
    """SHA-256 of the JWS in groups that can be compared by eye."""
    digest = hashlib.sha256(signed.strip()).hexdigest()
    return " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))
