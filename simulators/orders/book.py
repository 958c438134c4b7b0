"""The book of orders: every verb a virtual school takes, what each needs, and one way to check what was ordered.

The control socket, the HTTP page, the command line and the scenarios all read the same book. It carries nothing out
itself: simulators.orders.doors and its neighbours bring the verbs.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from simulators.orders.control import Answer, Order, OrderRefused

HIGHEST_NUMBER = 1e6
_ABSENT: Any = object()


class FieldKind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    FLAG = "true or false"
    NUMBER = "a number"
    SIGNED = "a number, also below 0"


@dataclass(frozen=True, slots=True)
class OrderField:
    """One field of an order. Required unless it may be ``optional`` (then None) or has a default."""

    name: str
    kind: FieldKind
    help: str
    default: Any = _ABSENT
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Whether an order must have it."""
        return self.default is _ABSENT

    def check(self, verb: str, value: Any) -> Any:
        """The value, if it is of this kind. :class:`OrderRefused` otherwise."""
        fine = {
            FieldKind.TEXT: isinstance(value, str),
            FieldKind.FLAG: isinstance(value, bool),
            FieldKind.NUMBER: _number(value) and 0 < value < HIGHEST_NUMBER,
            FieldKind.SIGNED: _number(value) and abs(value) < HIGHEST_NUMBER,
        }[self.kind]
        if not fine:
            above = " above 0" if self.kind is FieldKind.NUMBER else ""
            raise OrderRefused(f"{verb}: {self.name!r} is {value!r}; expected {self.kind}{above}")
        if self.choices and value not in self.choices:
            raise OrderRefused(f"{verb}: {self.name!r} is {value!r}{nearest(value, self.choices)}")
        return value

    def read(self, verb: str, text: str) -> Any:
        """The value a person typed."""
        if self.kind is FieldKind.TEXT:
            return self.check(verb, text)
        if self.kind is FieldKind.FLAG:
            known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False}
            return self.check(verb, known.get(text.lower(), text))
        try:
            return self.check(verb, float(text))
        except ValueError:
            raise OrderRefused(f"{verb}: {self.name!r} is {text!r}; expected {self.kind}") from None


def text(name: str, help_: str, default: Any = _ABSENT, choices: Iterable[str] = ()) -> OrderField:
    """A field of text; with None as its default it may be left out."""
    return OrderField(name, FieldKind.TEXT, help_, default, tuple(choices))


def flag(name: str, help_: str, *, default: bool) -> OrderField:
    """A field that is true or false."""
    return OrderField(name, FieldKind.FLAG, help_, default)


def number(name: str, help_: str, default: float, *, signed: bool = False) -> OrderField:
    """A field that holds a number; above 0 unless ``signed``."""
    return OrderField(name, FieldKind.SIGNED if signed else FieldKind.NUMBER, help_, default)


DOOR = text("door", "the door's name in agent.yaml")


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that can be ordered. ``act`` gets the world it is to happen in, and every field by name; ValueError
    and RuntimeError are refusals."""

    name: str
    help: str
    fields: tuple[OrderField, ...]
    act: Callable[..., Answer | None]

    def describe(self) -> dict[str, Any]:
        """As the catalogue shows it."""
        return {
            "do": self.name,
            "help": self.help,
            "fields": [
                {"name": field.name, "kind": field.kind.name.lower(), "help": field.help, "required": field.required}
                | ({} if field.required or field.default is None else {"default": field.default})
                | ({"choices": list(field.choices)} if field.choices else {})
                for field in self.fields
            ],
        }


class OrderBook:
    """All verbs, and the world they happen in. Call it with an order; it raises :class:`OrderRefused` with a cure."""

    def __init__(self, verbs: Iterable[Verb], world: Any) -> None:
        self._world = world
        self._verbs = {verb.name: verb for verb in verbs}
        self._verbs["help"] = Verb("help", "every order there is, and what it needs", (), self._help)

    def __call__(self, order: Order) -> Answer:
        """Check an order and carry it out."""
        verb = find_verb(self._verbs, order["do"])
        values = {field.name: _take(verb, field, order) for field in verb.fields}
        _refuse_others(verb, order)
        try:
            return verb.act(self._world, **values) or {}
        except (ValueError, RuntimeError) as error:
            raise OrderRefused(f"{verb.name}: {error}") from None

    def catalogue(self) -> list[dict[str, Any]]:
        """Every verb with its fields, by name."""
        return catalogue(self._verbs.values())

    def _help(self, _world: Any) -> Answer:
        return {"orders": self.catalogue()}


def catalogue(verbs: Iterable[Verb]) -> list[dict[str, Any]]:
    """Verbs with their fields, by name."""
    return [verb.describe() for verb in sorted(verbs, key=lambda verb: verb.name)]


def order_from_words(orders: Iterable[dict[str, Any]], words: Iterable[str]) -> Order:
    """The order in ``jam door=gym``: a verb and its fields as name=value, read as the catalogue says.

    :class:`OrderRefused` if there is no such verb or field.
    """
    verb, *rest = words
    known = {entry["do"]: entry for entry in orders}
    entry = find_verb(known, verb)
    fields = {field["name"]: field for field in entry["fields"]}
    order: Order = {"do": verb}
    for word in rest:
        name, equals, value = word.partition("=")
        if not equals:
            raise OrderRefused(f"{verb}: {word!r} is not name=value; it takes: {', '.join(fields) or 'nothing'}")
        if name not in fields:
            raise OrderRefused(f"{verb}: no such field: {name!r}{nearest(name, fields)}")
        kind = FieldKind[fields[name]["kind"].upper()]
        order[name] = OrderField(name, kind, "").read(verb, value)
    return order


def find_verb(verbs: dict[str, Any], name: str) -> Any:
    """The verb of a name. :class:`OrderRefused` with those that are near."""
    if name not in verbs:
        raise OrderRefused(f"no such order: {name!r}{nearest(name, verbs)}; 'help' lists them")
    return verbs[name]


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'gym'?``, or what there is, if that is not too much."""
    known = list(known)
    found = difflib.get_close_matches(name, known, n=1)
    if found:
        return f"; did you mean {found[0]!r}?"
    return f"; there are: {', '.join(sorted(known))}" if len(known) <= 20 else ""


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _take(verb: Verb, field: OrderField, order: Order) -> Any:
    value = order.get(field.name)
    if value is not None:
        return field.check(verb.name, value)
    if field.required:
        raise OrderRefused(f"{verb.name}: needs {field.name!r} ({field.kind}): {field.help}")
    return field.default


def _refuse_others(verb: Verb, order: Order) -> None:
    names = [field.name for field in verb.fields]
    for name in order:
        if name != "do" and name not in names:
            raise OrderRefused(f"{verb.name}: no such field: {name!r}{nearest(name, names)}")
