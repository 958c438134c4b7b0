"""Checks the card formats of Wiegand readers: known by name, sound, and distinguishable at each reader."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.wiegand.formats import FORMATS, CardFormat, Parity, check_together
from edge_agent.agent_yaml import forms
from edge_agent.agent_yaml.build import format_wiring
from edge_agent.agent_yaml.wiring import KeypadKind, WiegandFormatWiring
from ground.problems import Report, nearest


def check(form: forms.AgentForm, report: Report) -> None:
    """Check the site's own formats, then what each reader accepts."""
    known = dict(FORMATS)
    for n, own in enumerate(form.wiegand_formats):
        at = f"wiegand_formats[{n}]"
        if own.name in known and not report.broken(f"{at}.name"):
            report.error(f"{at}.name", f"there is a format {own.name!r} already", "give yours another name")
        made = _made(own, at, report)
        if made is not None:
            known.setdefault(own.name, made)
    names = {*known, *(own.name for own in form.wiegand_formats)}
    for n, reader in enumerate(form.wiegand_readers):
        _reader(reader, f"wiegand_readers[{n}]", known, names, report)


def card_format(wiring: WiegandFormatWiring) -> CardFormat:
    """A site's own format. Raises ValueError, saying what is wrong, if it contradicts itself."""
    even = tuple(Parity(bit, covers) for bit, covers in wiring.even_parity)
    odd = tuple(Parity(bit, covers, odd=True) for bit, covers in wiring.odd_parity)
    return CardFormat(wiring.name, wiring.bits, wiring.card, wiring.facility, even + odd)


def _reader(
    reader: forms.WiegandReaderForm, at: str, known: dict[str, CardFormat], names: set[str], report: Report
) -> None:
    for m, name in enumerate(reader.formats):
        if name not in names:
            report.error(f"{at}.formats[{m}]", f"there is no card format {name!r}", nearest(name, sorted(names)))
    if not reader.formats and reader.keypad is KeypadKind.NONE:
        report.error(
            f"{at}.formats",
            "neither a card format nor a keypad: it could accept nothing",
            "name a format, or say 'keypad: 4-bit'",
            of=[f"{at}.keypad"],
        )
    try:
        check_together([known[name] for name in reader.formats if name in known])
    except ValueError as error:
        problem, _, cure = str(error).rpartition("; ")
        report.error(f"{at}.formats", problem, cure)


def _made(own: forms.WiegandFormatForm, at: str, report: Report) -> CardFormat | None:
    for where, parity in _parities(own, at):
        _covers(where, parity, own.bits, report)
    for name, ends in (("card", own.card), ("facility", own.facility)):
        if ends is not None and not ends[0] <= ends[1] < own.bits:
            report.error(
                f"{at}.{name}",
                f"bits {ends[0]} to {ends[1]} are not within the {own.bits} bits of its frame",
                f"write [first, last], from 0 to {own.bits - 1}",
                of=[f"{at}.bits"],
            )
    if own.facility is not None and own.facility[0] <= own.card[1] and own.card[0] <= own.facility[1]:
        report.error(
            f"{at}.facility", "it overlaps the card number", "let each bit belong to one of them", of=[f"{at}.card"]
        )
    if report.broken_within(at):
        return None
    try:
        made = card_format(format_wiring(own))
    except ValueError as error:
        report.error(at, str(error), "compare it with the card maker's table of the format's bits")
        return None
    if made.unprotected:
        bits = ", ".join(map(str, made.unprotected))
        report.warn(
            at,
            f"no parity bit covers bits {bits}: noise there makes another card of it",
            "cover them, if the format does",
        )
    return made


def _parities(own: forms.WiegandFormatForm, at: str) -> Iterator[tuple[str, forms.ParityForm]]:
    for name in ("even_parity", "odd_parity"):
        for m, parity in enumerate(getattr(own, name)):
            yield f"{at}.{name}[{m}]", parity


def _covers(where: str, parity: forms.ParityForm, bits: int, report: Report) -> None:
    if (parity.covers is None) == (parity.bits is None):
        report.error(where, "say once which bits it covers", "write 'covers: [first, last]' or 'bits: […]'")
        return
    if parity.bit >= bits:
        report.error(f"{where}.bit", f"bit {parity.bit} is not within the frame", f"it has bits 0 to {bits - 1}")
    covered = parity.covers or parity.bits or ()
    if max(covered, default=0) >= bits or (parity.covers is not None and parity.covers[0] > parity.covers[1]):
        name = "covers" if parity.covers is not None else "bits"
        report.error(f"{where}.{name}", "not within the frame", f"bits rise from 0 to {bits - 1}")
