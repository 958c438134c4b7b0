"""What the documents promise: links lead somewhere, decision records are dated, docstrings say something."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.sources import tree_of

ROOT = Path(__file__).parents[1]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "firmware_config").rglob("*.md")})
MOST_WORDS = 300


@pytest.mark.parametrize("record", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_record_is_dated_has_a_status_and_is_short(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    number = int(record.stem.split("-")[0])
    assert text.startswith(f"# {number}. ")
    assert re.search(r"^Date: \d{4}-\d\d-\d\d\. Status: (accepted|superseded by \d+)\.$", text, re.MULTILINE)
    assert len(text.split()) <= MOST_WORDS
    for part in ("Context", "Choice", "Consequence"):
        assert f"**{part}.**" in text


def test_decision_records_are_numbered_without_a_gap() -> None:
    assert [int(record.stem.split("-")[0]) for record in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_of_the_source_that_a_page_names_exists(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    rooms = "ground|protocol|drivers|edge_agent|central|simulators|firmware_config|tests|bench|docs"
    named = set(re.findall(rf"`((?:{rooms})/[\w./-]+\.\w+)", page.read_text(encoding="utf-8")))
    lost = sorted(name for name in named if not (ROOT / name).exists())
    assert not lost


PLAIN_ROOMS = ("bench", "central", "drivers", "edge_agent", "ground", "protocol", "simulators")


def test_a_docstring_has_four_words_or_is_left_out() -> None:
    empty = []
    for path in (path for room in PLAIN_ROOMS for path in sorted((ROOT / room).rglob("*.py"))):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                said = ast.get_docstring(node)
                if said is not None and len(said.split()) < 4:
                    empty.append(f"{path.relative_to(ROOT)}: {said!r}")
    assert not empty
