"""Reads a YAML file so that whatever is found wrong with it later can be told by file, line and field.

It knows nothing of what the fields mean: msgspec's types say that (``central.district.directory_file``).
"""

import difflib
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

T = TypeVar("T")

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PATH_OF_ERROR = re.compile(r"^(?P<what>.*?)(?: - at `(?P<in_key>key in )?\$?(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>.*)`")
_MISSING_FIELD = re.compile(r"Object missing required field `(?P<name>.*)`")


class DirectoryError(ValueError):
    """The file cannot be used. One line for each problem: file, line, field, what is wrong, what to do."""


class YamlSource:
    """A YAML file as plain values, and where in the file each of them stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise DirectoryError(f"{path}: cannot be read: {error.strerror}; check path and permissions") from None
        except UnicodeDecodeError:
            raise DirectoryError(f"{path}: not UTF-8 text; save it as UTF-8") from None
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise DirectoryError(f"{path}: the file is empty; expected district, sites and so on")
            self._root: yaml.Node = node
            self._refuse_twice(node)
            self._refuse_no_dates(node)
            self.value: Any = loader.construct_document(node)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else str(path)
            raise DirectoryError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
        finally:
            loader.dispose()

    def problem(self, at: str, what: str) -> str:
        """The line that tells of a problem at a field such as ``.sites[0].name``."""
        line = self._node_at(at).start_mark.line + 1
        return f"{self.path}:{line}: {at.removeprefix('.') or 'the file'}: {what}"

    def convert(self, value: Any, kind: type[T], at: str) -> T:
        """A part of the file, standing at ``at``, as a type. Raises :class:`DirectoryError`."""
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            found = _PATH_OF_ERROR.match(str(error))
            assert found is not None, "the pattern matches any text"
            path, what = at + (found["path"] or ""), found["what"]
        if (unknown := _UNKNOWN_FIELD.match(what)) is not None:
            known = sorted(_fields_at(kind, path.removeprefix(at)))
            near = difflib.get_close_matches(unknown["name"], known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
            raise DirectoryError(self.problem(f"{path}.{unknown['name']}", f"no such field; {hint}"))
        if (missing := _MISSING_FIELD.match(what)) is not None:
            raise DirectoryError(self.problem(path, f"'{missing['name']}' is missing; add '{missing['name']}: …'"))
        if what.startswith("Expected `str`, got `") and "null" not in what:
            what += "; if it looks like a number or a time, put it in quotes"
        raise DirectoryError(self.problem(path, what[:1].lower() + what[1:]))

    def _node_at(self, path: str) -> yaml.Node:
        """The node at a path, or the nearest one around it."""
        node = self._root
        for step in _STEP.finditer(path):
            inner: yaml.Node | None = None
            if isinstance(node, yaml.MappingNode) and step["name"] is not None:
                for key, value in node.value:
                    if key.value == step["name"]:
                        inner = value if value.value or isinstance(value, yaml.ScalarNode) else key
            elif isinstance(node, yaml.SequenceNode) and step["index"] is not None:
                index = int(step["index"])
                inner = node.value[index] if index < len(node.value) else None
            if inner is None:
                return node
            node = inner
        return node

    def _refuse_twice(self, node: yaml.Node) -> None:
        """YAML takes the last of two fields of one name; here that is a mistake to be told."""
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                if name in seen:
                    line = key.start_mark.line + 1
                    raise DirectoryError(f"{self.path}:{line}: {name}: stands here twice; remove one of the two")
                seen.add(name)
                self._refuse_twice(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self._refuse_twice(value)

    def _refuse_no_dates(self, node: yaml.Node) -> None:
        """What looks like a date and is none (2026-02-30) would end the reading of the file without a line."""
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:timestamp":
            try:
                yaml.constructor.SafeConstructor().construct_yaml_timestamp(node)
            except ValueError as error:
                line = node.start_mark.line + 1
                raise DirectoryError(f"{self.path}:{line}: {node.value}: no such date: {error}") from None
        elif isinstance(node, yaml.MappingNode):
            for pair in node.value:
                for inner in pair:
                    self._refuse_no_dates(inner)
        elif isinstance(node, yaml.SequenceNode):
            for inner in node.value:
                self._refuse_no_dates(inner)


def _fields_at(kind: Any, path: str) -> list[str]:
    """The fields a type knows at a path below it."""
    for step in _STEP.finditer(path):
        if step["name"] is not None:
            kind = {field.name: field.type for field in msgspec.structs.fields(kind)}[step["name"]]
        else:
            kind = kind.__args__[0]
        while hasattr(kind, "__metadata__"):  # Annotated
            kind = kind.__origin__
    return [field.name for field in msgspec.structs.fields(kind)]
