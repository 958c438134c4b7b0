"""A request says exactly what it means, or is refused: no value is taken for another that it might have meant."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from central.api.strict import StrictBody, StrictRoute
from tests.central.centrals import Running, Town
from tests.support.brokers import RunningBroker, mosquitto

LOCKDOWN = b'{"action": "lockdown", "scope": {"kind": "district"}, "drill": %s}'


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


@pytest.mark.parametrize("drill", [b"0", b"1", b"0.0", b'"off"', b'"false"', b'"true"', b"null", b"[]"])
async def test_nothing_but_true_and_false_says_whether_it_is_a_drill(
    town: Town, broker: RunningBroker, drill: bytes
) -> None:
    async with town.central(broker) as running:
        answer = await declare(running, LOCKDOWN % drill)
        assert answer == (422, "invalid", "drill: input should be a valid boolean")
        assert running.central.declarations.active == []


@pytest.mark.parametrize(
    "body",
    [
        LOCKDOWN % b'false, "reason": "\xff"',
        b"\xff\xfe\x00",
        (LOCKDOWN % b"false").decode().encode("utf-16"),
        LOCKDOWN % b'false, "reason": NaN',
        b"[" * 60_000,
        b'{"action":',
        LOCKDOWN % b'false, "drill": true',
        LOCKDOWN % b'false, "\\ud800": 1',
    ],
    ids=["latin-1", "no text", "utf-16", "nan", "without end", "torn", "said twice", "half a character"],
)
async def test_a_body_that_is_not_json_in_utf8_is_refused_as_the_document_says(
    town: Town, broker: RunningBroker, body: bytes
) -> None:
    async with town.central(broker) as running:
        status, kind, detail = await declare(running, body)
        assert (status, kind) == (422, "invalid")
        assert detail.startswith("the body: not JSON in UTF-8: ")
        assert running.central.declarations.active == []
        documented = running.central.application.openapi()["paths"]["/api/declarations"]["post"]["responses"]
        assert str(status) in documented


async def test_every_kind_of_scope_and_no_name_too_many_is_taken(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        for scope, status in [
            ({"kind": "district"}, 201),
            ({"kind": "site", "site": "lincoln"}, 201),
            ({"kind": "zone", "site": "lincoln", "zone": "east"}, 201),
            ({"kind": "door", "site": "lincoln", "door": "gym"}, 201),
            ({"kind": "door", "site": "lincoln", "door": "gym", "zone": "east"}, 422),
            ({"kind": "door", "site": "lincoln"}, 422),
            ({"kind": "floor", "site": "lincoln"}, 422),
            ({"kind": "door", "site": "lincoln", "door": "none"}, 404),
        ]:
            body = {"action": "lockdown", "scope": scope, "drill": True}
            answer = await (await running.as_("olive")).post("/api/declarations", json=body)
            assert answer.status_code == status, (scope, answer.text)


@pytest.mark.parametrize(
    "query",
    [
        "declarations?active=off",
        "declarations?active=1",
        "declarations?active=yes",
        "declarations?limit=1.0",
        "declarations?limit=1_0",
        "declarations?limit=%2B1",
        "events?from_ms=then",
        "events?before_id=",
        "events?before_id=-1",
        "history/agents?resolution_ms=9007199254740993",
    ],
)
async def test_a_query_says_true_or_false_and_numbers_in_digits(
    town: Town, broker: RunningBroker, query: str
) -> None:
    async with town.central(broker) as running:
        olive = await running.as_("olive")
        assert (await olive.get(f"/api/{query}")).status_code == 422
        for plain in ("active=true", "active=false", "limit=10"):
            assert (await olive.get(f"/api/declarations?{plain}")).status_code == 200


async def test_every_body_is_a_strict_one_read_by_a_strict_route(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        with_body = [
            route
            for route in iter_route_contexts(running.central.application.routes)
            if route_body(route) is not None
        ]
        assert len(with_body) >= 5
        for route in with_body:
            assert isinstance(route.original_route, StrictRoute), route.path
            models = list(models_in(route_body(route)))
            assert models, route.path
            assert all(issubclass(model, StrictBody) for model in models), models


def route_body(route: Any) -> Any:
    field = getattr(route.original_route, "body_field", None)
    return None if field is None else field.field_info.annotation


def models_in(kind: Any) -> Iterator[type[BaseModel]]:
    """A model, those a union may be, and those inside."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from models_in(field.annotation)
    elif get_origin(kind) in {Annotated, UnionType}:
        for one in get_args(kind):
            yield from models_in(one)


async def declare(running: Running, body: bytes) -> tuple[int, str, str]:
    olive = await running.as_("olive")
    answer = await olive.post("/api/declarations", content=body, headers={"Content-Type": "application/json"})
    problem = answer.json()
    return answer.status_code, problem.get("type"), problem.get("detail")
