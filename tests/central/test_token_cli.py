"""``doorward central token``: what goes into district.yaml is what a reader's card and keys come to at the agent."""

import io
from pathlib import Path

import pytest

from doorward.main import main
from protocol import credentials
from simulators.school.cards import wiegand_26

KEY = bytes(range(32))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "credential.key"
    path.touch(mode=0o600)
    path.write_text(KEY.hex() + "\n")
    return path


def token(key_file: Path, *arguments: str) -> int:
    return main(["central", "token", "--credential-key-file", str(key_file), *arguments])


def test_a_26_bit_card_by_facility_and_number_is_the_token_of_what_its_reader_sends(
    key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert token(key_file, "--facility", "12", "--card", "3456") == 0
    expected = credentials.token(KEY, 26, wiegand_26(12, 3456))
    assert capsys.readouterr().out == f"token: {expected}\n"
    assert token(key_file, "--bits", "26", "--data", wiegand_26(12, 3456).hex()) == 0
    assert capsys.readouterr().out == f"token: {expected}\n"


def test_pins_come_from_standard_input_and_are_not_printed(
    key_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("4711\n4712\n"))
    assert token(key_file, "--facility", "1", "--card", "2", "--pin", "--duress-pin") == 0
    card = credentials.token(KEY, 26, wiegand_26(1, 2))
    out = capsys.readouterr().out
    assert out.splitlines() == [
        f"token: {card}",
        f"pin: {credentials.pin_token(KEY, card, '4711')}",
        f"duress_pin: {credentials.pin_token(KEY, card, '4712')}",
    ]


def test_a_pin_alone_is_a_credential_of_its_own(
    key_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("204060\n"))
    assert token(key_file, "--pin") == 0
    assert capsys.readouterr().out == f"token: {credentials.pin_only_token(KEY, '204060')}\n"


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        ((), "", "what to hash"),
        (("--facility", "256", "--card", "1"), "", "0 to 255"),
        (("--facility", "1", "--card", "65536"), "", "0 to 65535"),
        (("--card", "1"), "", "--facility and --card"),
        (("--bits", "26"), "", "--bits and --data"),
        (("--bits", "26", "--data", "12345"), "", "hex digits"),
        (("--bits", "26", "--data", "123456"), "", "26 bits are 4"),
        (("--bits", "26", "--data", "12345641"), "", "ones beyond"),
        (("--bits", "0", "--data", ""), "", "1 to 1024"),
        (("--bits", "8", "--data", "00", "--facility", "1", "--card", "1"), "", "one card at a time"),
        (("--pin",), "123\n", "4 to 8 digits"),
        (("--pin",), "20406\n", "6 digits or more"),
        (("--pin",), "١٢٣٤\n", "4 to 8 digits"),
        (("--pin", "--duress-pin"), "", "duress: true"),
        (("--facility", "1", "--card", "1", "--pin", "--duress-pin"), "4711\n4711\n", "choose another"),
    ],
)
def test_a_mistake_says_what_was_expected_and_prints_no_token(
    key_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    arguments: tuple[str, ...],
    text: str,
    says: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert token(key_file, *arguments) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert told.out == ""
    assert text.strip() == "" or text.strip() not in told.err


def test_a_key_file_that_others_can_read_is_not_used(key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key_file.chmod(0o644)
    assert token(key_file, "--facility", "1", "--card", "1") == 2
    assert "chmod 600" in capsys.readouterr().err
    key_file.chmod(0o600)
    key_file.write_text("abc")
    assert token(key_file, "--facility", "1", "--card", "1") == 2
    assert "64 hex digits" in capsys.readouterr().err
