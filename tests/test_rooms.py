"""Design's table of who may import whom, read from the imports as they stand."""

import re
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
ALLOWED: dict[str, set[str]] = {
    "ground": set(),
    "protocol": set(),
    "drivers": {"ground"},
    "firmware_config": set(),
    "edge_agent": {"ground", "protocol", "drivers"},
    "central": {"ground", "protocol"},
    "simulators": {"ground", "protocol", "drivers", "edge_agent"},
}
OTHERS = {"doorward", "bench"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*ALLOWED, *OTHERS, cache_dir=None)


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_the_design_allows(graph: grimp.ImportGraph, room: str) -> None:
    forbidden = (set(ALLOWED) | OTHERS) - ALLOWED[room] - {room}
    breaches = [
        f"{importer} imports {imported}"
        for importer in sorted(graph.find_descendants(room) | {room})
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if imported.split(".")[0] in forbidden
    ]
    assert not breaches, breaches


def test_the_picture_of_the_architecture_shows_the_imports_as_they_are(graph: grimp.ImportGraph) -> None:
    rooms = {*ALLOWED, *OTHERS}
    imports = {
        (importer.split(".")[0], imported.split(".")[0])
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }
    drawn = re.findall(r"^    (\w+) --> (\w+)$", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    assert {(a, b) for a, b in imports if a != b} == {(a, b) for a, b in drawn if {a, b} <= rooms}


def test_every_room_of_the_design_exists_and_holds_code_or_data() -> None:
    for room in [*ALLOWED, "tests", "bench", "docs"]:
        assert any(path.is_file() for path in (ROOT / room).rglob("*") if path.name != "__init__.py"), room


def test_nothing_but_the_topics_module_knows_a_topic_string() -> None:
    knowing = [
        str(path.relative_to(ROOT))
        for room in ALLOWED
        for path in (ROOT / room).rglob("*.py")
        if "doorward/v1" in path.read_text() and path != ROOT / "protocol" / "topics.py"
    ]
    assert not knowing
