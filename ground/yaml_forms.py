"""Follows a form through a YAML file: every field that is missing, unknown or of the wrong kind, all told at once.

It knows nothing of what the fields mean: `edge_agent.agent_yaml.forms` says what may stand there, and
`edge_agent.agent_yaml.checks` what makes sense.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from msgspec import inspect

from ground.problems import ConfigError, Problem, Report

F = TypeVar("F", bound=msgspec.Struct)

NULL = "tag:yaml.org,2002:null"

DEEPEST = 50
"""Lists and mappings within each other, far beyond any form."""


def read(path: Path, form: type[F], report: Report) -> F:
    """The form as filled in by a file.

    What is wrong goes to the report, and something of the right type stands in its place, so that the rest can be
    checked too: of use only if the report has no errors. Raises :class:`ConfigError` if there is no YAML at all.
    """
    node = compose(path)
    kind = inspect.type_info(form)
    assert isinstance(kind, inspect.StructType)
    filled: F = _Reader(report).struct(node, kind, "")
    return filled


def compose(path: Path) -> yaml.Node:
    """The YAML of a file, unread. Raises :class:`ConfigError`."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise _unread(path, 1, f"cannot be read: {error.strerror}", "check the path and its permissions") from None
    except UnicodeDecodeError:
        raise _unread(path, 1, "not UTF-8 text", "save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = f"not YAML: {getattr(error, 'problem', None) or error}"
        raise _unread(
            path, mark.line + 1 if mark else 1, problem, "check brackets, colons and indents here"
        ) from None
    except RecursionError:
        problem = f"more than {DEEPEST} brackets or lists within each other"
        cure = "close each bracket where it is opened; see the samples"
        raise _unread(path, _too_deep(text), problem, cure) from None
    if node is None:
        raise _unread(path, 1, "the file is empty", "begin with a sample: site, agent, data, broker, trust, doors")
    return node


class _Reader:
    def __init__(self, report: Report) -> None:
        self._report = report

    def struct(self, node: yaml.Node, kind: inspect.StructType, where: str) -> Any:
        """A mapping's form."""
        report = self._report
        if not isinstance(node, yaml.MappingNode):
            report.error(where, f"expected fields of the form 'name: value', not {_shown(node)}", "see the samples")
            return _stand_in(kind)
        values: dict[str, Any] = {}
        nodes = self._nodes(node, kind, where)
        for field in kind.fields:
            path = _join(where, field.name)
            if field.name in nodes:
                found, path = nodes[field.name]
                values[field.name] = self.value(found, field.type, path)
            elif field.required:
                extra = _extra(field.type)
                cure = extra.get("cure") or f"add '{field.name}: …'"
                report.error(path, extra.get("missing", "is missing"), cure)
                values[field.name] = _stand_in(field.type)
        return kind.cls(**values)

    def value(self, node: yaml.Node, kind: inspect.Type, path: str) -> Any:
        """What a node says, as a value of the right type."""
        extra = _extra(kind)
        plain = _plain(kind)
        value = self._typed(node, plain, path)
        if "check" in extra and not self._report.broken(path):
            try:
                extra["check"](value)
            except ValueError as error:
                problem, _, cure = str(error).partition("; ")
                self._report.error(path, problem, cure)
        return value

    def _typed(self, node: yaml.Node, kind: inspect.Type, path: str) -> Any:  # noqa: PLR0911 - one a type
        match kind:
            case inspect.StructType():
                return self.struct(node, kind, path)
            case inspect.VarTupleType(item_type=item):
                return tuple(self.value(each, item, at) for each, at in self._entries(node, path))
            case inspect.TupleType(item_types=items):
                return self._fixed(node, items, path)
            case inspect.EnumType(cls=words):
                return self._word(node, [str(word.value) for word in words], path, words)
            case inspect.IntType():
                return self._integer(node, kind, path)
            case inspect.BoolType():
                return self._boolean(node, path)
            case _:
                return self._text(node, path)

    def _nodes(
        self, node: yaml.MappingNode, kind: inspect.StructType, where: str
    ) -> dict[str, tuple[yaml.Node, str]]:
        """The nodes by the form's names. A misspelt name is told, and its value read as what was meant."""
        report = self._report
        known = [field.name for field in kind.fields]
        fields = self._named(node, where)
        written = {str(key.value): (key, value) for key, value in reversed(fields)}
        seen: set[str] = set()
        for key, _ in fields:
            if key.value in seen:
                report.lines[again := f"{_join(where, str(key.value))}"] = key.start_mark.line + 1
                report.also(again, "stands here twice", "remove one of the two")
            seen.add(str(key.value))
        nodes: dict[str, tuple[yaml.Node, str]] = {}
        for name, (key, value) in written.items():
            path = _join(where, name)
            report.lines.setdefault(path, (value if value.value else key).start_mark.line + 1)
            if name in known:
                if value.tag != NULL:
                    nodes[name] = (value, path)
                continue
            meant = difflib.get_close_matches(name, [each for each in known if each not in written], n=1)
            report.lines[path] = key.start_mark.line + 1
            cure = f"did you mean '{meant[0]}'?" if meant else f"known here: {', '.join(known)}"
            report.also(path, "no such field", cure)
            if meant and value.tag != NULL:
                nodes[meant[0]] = (value, path)
        return nodes

    def _named(self, node: yaml.MappingNode, where: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """The fields that have a name. YAML lets a list or a mapping stand for one: a forgotten template, say."""
        fields = []
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value:
                fields.append((key, value))
                continue
            self._report.lines[at := _join(where, "?")] = key.start_mark.line + 1
            problem = f"expected the name of a field, not {_shown(key)}"
            self._report.also(at, problem, "write 'name: value', the name without brackets")
        return fields

    def _entries(self, node: yaml.Node, path: str) -> list[tuple[yaml.Node, str]]:
        if not isinstance(node, yaml.SequenceNode):
            self._report.error(path, f"expected a list, not {_shown(node)}", "begin each entry with '- '")
            return []
        entries = [(each, f"{path}[{place}]") for place, each in enumerate(node.value)]
        self._report.lines.update({at: each.start_mark.line + 1 for each, at in entries})
        return entries

    def _fixed(self, node: yaml.Node, items: tuple[inspect.Type, ...], path: str) -> Any:
        entries = self._entries(node, path)
        if len(entries) != len(items):
            self._report.error(path, f"expected {len(items)} numbers, found {len(entries)}", "write [first, last]")
            return tuple(_stand_in(item) for item in items)
        return tuple(self.value(each, item, at) for (each, at), item in zip(entries, items, strict=True))

    def _word(self, node: yaml.Node, known: list[str], path: str, words: Any) -> Any:
        text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if text in known:
            return words(text)
        meant = difflib.get_close_matches(text, known, n=1)
        cure = f"did you mean '{meant[0]}'?" if meant else f"write one of: {', '.join(known)}"
        self._report.error(path, f"{_shown(node)} is none of {', '.join(known)}", cure)
        return words(known[0])

    def _integer(self, node: yaml.Node, kind: inspect.IntType, path: str) -> int:
        low, high = kind.ge, kind.le
        try:
            value = (
                yaml.safe_load(node.value)
                if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int")
                else None
            )
        except (yaml.YAMLError, ValueError):  # ValueError: of thousands of digits
            value = None
        within = (low is None or (value is not None and value >= low)) and (
            high is None or (value is not None and value <= high)
        )
        if not isinstance(value, int) or not within:
            span = "" if low is None else f" from {low} to {high}"
            self._report.error(path, f"expected a whole number{span}, not {_shown(node)}", "write the number alone")
            return low or 0
        return value

    def _boolean(self, node: yaml.Node, path: str) -> bool:
        if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":bool"):
            self._report.error(path, f"expected true or false, not {_shown(node)}", "write true or false")
            return False
        return str(node.value).lower() in ("true", "yes", "on")

    def _text(self, node: yaml.Node, path: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":str"):
            self._report.error(
                path, f"expected text, not {_shown(node)}", "if it looks like a number or a yes, put it in quotes"
            )
            return ""
        if not node.value:
            self._report.error(path, "is empty", "write it, or leave the field out")
        return str(node.value)


def _unread(path: Path, line: int, problem: str, cure: str) -> ConfigError:
    told = Problem(path, line, "", problem, cure)
    return ConfigError(str(told), (told,))


def _too_deep(text: str) -> int:
    """The line on which lists and mappings first stand more than DEEPEST deep within each other."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                mark = event.start_mark
                return mark.line + 1 if mark else 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return 1


def _plain(kind: inspect.Type) -> inspect.Type:
    """The type without descriptions, and without the None of a field that may be left out."""
    while True:
        match kind:
            case inspect.Metadata(type=inner):
                kind = inner
            case inspect.UnionType(types=types):
                kind = next(each for each in types if not isinstance(each, inspect.NoneType))
            case _:
                return kind


def _extra(kind: inspect.Type) -> Mapping[str, Any]:
    """What the forms say beside the type: a check, words for when it is missing."""
    found: dict[str, Any] = {}
    while True:
        match kind:
            case inspect.Metadata(type=inner, extra=extra):
                found = {**(extra or {}), **found}
                kind = inner
            case inspect.UnionType(types=types):
                kind = next(each for each in types if not isinstance(each, inspect.NoneType))
            case _:
                return found


def _stand_in(kind: inspect.Type) -> Any:  # noqa: PLR0911 - one a type
    """Something of the right type, for a field the report knows to be broken."""
    match _plain(kind):
        case inspect.StructType(cls=form, fields=fields):
            return form(**{field.name: _stand_in(field.type) for field in fields if field.required})
        case inspect.VarTupleType():
            return ()
        case inspect.TupleType(item_types=items):
            return tuple(_stand_in(item) for item in items)
        case inspect.EnumType(cls=words):
            return next(iter(words))
        case inspect.IntType(ge=low):
            return low or 0
        case inspect.BoolType():
            return False
        case _:
            return ""


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value) if node.value else "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
