"""Reads a YAML mapping field by field, so that every error names the file, the line, the field and a cure.

It knows nothing of what the fields mean and stops at the first mistake; agent.yaml is read by
`edge_agent.agent_yaml`, which tells all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import TypeVar

import yaml

from ground.problems import ConfigError
from ground.yaml_forms import compose, text_of

__all__ = ["ConfigError", "Fields", "read"]

E = TypeVar("E", bound=Enum)
V = TypeVar("V")


class Fields:
    """One mapping of the file: hands out its fields, notes which were asked for, and refuses the rest.

    Use it as a context manager: leaving the block refuses fields nobody asked for. A field that is absent, or
    there but empty, counts as not given. Every method raises :class:`ConfigError`.
    """

    def __init__(self, file: Path, node: yaml.Node, where: str) -> None:
        self._file = file
        self._where = where
        self._node = node
        self._asked: list[str] = []
        self._fields: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        if not isinstance(node, yaml.MappingNode):
            raise _error(file, node, where, "expected fields of the form 'name: value'")
        for key, value in node.value:
            name = str(key.value)
            if name in self._fields:
                raise _error(file, key, self._path(name), "stands here twice; remove one of the two")
            self._fields[name] = (key, value)

    def __enter__(self) -> Fields:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._refuse_unknown()

    def error(self, name: str, problem: str) -> ConfigError:
        """An error at a field (or at this mapping, if the field is not there), for checks made elsewhere."""
        key, value = self._fields.get(name, (self._node, self._node))
        return _error(self._file, value if value.value else key, self._path(name), problem)

    def given(self, name: str) -> bool:
        """Whether a field is there and not empty."""
        self._asked.append(name)
        found = self._fields.get(name)
        return found is not None and found[1].tag != "tag:yaml.org,2002:null"

    def text(self, name: str, default: str | None = None) -> str:
        """A text; required unless it has a default."""
        if not self.given(name):
            return self._default(name, default)
        node = self._fields[name][1]
        if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":str"):
            raise self.error(name, f"expected text, not {_shown(node)}; if it looks like a number, put it in quotes")
        return str(node.value)

    def optional_text(self, name: str) -> str | None:
        """A text, or None where it is not given."""
        return self.text(name) if self.given(name) else None

    def checked(self, name: str, check: Callable[[str], V]) -> V:
        """A required text passed through a function that raises ValueError with what is wrong."""
        text = self.text(name)
        try:
            return check(text)
        except ValueError as error:
            raise self.error(name, str(error)) from None

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from low to high."""
        if not self.given(name):
            return self._default(name, default)
        node = self._fields[name][1]
        try:
            value = yaml.safe_load(node.value) if isinstance(node, yaml.ScalarNode) else None
        except yaml.YAMLError:
            value = None
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(name, f"expected a whole number from {low} to {high}, not {_shown(node)}")
        return value

    def boolean(self, name: str, default: bool | None) -> bool:
        """True or false."""
        if not self.given(name):
            return self._default(name, default)
        node = self._fields[name][1]
        if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":bool"):
            raise self.error(name, f"expected true or false, not {_shown(node)}")
        return str(node.value).lower() in ("true", "yes", "on")

    def choice(self, name: str, kinds: type[E]) -> E:
        """One of an enumeration's values."""
        text = self.text(name)
        try:
            return kinds(text)
        except ValueError:
            known = [str(kind.value) for kind in kinds]
            hint = _nearest(text, known)
            raise self.error(name, f"{text!r} is none of {', '.join(known)}{hint}") from None

    def section(self, name: str) -> Fields:
        """A required mapping inside this one."""
        if not self.given(name):
            raise self._missing(name)
        return Fields(self._file, self._fields[name][1], self._path(name))

    def sections(self, name: str) -> Iterator[Fields]:
        """The mappings of a list; none where it is not given."""
        if not self.given(name):
            return
        node = self._fields[name][1]
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(name, f"expected a list (each entry begins with '- '), not {_shown(node)}")
        for place, entry in enumerate(node.value):
            yield Fields(self._file, entry, f"{self._path(name)}[{place}]")

    def _default(self, name: str, default: V | None) -> V:
        if default is None:
            raise self._missing(name)
        return default

    def _missing(self, name: str) -> ConfigError:
        unasked = [known for known in self._fields if known not in self._asked]
        for misspelt in difflib.get_close_matches(name, unasked, n=1):
            key = self._fields[misspelt][0]
            return _error(self._file, key, self._path(misspelt), f"no such field; did you mean '{name}'?")
        return self.error(name, f"is missing; add '{name}: …'")

    def _refuse_unknown(self) -> None:
        for name, (key, _) in self._fields.items():
            if name not in self._asked:
                known = sorted(set(self._asked))
                hint = _nearest(name, known) or f"; known here: {', '.join(known)}"
                raise _error(self._file, key, self._path(name), f"no such field{hint}")

    def _path(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name


def read(path: Path) -> Fields:
    """The outermost mapping of a YAML file."""
    return Fields(path, compose(path, text_of(path), "scenario, title, steps"), "")


def _error(file: Path, node: yaml.Node, where: str, problem: str) -> ConfigError:
    return ConfigError(f"{file}:{node.start_mark.line + 1}: {where or 'the file'}: {problem}")


def _shown(node: yaml.Node) -> str:
    return (
        repr(node.value)
        if isinstance(node, yaml.ScalarNode)
        else ("a list" if isinstance(node, yaml.SequenceNode) else "a mapping")
    )


def _nearest(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{found[0]}'?" if found else ""
