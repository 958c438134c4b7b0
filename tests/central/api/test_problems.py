"""What is not served is refused in the form that the API's document promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.central.centrals import Town
from tests.support.brokers import RunningBroker, mosquitto

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW")


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


async def test_a_method_that_an_address_has_not_is_answered_with_all_that_it_has(
    tmp_path: Path, broker: RunningBroker
) -> None:
    async with Town(tmp_path).central(broker) as running:
        client = running.anyone()
        for path, operations in running.central.application.openapi()["paths"].items():
            has = {method.upper() for method in operations}
            for method in METHODS:
                if method not in has:
                    answer = await client.request(method, path)
                    assert answer.status_code == 405, (method, path)
                    assert set(answer.headers["Allow"].split(", ")) == has, (method, path)
                    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_an_address_that_the_api_has_not_is_not_looked_for_among_the_consoles_files(
    tmp_path: Path, broker: RunningBroker
) -> None:
    async with Town(tmp_path).central(broker) as running:
        for method in METHODS:
            answer = await running.anyone().request(method, "/api/nothing")
            assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json"), method


async def test_every_route_documents_what_may_go_wrong_at_any(tmp_path: Path, broker: RunningBroker) -> None:
    async with Town(tmp_path).central(broker) as running:
        for path, operations in running.central.application.openapi()["paths"].items():
            for method, operation in operations.items():
                expected = {"422", "500", "503"} | ({"413"} if "requestBody" in operation else set())
                assert expected <= set(operation["responses"]), (method, path)
                for status in expected:
                    content = operation["responses"][status]["content"]
                    assert set(content) == {"application/problem+json"}, (method, path, status)
                    assert content["application/problem+json"]["schema"]["title"] == "Problem"
