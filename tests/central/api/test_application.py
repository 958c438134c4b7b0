"""The API's own document: complete, without warnings, and true of what is answered."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from central.live.view_types import DeclarationDetail, DoorDetail, Overview, SiteView
from tests.central.centrals import AgentVoice, Town
from tests.support.brokers import RunningBroker, mosquitto
from tests.support.waiting import until


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


async def test_the_document_generates_without_warnings_and_each_route_says_what_it_is(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            document = running.central.application.openapi()
        assert caught == []
        operations = [
            (f"{method} {path}", operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
        assert len(operations) >= 20
        assert len({operation["operationId"] for _, operation in operations}) == len(operations)
        for name, operation in operations:
            assert operation["summary"], name
            assert operation["tags"], name
            assert operation["description"], name
            errors = {status: one for status, one in operation["responses"].items() if int(status) >= 400}
            assert errors or name == "get /api/health", name
            assert all("application/problem+json" in one["content"] for one in errors.values()), name
            assert "HTTPValidationError" not in str(operation), name
        assert {tag["name"] for tag in document["tags"]} == {tag for _, one in operations for tag in one["tags"]}


async def test_what_is_answered_is_of_the_documented_shape(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        made = await running.declare("olive")
        await agent.happen("access_denied", "front", reason="expired")
        await until(lambda: running.central.closure.summary(made["id"]).proven == 2, "two proven doors")

        async def check(kind: Any, path: str, **query: Any) -> Any:
            found = await running.get("olive", path, **query)
            TypeAdapter(kind).validate_python(found, strict=True, extra="forbid")
            return found

        overview = await check(Overview, "/api/overview")
        assert overview["totals"]["proven"] == 2
        assert overview["sites"][0]["declarations"] == [made["id"]]
        site = await check(SiteView, "/api/sites/lincoln")
        assert agent.config is not None
        assert site["agents"][0]["config_wanted"] == agent.config.version
        assert site["doors"][0]["proven"]
        assert abs(site["server_ms"] - site["doors"][0]["evidence_at_ms"]) < 12_000
        await check(DoorDetail, "/api/sites/lincoln/doors/front")
        await check(DeclarationDetail, f"/api/declarations/{made['id']}")
        history = await running.get("olive", "/api/history/agents", site="lincoln")
        assert history["series"][0]["points"][-1]["alive_ms"] > 0
        assert (await running.get("olive", "/api/history/doors", site="lincoln"))["resolution_ms"] == 300_000


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"site": "lincoln", "from_ms": 5, "to_ms": 5}, "not before"),
        ({"site": "lincoln", "from_ms": 0, "to_ms": 10**12, "resolution_ms": 1_000}, "resolution_ms of 500000000"),
        ({"site": "lincoln", "resolution_ms": 10}, "resolution_ms"),
        ({}, "site"),
    ],
)
async def test_a_range_that_cannot_be_served_is_refused_with_what_would_do(
    town: Town, broker: RunningBroker, query: dict[str, Any], says: str
) -> None:
    async with town.central(broker) as running:
        answer = await (await running.as_("olive")).get("/api/history/doors", params=query)
        assert answer.status_code == 422
        assert says in answer.json()["detail"]


async def test_the_reference_page_lists_every_route_and_runs_nothing(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        page = (await running.anyone().get("/docs")).text
        for path in running.central.application.openapi()["paths"]:
            assert path in page
        assert "<script" not in page
        assert not re.search(r'(src|href)="https?:', page)
