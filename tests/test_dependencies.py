"""Each room imports only what its kind of installation declares: a Pi has the edge's packages, a server central's."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.sources import tree_of

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, tuple[str, ...]] = {
    "doorward": (),
    "ground": (),
    "protocol": (),
    "firmware_config": (),
    "drivers": ("edge",),
    "edge_agent": ("edge",),
    "central": ("central",),
    "simulators": ("simulators",),
    "bench": ("demo",),
    "tests": ("demo", "dev"),
}
"""The extras and groups that a room's installation has on top of the project's own dependencies."""

NOT_EVERYWHERE = {("central/embedded_broker.py", "iotcore")}
"""Imported when used; where it is not installed the command line says that the demo installs it."""


@pytest.mark.parametrize("room", EXTRAS)
def test_a_room_imports_only_what_its_installation_declares(room: str) -> None:
    declared = set(requirements(*EXTRAS[room]))
    providers = packages_distributions()
    undeclared = {
        f"{path} imports {name}, of {' or '.join(providers.get(name, ['no installed package']))}"
        for path, name in third_party_imports(room)
        if not declared & {normal(one) for one in providers.get(name, [])}
    }
    assert not undeclared, sorted(undeclared)


def test_every_package_of_the_repository_has_its_installation_named() -> None:
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"tests"} == set(EXTRAS)


def third_party_imports(room: str) -> Iterator[tuple[str, str]]:
    """(file, top-level name) of every import, also those inside functions and for type checkers alone."""
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            for name in {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names) - set(EXTRAS):
                found = (str(path.relative_to(ROOT)), name)
                if found not in NOT_EVERYWHERE:
                    yield found


def requirements(*extras: str) -> Iterator[str]:
    """Names of the distributions that the project and some of its extras or groups declare."""
    project = DECLARED["project"]
    declared = {**project["optional-dependencies"], **DECLARED["dependency-groups"]}
    for requirement in [*project["dependencies"], *(one for extra in extras for one in declared[extra])]:
        name, inner = re.fullmatch(r"([\w.-]+)(?:\[([\w, -]+)\])?.*", requirement).groups()
        if name == project["name"]:
            yield from requirements(*re.split(r",\s*", inner))
        else:
            yield normal(name)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
