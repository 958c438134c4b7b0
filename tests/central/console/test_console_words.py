"""The console has words of its own for everything an agent of this version may say: no officer reads snake_case."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from protocol.words import Alarm, CommandKind, Condition, Denial, EventKind

JS = Path(__file__).parents[3] / "central" / "console" / "js"


def keys(file: str, table: str) -> set[str]:
    """The keys of an object that a file declares."""
    body = re.search(rf"const {table} = {{\n(.*?)\n}};", (JS / file).read_text(encoding="utf-8"), re.DOTALL)
    assert body is not None, f"{file} has no table {table}"
    return set(re.findall(r"^  (\w+):", body[1], re.MULTILINE))


@pytest.mark.parametrize(
    ("words", "file", "table"),
    [
        (Denial, "messages/en.js", "DENIALS"),
        (Alarm, "messages/en.js", "ALARMS"),
        (CommandKind, "messages/en.js", "ACTS"),
        (EventKind, "messages/en.js", "SENTENCES"),
        (Condition, "messages/en.js", "CONDITIONS"),
        (Condition, "rules/truth.js", "GROUPS"),
    ],
)
def test_every_word_has_its_sentence(words: type[StrEnum], file: str, table: str) -> None:
    assert sorted({str(word) for word in words} - keys(file, table)) == []
