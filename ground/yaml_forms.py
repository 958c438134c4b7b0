"""Reads a YAML file by a form, and reports every field that is missing, unknown or of the wrong kind, all at once.

A form is a msgspec Struct. This module knows nothing of what its fields mean; ``Meta(extra=…)`` may add to a field:
``check``, which raises ValueError for a text it refuses; ``make``, which also says what the text stands for;
``missing`` and ``cure``, the words for when the field is not there; and ``forms``, for a mapping whose form is named
by one of its fields: {"do": {"wait": WaitForm, …}}.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import msgspec
import yaml
from msgspec import inspect

from ground.problems import ConfigError, Problem, Report, nearest

F = TypeVar("F", bound=msgspec.Struct)

NULL = "tag:yaml.org,2002:null"

DEEPEST = 50
"""Nesting of lists and mappings, far beyond any form."""

LARGEST = 1 << 20
"""Bytes of a file, where the caller allows no more."""

REPEATS = 10
"""Aliases may make a file this many times as long as it is, so that a few lines cannot fill the memory."""

INTEGERS = range(-(1 << 63), 1 << 63)
"""What a database or a message can hold."""


def read(path: Path, form: type[F], report: Report, *, largest: int = LARGEST) -> F:
    """The form as filled in by a file of up to ``largest`` bytes.

    Mistakes go to the report, and a value of the right type replaces each, so that the rest can be checked too: of
    use only if the report has no errors. Raises :class:`ConfigError` if there is no YAML at all.
    """
    kind = inspect.type_info(form)
    assert isinstance(kind, inspect.StructType)
    text = _text_of(path, largest)
    node = _compose(path, text, ", ".join(field.encode_name for field in kind.fields if field.required))
    report.locate = lambda field: _line_of(node, field)
    filled: F = _Reader(report, REPEATS * len(text)).struct(node, kind, "")
    return filled


def _text_of(path: Path, largest: int) -> str:
    """The text of a file of up to ``largest`` bytes. Raises :class:`ConfigError`."""
    try:
        with path.open("rb") as file:
            raw = file.read(largest + 1)
        if len(raw) > largest:
            raise _unread(path, 1, f"larger than {largest >> 20} MiB", "check that this is the right file")
        return raw.decode("utf-8")
    except OSError as error:
        raise _unread(path, 1, f"cannot be read: {error.strerror}", "check the path and its permissions") from None
    except UnicodeDecodeError:
        raise _unread(path, 1, "not UTF-8 text", "save it as UTF-8") from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes no deeper than DEEPEST: libyaml would overflow the stack."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:
        self._depth += 1
        if self._depth > DEEPEST + 1 and parent is not None:
            raise _TooDeepError(parent.start_mark.line + 1)

    def ascend_resolver(self) -> None:
        self._depth -= 1


class _TooDeepError(Exception):
    """Carries the line of the list or mapping that is one too many."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _compose(path: Path, text: str, sample: str) -> yaml.Node:
    """The YAML nodes of a file. ``sample``: what an empty file should begin with. Raises :class:`ConfigError`."""
    loader = _Loader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = str(getattr(error, "problem", None) or error)
        if "nesting depth" in problem:  # libyaml's own limit: it reads ahead of what is composed
            raise _too_deep(path, line) from None
        raise _unread(path, line, f"not YAML: {problem}", "check brackets, colons and indents here") from None
    except _TooDeepError as error:
        raise _too_deep(path, error.line) from None
    finally:
        loader.dispose()
    if node is None:
        raise _unread(path, 1, "the file is empty", f"begin with a sample: {sample}")
    return node


def _line_of(root: yaml.Node, field: str) -> int:
    """The line of a field such as ``doors[0].name``, or of the innermost field around it that the file has.

    It walks from the root each time, since a district's file has millions of fields, and few are wrong.
    """
    node = line_at = root
    for name, index in _STEP.findall(field):
        inner: yaml.Node | None = None
        if name and isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == name:
                    inner, line_at = value, value if value.value else key
                    break
        elif index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
            inner = line_at = node.value[int(index)]
        if inner is None:
            break
        node = inner
    return int(line_at.start_mark.line) + 1 if line_at is not root else 1


_STEP = re.compile(r"([^.\[\]]+)(?![^\[]*\])|\[(\d+)\]")


class _Reader:
    def __init__(self, report: Report, most: int) -> None:
        self._report = report
        self._left = most
        self._rules: dict[int, tuple[inspect.Type, Mapping[str, Any]]] = {}
        self._fields: dict[int, dict[str, inspect.Field]] = {}
        self._kinds: dict[type, inspect.Type] = {}

    def struct(self, node: yaml.Node, kind: inspect.StructType, where: str, also: tuple[str, ...] = ()) -> Any:
        """A mapping's form. ``also``: a field beside the form's own, which has been read already."""
        report = self._report
        if not self._is_mapping(node, where):
            return _stand_in(kind)
        fields = self._fields.get(id(kind))
        if fields is None:
            fields = self._fields[id(kind)] = {field.encode_name: field for field in kind.fields}
        values: dict[str, Any] = {}
        nodes = self._nodes(node, [*also, *fields], where)
        for name, field in fields.items():
            if name in nodes:
                found, path = nodes[name]
                values[field.name] = self.value(found, field.type, path)
            elif field.required:
                _, extra = self._rule(field.type)
                path = _join(where, name)
                report.error(path, extra.get("missing", "is missing"), extra.get("cure") or f"add '{name}: …'")
                values[field.name] = _stand_in(field.type)
        return kind.cls(**values)

    def _is_mapping(self, node: yaml.Node, path: str) -> TypeGuard[yaml.MappingNode]:
        if isinstance(node, yaml.MappingNode):
            return True
        problem = f"expected fields of the form 'name: value', not {_shown(node)}"
        self._report.error(path, problem, "see the samples")
        return False

    def _rule(self, kind: inspect.Type) -> tuple[inspect.Type, Mapping[str, Any]]:
        rule = self._rules.get(id(kind))
        if rule is None:
            rule = self._rules[id(kind)] = _rule(kind)
        return rule

    def value(self, node: yaml.Node, kind: inspect.Type, path: str) -> Any:
        """The value of a node, of the right type."""
        self._left -= 1
        if self._left < 0:
            cure = "write out what differs, and no alias within an alias"
            raise _unread(self._report.file, node.start_mark.line + 1, "its aliases (*name) repeat too much", cure)
        plain, extra = self._rule(kind)
        check, make = extra.get("check"), extra.get("make")
        if make is not None:
            plain = _TEXT
        value = self._typed(node, plain, extra, path)
        if (check or make) and not self._report.broken(path):
            try:
                if check:
                    check(value)
                return make(value) if make else value
            except ValueError as error:
                problem, _, cure = str(error).partition("; ")
                self._report.error(path, problem, cure or extra.get("cure") or "correct it")
        return _stand_in(kind) if make else value

    def _typed(self, node: yaml.Node, kind: inspect.Type, extra: Mapping[str, Any], path: str) -> Any:  # noqa: PLR0911 - one a type
        match kind:
            case inspect.StrType():
                return self._text(node, kind, extra, path)
            case inspect.StructType():
                return self.struct(node, kind, path)
            case inspect.VarTupleType() | inspect.ListType():
                entries = self._entries(node, path)
                if kind.max_length is not None and len(entries) > kind.max_length:
                    problem = f"expected at most {kind.max_length} entries, found {len(entries)}"
                    self._report.error(path, problem, "leave the rest out, or put it elsewhere")
                values = [self.value(each, kind.item_type, at) for each, at in entries]
                return values if isinstance(kind, inspect.ListType) else tuple(values)
            case inspect.TupleType(item_types=items):
                return self._fixed(node, items, path)
            case inspect.DictType():
                return self._dict(node, kind, path)
            case inspect.EnumType(cls=words):
                return self._word(node, [str(word.value) for word in words], path, words)
            case inspect.IntType():
                return self._integer(node, kind, path)
            case inspect.BoolType():
                return self._boolean(node, path)
            case inspect.DateType():
                return self._date(node, path)
            case inspect.AnyType():
                return self._named_form(node, extra["forms"], path)
            case _:
                raise TypeError(f"no form has a {kind}")

    def _dict(self, node: yaml.Node, kind: inspect.DictType, path: str) -> Any:
        if not self._is_mapping(node, path):
            return {}
        keys = {key.value: key for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
        return {
            self.value(keys[name], kind.key_type, at): self.value(inner, kind.value_type, at)
            for name, (inner, at) in self._nodes(node, None, path).items()
        }

    def _named_form(
        self, node: yaml.Node, forms: Mapping[str, Mapping[str, type[msgspec.Struct]]], path: str
    ) -> tuple[str, Any]:
        """The name in one of a mapping's fields, and the form of that name: None if there is none."""
        if not self._is_mapping(node, path):
            return "", None
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in forms and value.tag != NULL:
                names = forms[key.value]
                if isinstance(value, yaml.ScalarNode) and value.value in names:
                    kind = self._kinds.setdefault(names[value.value], inspect.type_info(names[value.value]))
                    assert isinstance(kind, inspect.StructType)
                    return value.value, self.struct(node, kind, path, (key.value,))
                self._one_of(value, sorted(names), _join(path, key.value))
                return "", None
        either = " or a ".join(f"'{name}: …'" for name in forms)
        self._report.error(_join(path, next(iter(forms))), "is missing", f"add a {either}")
        return "", None

    def _nodes(self, node: yaml.MappingNode, known: list[str] | None, where: str) -> dict[str, tuple[yaml.Node, str]]:
        """The nodes by the form's names. Reports a misspelt name, and reads its value as the field that was meant."""
        report = self._report
        fields = self._named(node, where)
        written: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        for key, value in fields:
            if key.value in written:
                report.lines[again := _join(where, key.value)] = key.start_mark.line + 1
                report.also(again, "stands here twice", "remove one of the two")
                del report.lines[again]
            else:
                written[key.value] = (key, value)
        nodes: dict[str, tuple[yaml.Node, str]] = {}
        for name, (key, value) in written.items():
            path = f"{where}.{name}" if where else name
            if known is None or name in known:
                if value.tag != NULL:
                    nodes[name] = (value, path)
                continue
            close = difflib.get_close_matches(name, known)
            meant = next((each for each in close if each not in written), close[0] if close else None)
            report.lines[path] = key.start_mark.line + 1
            cure = f"did you mean '{meant}'?" if meant else f"known here: {', '.join(known)}"
            report.also(path, "no such field", cure)
            if meant and meant not in written and value.tag != NULL:
                nodes[meant] = (value, path)
        return nodes

    def _named(self, node: yaml.MappingNode, where: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """The fields that have a name. YAML allows a list or a mapping in its place: a forgotten template, say."""
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
        return [(each, f"{path}[{place}]") for place, each in enumerate(node.value)]

    def _fixed(self, node: yaml.Node, items: tuple[inspect.Type, ...], path: str) -> Any:
        entries = self._entries(node, path)
        if len(entries) != len(items):
            self._report.error(path, f"expected {len(items)} numbers, found {len(entries)}", "write [first, last]")
            return tuple(_stand_in(item) for item in items)
        return tuple(self.value(each, item, at) for (each, at), item in zip(entries, items, strict=True))

    def _word(self, node: yaml.Node, known: list[str], path: str, words: Any) -> Any:
        return words(self._one_of(node, known, path))

    def _one_of(self, node: yaml.Node, known: list[str], path: str) -> str:
        text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if text in known:
            return text
        self._report.error(path, f"{_shown(node)} is none of {', '.join(known)}", nearest(text, known))
        return known[0]

    def _integer(self, node: yaml.Node, kind: inspect.IntType, path: str) -> int:
        low, high = kind.ge, kind.le
        value = _whole(node)
        if value is None or (low is not None and value < low) or (high is not None and value > high):
            span = "" if low is None else f" from {low}" + ("" if high is None else f" to {high}")
            self._report.error(path, f"expected a whole number{span}, not {_shown(node)}", "write the number alone")
            return low or 0
        return value

    def _date(self, node: yaml.Node, path: str) -> date:
        text = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
                return date.fromisoformat(text)
            self._report.error(path, f"expected a date, not {_shown(node)}", "write it like 2026-11-26")
        except ValueError as error:
            self._report.error(path, f"no such date as {text}: {error}", "correct it")
        return date.min

    def _boolean(self, node: yaml.Node, path: str) -> bool:
        if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":bool"):
            self._report.error(path, f"expected true or false, not {_shown(node)}", "write true or false")
            return False
        return str(node.value).lower() in ("true", "yes", "on")

    def _text(self, node: yaml.Node, kind: inspect.StrType, extra: Mapping[str, Any], path: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag != _STR:
            self._report.error(
                path, f"expected text, not {_shown(node)}", "if it looks like a number or a yes, put it in quotes"
            )
            return ""
        text = str(node.value)
        if not text and (kind.min_length or kind.pattern):
            self._report.error(path, "is empty", "write it, or leave the field out")
        elif kind.max_length is not None and len(text) > kind.max_length:
            self._report.error(path, f"{len(text)} characters; at most {kind.max_length} fit", "shorten it")
        elif kind.pattern and "check" not in extra and not re.search(kind.pattern, text):
            form = extra.get("description") or f"text of the form {kind.pattern}"
            self._report.error(path, f"expected {form}, not {text[:_MOST_SHOWN]!r}", "correct it")
        return text


_STR = "tag:yaml.org,2002:str"
_MOST_SHOWN = 80
_TEXT = inspect.StrType(min_length=1)


def _whole(node: yaml.Node) -> int | None:
    """The whole number of a node, or None."""
    if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":int"):
        return None
    try:
        value = int(yaml.constructor.SafeConstructor().construct_yaml_int(node))
    except ValueError:  # thousands of digits, or '0x' alone
        return None
    return value if value in INTEGERS else None


def _too_deep(path: Path, line: int) -> ConfigError:
    problem = f"more than {DEEPEST} brackets or lists within each other"
    return _unread(path, line, problem, "close each bracket where it is opened; see the samples")


def _unread(path: Path, line: int, problem: str, cure: str) -> ConfigError:
    found = Problem(path, line, "", problem, cure)
    return ConfigError(str(found), (found,))


def _rule(kind: inspect.Type) -> tuple[inspect.Type, Mapping[str, Any]]:
    """The type without descriptions, and without the None of a field that may be left out; and what the forms say
    beside the type: a check, words for when it is missing."""
    found: dict[str, Any] = {}
    while True:
        match kind:
            case inspect.Metadata(type=inner, extra=extra, extra_json_schema=schema):
                found = {**(schema or {}), **(extra or {}), **found}
                kind = inner
            case inspect.UnionType(types=types):
                kind = next(each for each in types if not isinstance(each, inspect.NoneType))
            case _:
                return kind, found


_STAND_INS: Mapping[type[inspect.Type], Any] = {
    inspect.VarTupleType: (),
    inspect.DateType: date.min,
    inspect.AnyType: ("", None),
    inspect.FloatType: 0.0,
    inspect.BoolType: False,
}


def _stand_in(kind: inspect.Type) -> Any:  # noqa: PLR0911 - one a type
    """A value of the right type, in place of a broken field's."""
    plain, _ = _rule(kind)
    match plain:
        case inspect.StructType(cls=form, fields=fields):
            return form(**{field.name: _stand_in(field.type) for field in fields if field.required})
        case inspect.ListType():
            return []
        case inspect.DictType():
            return {}
        case inspect.TupleType(item_types=items):
            return tuple(_stand_in(item) for item in items)
        case inspect.EnumType(cls=words):
            return next(iter(words))
        case inspect.IntType(ge=low):
            return low or 0
        case _:
            return _STAND_INS.get(type(plain), "")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value) if node.value else "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
