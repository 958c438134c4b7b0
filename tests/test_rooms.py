"""Design's table of who may import whom, read from the imports as they stand."""

import ast
import re
from pathlib import Path

import grimp
import pytest

from doorward.main import SUBCOMMANDS
from tests.support.sources import tree_of

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


@pytest.mark.parametrize("room", ["edge_agent", "central", "simulators"])
def test_the_picture_of_a_rooms_inside_shows_the_imports_as_they_are(graph: grimp.ImportGraph, room: str) -> None:
    inner = {name.split(".")[1] for name in graph.find_descendants(room) if name.count(".") > 1}

    def place(module: str) -> str | None:
        words = module.split(".")
        return words[1] if words[0] == room and len(words) > 1 and words[1] in inner else None

    imports = {
        (a, b)
        for importer in graph.find_descendants(room)
        for imported in graph.find_modules_directly_imported_by(importer)
        if (a := place(importer)) and (b := place(imported)) and a != b
    }
    picture = (ROOT / "docs" / "architecture.md").read_text()
    drawn = set(re.findall(rf"^    {room}\.(\w+) --> {room}\.(\w+)$", picture, re.MULTILINE))
    assert _below(imports) == _below(drawn)


def _below(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those arrows, and every way along them."""
    ways = set(arrows)
    while more := {(a, d) for a, b in ways for c, d in arrows if b == c} - ways:
        ways |= more
    return ways


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


MEASURED = {"bench"}
"""What `make bench` runs; its sums alone have tests."""

MOST_MODULES = 18


def _folders() -> dict[Path, list[Path]]:
    """The folders of the source, each with its modules."""
    folders: dict[Path, list[Path]] = {}
    for room in [*ALLOWED, *OTHERS]:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.name != "__init__.py" and "migrations" not in path.parts:
                folders.setdefault(path.parent.relative_to(ROOT), []).append(path.relative_to(ROOT))
    return folders


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def _named(test: Path, seen: set[Path]) -> set[str]:
    """The modules that a file of tests names: imported, started (`-m`), or named by a support module it imports."""
    seen.add(test)
    names: set[str] = set()
    for node in ast.walk(tree_of(test)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    for name in sorted(names):
        support = ROOT / (name.replace(".", "/") + ".py")
        if name.startswith("tests.") and support.is_file() and support not in seen:
            names |= _named(support, seen)
    if "doorward.main" in names:
        names.update(subcommand.module for subcommand in SUBCOMMANDS.values())
    return names


def _reached(graph: grimp.ImportGraph, tests: list[Path]) -> set[str]:
    """The modules that some tests name, and what those import."""
    names = {name for test in tests for name in _named(test, set())} & graph.modules
    return names | {reached for name in names for reached in graph.find_upstream_modules(name)}


def test_every_module_has_its_tests_in_the_folder_that_mirrors_its_own(graph: grimp.ImportGraph) -> None:
    untested = []
    for folder, modules in _folders().items():
        tests = sorted((ROOT / "tests" / folder).glob("test_*.py"))
        reached = set() if folder.parts[0] in MEASURED else _reached(graph, tests)
        untested += [
            str(module) for module in modules if folder.parts[0] not in MEASURED and _name(module) not in reached
        ]
    assert not untested, f"no test in the mirrored folder of tests/ reaches {untested}"


def test_every_test_in_a_mirrored_folder_is_named_after_a_module_there() -> None:
    strangers = []
    for folder, modules in _folders().items():
        stems = {module.stem for module in modules}
        for test in (ROOT / "tests" / folder).glob("test_*.py"):
            words = test.stem.removeprefix("test_").split("_")
            if stems.isdisjoint("_".join(words[:count]) for count in range(1, len(words) + 1)):
                strangers.append(str(test.relative_to(ROOT)))
    assert not strangers, f"no module of the mirrored folder has the name that these begin with: {strangers}"


def test_no_folder_holds_more_modules_than_a_stranger_can_read_through() -> None:
    scripts = sorted({path.parent for path in (ROOT / "central" / "console").rglob("*.js")})
    full = {str(folder): len(modules) for folder, modules in _folders().items() if len(modules) > MOST_MODULES}
    full |= {
        str(folder.relative_to(ROOT)): count
        for folder in scripts
        if (count := len(list(folder.glob("*.js")))) > MOST_MODULES
    }
    assert not full


def test_every_folder_says_what_it_is_for() -> None:
    silent = [str(folder) for folder in _folders() if not ast.get_docstring(tree_of(ROOT / folder / "__init__.py"))]
    assert not silent
