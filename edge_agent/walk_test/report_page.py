"""The report as one HTML file: no script, nothing from elsewhere, made to be printed in black and white and signed.

It carries the JWS it was made from, so that it can be checked: made again from that, it must be equal to the byte.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape

from edge_agent.walk_test.report import Report, ReportedDoor, ReportedStep, fingerprint, verify
from edge_agent.walk_test.words import Verdict
from protocol.messages import TrustedKey
from protocol.refusal import Reason, Refused

_MARKS = {
    Verdict.PASSED: "✓ passed",
    Verdict.FAILED: "✗ FAILED",
    Verdict.SKIPPED: "- skipped",
    Verdict.NOT_REACHED: "- not done",
}

_STYLE = """
@page { size: letter; margin: 16mm 14mm; }
* { box-sizing: border-box; }
body { font: 10.5pt/1.4 "Liberation Sans", Arial, sans-serif; color: #000; background: #fff; max-width: 190mm;
  margin: 0 auto; padding: 6mm; }
h1 { font-size: 19pt; margin: 0 0 1mm; }
h2 { font-size: 13pt; margin: 0; }
h3 { font-size: 10.5pt; margin: 3mm 0 1mm; }
p { margin: 0 0 2mm; }
dl { display: grid; grid-template-columns: 34mm 1fr; margin: 3mm 0; gap: 0.5mm 3mm; }
dt { color: #333; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 1mm 2mm; border-bottom: 0.3mm solid #999; }
th { border-bottom: 0.5mm solid #000; }
.steps, .passed { table-layout: fixed; }
.steps th:first-child { width: 46mm; }
.passed th:first-child { width: 46mm; }
.verdict { white-space: nowrap; width: 26mm; }
.time { white-space: nowrap; width: 24mm; }
.failed { font-weight: bold; }
.overall { border: 0.7mm solid #000; padding: 3mm; font-size: 13pt; font-weight: bold; margin: 4mm 0; }
section { border-top: 0.8mm solid #000; margin-top: 6mm; padding-top: 2mm; }
.head { display: flex; justify-content: space-between; gap: 4mm; break-after: avoid; }
.finding { border: 0.5mm solid #000; border-left-width: 2.5mm; padding: 2mm 3mm; margin: 2mm 0; break-inside: avoid; }
.finding p { margin: 0; }
tr, .sign { break-inside: avoid; }
thead { display: table-header-group; }
code { font: 9pt/1.3 "Liberation Mono", monospace; overflow-wrap: anywhere; }
.sign { margin-top: 8mm; border-top: 0.8mm solid #000; padding-top: 2mm; }
.lines { display: grid; grid-template-columns: 1fr 1fr 40mm; gap: 12mm 8mm; margin-top: 14mm; }
.lines div { border-top: 0.3mm solid #000; padding-top: 1mm; font-size: 9pt; }
.jws { display: none; }
@media print { body { padding: 0; max-width: none; } }
@media screen and (max-width: 150mm) { section { overflow-x: auto; } .steps, .passed { min-width: 120mm; } }
"""


def render(signed: bytes, key: TrustedKey) -> str:
    """The page of a signed report. Raises :class:`Refused` if the key has not signed it."""
    report = verify(signed, key)
    title = f"Walk test {report.site}/{report.agent}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body>",
        _header(report, title),
        _summary(report),
        *(_door(door) for door in report.doors if door.verdict is not Verdict.PASSED),
        _passed([door for door in report.doors if door.verdict is Verdict.PASSED]),
        _signing(report, signed, key),
        f'<pre class="jws">{signed.decode().strip()}</pre>',
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def verify_page(page: str, key: TrustedKey) -> Report:
    """The report of a page that shows what the key has signed and nothing else. Raises :class:`Refused`."""
    found = re.search(r'<pre class="jws">([A-Za-z0-9_.-]+)</pre>', page)
    if found is None:
        raise Refused(Reason.NOT_SIGNED, "the page carries no signed report")
    signed = found[1].encode()
    report = verify(signed, key)
    if render(signed, key) != page:
        raise Refused(Reason.BAD_SIGNATURE, "the page does not show what was signed: it was altered, or made by "
                      "another version of this program; check the .jws file instead")  # fmt: skip
    return report


def _header(report: Report, title: str) -> str:
    failed = [door for door in report.doors if door.verdict is not Verdict.PASSED]
    walked = [door for door in report.doors if door.door]
    if not failed:
        overall = f"✓ PASSED: all {len(walked)} doors walked."
    else:
        findings = sum(len(door.findings) for door in report.doors)
        passed = sum(door.verdict is Verdict.PASSED for door in walked)
        overall = f"✗ NOT PASSED: {passed} of {len(walked)} doors passed, {findings} to look at."
    left_out = ", ".join(report.left_out) or "none"
    rows = {
        "School": report.site,
        "Agent": report.agent,
        "Walked by": report.by,
        "Began": _when(report.began_ms),
        "Ended": _when(report.ended_ms) + ("" if report.clock_trusted else " (the clock was not set)"),
        "Doors left out": left_out,
        "Software": report.software,
    }
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
    return f'<h1>{escape(title)}</h1>\n<dl>{listed}</dl>\n<p class="overall">{escape(overall)}</p>'


def _summary(report: Report) -> str:
    found = [(door, finding) for door in report.doors for finding in door.findings]
    if not found:
        return ""
    rows = "".join(f"<tr><td>{escape(door.name)}</td><td>{escape(finding.what)}</td></tr>" for door, finding in found)
    return f"<h3>To look at</h3>\n<table><thead><tr><th>Door</th><th>Found</th></tr></thead>{rows}</table>"


def _door(door: ReportedDoor) -> str:
    findings = "".join(
        f'<div class="finding"><p><b>{escape(finding.what)}</b></p><p>Look at: {escape(finding.look_at)}</p></div>'
        for finding in door.findings
    )
    rows = "".join(_step(step) for step in door.steps)
    return (
        f'<section><div class="head"><h2>{escape(_name(door))}</h2><h2>{_MARKS[door.verdict]}</h2></div>\n{findings}'
        f'<table class="steps"><thead><tr><th>Step</th><th class="verdict">Result</th><th class="time">Bolt</th>'
        f"<th>Seen</th></tr></thead>{rows}</table></section>"
    )


def _passed(doors: list[ReportedDoor]) -> str:
    """Doors that passed whole, a line each."""
    if not doors:
        return ""
    rows = "".join(
        f"<tr><td>{escape(_name(door))}</td><td>{escape(_tested(door))}</td>"
        f'<td class="time">{_took(door, "retract_ms")}</td><td class="time">{_took(door, "throw_ms")}</td></tr>'
        for door in doors
    )
    return (
        '<section><div class="head"><h2>Passed whole</h2></div><table class="passed"><thead><tr><th>Door</th>'
        f'<th>Tested</th><th class="time">Bolt back</th><th class="time">Bolt out</th></tr></thead>{rows}'
        "</table></section>"
    )


def _tested(door: ReportedDoor) -> str:
    titles = (step.title if step.reader is None else f"{step.title} {step.reader}" for step in door.steps)
    return ", ".join(title.lower() if number else title for number, title in enumerate(titles))


def _took(door: ReportedDoor, name: str) -> str:
    """The bolt's time; the longest, if it was seen to move more than once."""
    times = [step.measured[name] for step in door.steps if name in step.measured]
    return f"{max(times)} ms" if times else "not seen" if door.door else ""


def _name(door: ReportedDoor) -> str:
    if not door.door:
        return "The board's own inputs"
    return door.name if door.name == door.door else f"{door.name} ({door.door})"


def _step(step: ReportedStep) -> str:
    title = step.title if step.reader is None else f"{step.title}: {step.reader}"
    measured = ", ".join(f"{value} ms" for value in step.measured.values())
    style = "verdict failed" if step.verdict is Verdict.FAILED else "verdict"
    return (
        f'<tr><td>{escape(title)}</td><td class="{style}">{_MARKS[step.verdict]}</td>'
        f'<td class="time">{measured}</td><td>{escape(step.note)}</td></tr>'
    )


def _signing(report: Report, signed: bytes, key: TrustedKey) -> str:
    return (
        '<div class="sign"><h2>Signed</h2>'
        f"<p>By the agent's key <b>{escape(key.kid)}</b>, public half <code>{escape(key.x)}</code>.</p>"
        f"<p>Fingerprint (SHA-256) of the signed report: <code>{fingerprint(signed)}</code></p>"
        f"<p>Wiring tested: <code>{escape(report.wiring[:16])}</code>. "
        "To check: <code>doorward agent walk-test AGENT.YAML --verify FILE</code></p>"
        '<div class="lines"><div>Walked by (signature)</div><div>Name</div><div>Date</div>'
        "<div>Accepted by (signature)</div><div>Name</div><div>Date</div></div></div>"
    )


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
