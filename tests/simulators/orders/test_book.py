"""The book of orders: what is ordered is checked against it, however it was written down."""

from typing import Any

import pytest

from simulators.orders.book import DOOR, OrderBook, Verb, flag, number, order_from_words, text
from simulators.orders.control import OrderRefused
from simulators.orders.faults import KINDS, plan_faults


@pytest.fixture
def done() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def book(done: list[dict[str, Any]]) -> OrderBook:
    def act(_world: Any, **fields: Any) -> None:
        if fields["door"] == "moat":
            raise ValueError("there is no bridge")
        done.append(fields)

    fields = (
        DOOR,
        flag("on", "", default=True),
        number("seconds", "", 2.0),
        number("ahead", "", 0.0, signed=True),
        text("input", "", "contact", ("contact", "bolt")),
        text("note", "", None),
    )
    return OrderBook([Verb("cut", "cut something", fields, act)], None)


def test_what_is_left_out_takes_its_default(book: OrderBook, done: list[dict[str, Any]]) -> None:
    assert book({"do": "cut", "door": "gym"}) == {}
    assert done == [{"door": "gym", "on": True, "seconds": 2.0, "ahead": 0.0, "input": "contact", "note": None}]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"do": "cutt"}, "did you mean 'cut'"),
        ({"do": "cut"}, "needs 'door'"),
        ({"do": "cut", "door": 1}, "expected text"),
        ({"do": "cut", "door": "gym", "on": "yes"}, "expected true or false"),
        ({"do": "cut", "door": "gym", "seconds": 0}, "above 0"),
        ({"do": "cut", "door": "gym", "seconds": True}, "a number"),
        ({"do": "cut", "door": "gym", "seconds": float("nan")}, "a number"),
        ({"do": "cut", "door": "gym", "input": "bold"}, "did you mean 'bolt'"),
        ({"do": "cut", "door": "gym", "dor": 1}, "did you mean 'door'"),
        ({"do": "cut", "door": "moat"}, "cut: there is no bridge"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_cure(book: OrderBook, order: dict[str, Any], expected: str) -> None:
    with pytest.raises(OrderRefused, match=expected):
        book(order)


@pytest.mark.parametrize(
    ("words", "order"),
    [
        ("cut door=gym", {"do": "cut", "door": "gym"}),
        ("cut door=gym on=off seconds=0.5", {"do": "cut", "door": "gym", "on": False, "seconds": 0.5}),
        ("cut door=gym ahead=-7200", {"do": "cut", "door": "gym", "ahead": -7200.0}),
        ("help", {"do": "help"}),
    ],
)
def test_words_become_an_order_by_the_catalogue(book: OrderBook, words: str, order: dict[str, Any]) -> None:
    assert order_from_words(book({"do": "help"})["orders"], words.split()) == order


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cutt door=gym", "did you mean 'cut'"),
        ("cut gym", "'gym' is not name=value; it takes: door"),
        ("cut dor=gym", "did you mean 'door'"),
        ("cut door=gym on=perhaps", "expected true or false"),
        ("cut door=gym seconds=soon", "expected a number"),
    ],
)
def test_words_that_are_no_order_are_refused_with_a_cure(book: OrderBook, words: str, expected: str) -> None:
    with pytest.raises(OrderRefused, match=expected):
        order_from_words(book({"do": "help"})["orders"], words.split())


def test_help_lists_every_verb_with_what_it_needs(book: OrderBook) -> None:
    orders = {entry["do"]: entry for entry in book({"do": "help"})["orders"]}
    assert set(orders) == {"cut", "help"}
    door, on, *_ = orders["cut"]["fields"]
    assert door["required"]
    assert (on["kind"], on["default"]) == ("flag", True)


DOORS = {f"door-{n}": frozenset({"contact", "rex", *(["bolt"] if n % 2 else [])}) for n in range(20)}


def test_a_seed_breaks_the_same_doors_in_the_same_way_every_time() -> None:
    assert plan_faults(7, 5, DOORS) == plan_faults(7, 5, DOORS)
    lots = {tuple((fault.door, fault.kind.name) for fault in plan_faults(seed, 5, DOORS)) for seed in range(50)}
    assert len(lots) == 50


def test_no_door_gets_a_fault_of_a_part_it_does_not_have() -> None:
    for seed in range(200):
        for fault in plan_faults(seed, 20, DOORS):
            assert not fault.kind.needs or fault.kind.needs in DOORS[fault.door]


def test_every_kind_of_fault_comes_up() -> None:
    doors = {"only": frozenset({"contact", "rex", "bolt", "tamper", "reader"})}
    seen = {plan_faults(seed, 1, doors)[0].kind.name for seed in range(500)}
    assert seen == {kind.name for kind in KINDS}


@pytest.mark.parametrize("count", [0, 21])
def test_more_faults_than_doors_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 20"):
        plan_faults(1, count, DOORS)
