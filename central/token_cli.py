"""``doorward central token``: prints a badge and its PIN for district.yaml, as keyed hashes that reveal nothing.

It reads the PIN from standard input, never from an argument: any user of the machine can see those.
"""

import argparse
import getpass
import re
import sys
from pathlib import Path

from central.settings import SettingsError
from protocol import credentials

_HALF = 12
_MOST_BITS = 1_024
_LEAST_ALONE = 6  # digits of a PIN without a card: one guess tries every person's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--credential-key-file",
        type=Path,
        required=True,
        metavar="FILE",
        help="the key that central and agents share",
    )
    parser.add_argument("--facility", type=int, metavar="N", help="of a 26-bit card (H10301): 0 to 255")
    parser.add_argument("--card", type=int, metavar="N", help="the number on it: 0 to 65535")
    parser.add_argument("--bits", type=int, metavar="N", help="of any other card: how many bits its reader sends")
    parser.add_argument("--data", metavar="HEX", help="these bits, the first one leftmost, filled up to whole bytes")
    parser.add_argument(
        "--pin", action="store_true", help="read a PIN from standard input; without a card: a PIN alone"
    )
    parser.add_argument("--duress-pin", action="store_true", help="read a second PIN, which calls for help")


def run(arguments: argparse.Namespace) -> int:
    """Print the fields of a credential. Raises :class:`SettingsError`."""
    card = _card(arguments)
    if card is None and not arguments.pin:
        raise SettingsError("what to hash? Give --facility and --card, or --bits and --data, or --pin alone")
    if arguments.duress_pin and (card is None or not arguments.pin):
        raise SettingsError(
            "--duress-pin goes with a card and --pin; somebody without a card has a credential of its own for it, "
            "with duress: true"
        )
    key = _key(arguments.credential_key_file)
    if card is None:
        print(f"token: {credentials.pin_only_token(key, _pin('PIN: ', least=_LEAST_ALONE))}")
        return 0
    token = credentials.token(key, *card)
    lines = [f"token: {token}"]
    pin = _pin("PIN: ") if arguments.pin else None
    duress = _pin("Duress PIN: ") if arguments.duress_pin else None
    if duress is not None and duress == pin:
        raise SettingsError("the duress PIN is the PIN itself; choose another")
    for field, digits in (("pin", pin), ("duress_pin", duress)):
        if digits is not None:
            lines.append(f"{field}: {credentials.pin_token(key, token, digits)}")
    print("\n".join(lines))
    return 0


def h10301(facility: int, number: int) -> tuple[int, bytes]:
    """The common 26-bit card as its reader sends it: facility and number between two parity bits."""
    if not 0 <= facility <= 255:
        raise SettingsError(f"--facility {facility}: expected 0 to 255")
    if not 0 <= number <= 65_535:
        raise SettingsError(f"--card {number}: expected 0 to 65535")
    body = facility << 16 | number
    even = (body >> _HALF).bit_count() % 2  # makes the first 13 bits even
    odd = 1 - (body & 0xFFF).bit_count() % 2  # makes the last 13 bits odd
    return 26, ((even << 25 | body << 1 | odd) << 6).to_bytes(4, "big")


def _card(arguments: argparse.Namespace) -> tuple[int, bytes] | None:
    """Bits and data, or None where there is no card."""
    numbered, raw = (arguments.facility, arguments.card), (arguments.bits, arguments.data)
    for pair, names in ((numbered, "--facility and --card"), (raw, "--bits and --data")):
        if (pair[0] is None) is not (pair[1] is None):
            raise SettingsError(f"{names} belong together: give both, or neither")
    if numbered[0] is not None and raw[0] is not None:
        raise SettingsError("one card at a time: --facility and --card, or --bits and --data")
    if numbered[0] is not None:
        return h10301(*numbered)
    return None if raw[0] is None else (raw[0], _bytes(*raw))


def _bytes(bits: int, data: str) -> bytes:
    if not 1 <= bits <= _MOST_BITS:
        raise SettingsError(f"--bits {bits}: expected 1 to {_MOST_BITS}")
    length = (bits + 7) // 8
    try:
        found = bytes.fromhex(data)
    except ValueError:
        raise SettingsError("--data: expected hex digits, such as 12345640") from None
    if len(found) != length:
        raise SettingsError(f"--data: {len(found)} bytes; {bits} bits are {length}, filled up with zeros at the end")
    if found[-1] & ((1 << (8 * length - bits)) - 1):
        raise SettingsError(f"--data: there are ones beyond its {bits} bits; expected zeros at the end")
    return found


def _key(path: Path) -> bytes:
    try:
        mode, text = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise SettingsError(f"{path}: can be read by others; chmod 600 it")
    if re.fullmatch(rb"[0-9A-Fa-f]{%d}" % (2 * credentials.KEY_BYTES), text) is None:
        raise SettingsError(f"{path}: expected {2 * credentials.KEY_BYTES} hex digits, found {len(text)} characters")
    return bytes.fromhex(text.decode("ascii"))


def _pin(prompt: str, least: int = credentials.SHORTEST_PIN) -> str:
    digits = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    try:
        credentials.checked_pin(digits)
    except ValueError as error:
        raise SettingsError(f"{prompt.rstrip(': ')}: {error}") from None
    if len(digits) < least:
        raise SettingsError(
            f"{prompt.rstrip(': ')}: without a card it needs {least} digits or more: any guess may hit it"
        )
    return digits
