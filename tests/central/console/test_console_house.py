"""The console's modules keep to their rooms: each imports only what stands below it, and nothing is left over."""

import re
from pathlib import Path

import pytest

JS = Path(__file__).parents[3] / "central" / "console" / "js"
MODULES = {path.relative_to(JS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(JS.rglob("*.js"))}
ROOMS = ["rules", "messages", "central", "parts", "pages", "."]
"""From the ground up; main.js stands over all."""

MOST_MODULES = 15


def room(module: str) -> str:
    """The folder of a module."""
    return Path(module).parent.as_posix()


def imported(module: str) -> list[str]:
    """The modules that one runs on. Types alone bind nothing."""
    found = re.findall(r'^(?:import\b.*|} )from "([^"]+)"', MODULES[module], re.MULTILINE)
    return [(JS / module).parent.joinpath(one).resolve().relative_to(JS).as_posix() for one in found]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_its_own_room_or_one_below(module: str) -> None:
    allowed = ROOMS[: ROOMS.index(room(module)) + 1]
    assert [one for one in imported(module) if room(one) not in allowed] == []


def test_no_room_is_too_full_to_look_around_in() -> None:
    assert {
        name: count for name in ROOMS if (count := sum(room(one) == name for one in MODULES)) > MOST_MODULES
    } == {}


@pytest.mark.parametrize("module", [one for one in MODULES if room(one) in {"rules", "messages"}])
def test_rules_and_messages_are_pure(module: str) -> None:
    impure = (
        r"\b(document|window|location|fetch|performance|localStorage|setTimeout|setInterval|Date\.now|new Date)\b"
    )
    assert re.findall(impure, re.sub(r"/\*.*?\*/|//.*", "", MODULES[module], flags=re.DOTALL)) == []


def test_what_the_sheets_style_the_pages_draw() -> None:
    css = "".join(path.read_text(encoding="utf-8") for path in (JS.parent / "css").glob("*.css"))
    drawn = (JS.parent / "index.html").read_text(encoding="utf-8") + "".join(MODULES.values())
    classes = set(re.findall(r"\.([a-z][a-z0-9-]*)", css))
    assert sorted(one for one in classes if not re.search(rf"[\"' ]{one}[\"' ]", drawn)) == []


def test_what_a_module_exports_another_one_uses() -> None:
    exports = [
        (module, name)
        for module, text in MODULES.items()
        for name in re.findall(r"^export \w+ (\w+)", text, re.MULTILINE)
    ]
    unused = [
        f"{name} of {module}"
        for module, name in exports
        if not any(re.search(rf"\b{name}\b", text) for other, text in MODULES.items() if other != module)
    ]
    assert unused == []
