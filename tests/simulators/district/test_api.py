"""What scenarios ask of central, asked of a real one; and how a no, or silence, is reported."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ground.free_port import free_port
from simulators.district.api import ApiError, DistrictApi, wait_for_central
from tests.central.centrals import PASSWORD, Town
from tests.support.brokers import RunningBroker, mosquitto


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


async def test_it_signs_in_looks_declares_and_asks_for_the_end(tmp_path: Path, broker: RunningBroker) -> None:
    async with Town(tmp_path).central(broker) as running, DistrictApi(running.central.address) as api:
        await wait_for_central(api, 10)
        await api.sign_in("olive", PASSWORD)
        assert {site["site"] for site in (await api.overview())["sites"]} == {"lincoln", "oak"}
        assert {door["door"] for door in (await api.site("lincoln"))["doors"]} == {"front", "gym", "back"}
        made = await api.declare("lockdown", {"kind": "site", "site": "lincoln"}, drill=True, reason="a test")
        assert (await api.declaration(made["id"]))["drill"] is True
        assert (await api.door("lincoln", "front"))["condition"] == "unknown"
        await api.release(made["id"])
        assert (await api.declaration(made["id"]))["ended_at_ms"] is not None
        assert await api.events(site="lincoln", kind=None) == []


async def test_a_no_is_raised_with_what_central_said(tmp_path: Path, broker: RunningBroker) -> None:
    async with Town(tmp_path).central(broker) as running, DistrictApi(running.central.address) as api:
        with pytest.raises(ApiError, match="401"):
            await api.overview()
        with pytest.raises(ApiError, match="401"):
            await api.sign_in("olive", "not her password")


async def test_a_central_that_does_not_answer_in_time_is_named() -> None:
    async with DistrictApi(f"http://127.0.0.1:{free_port()}") as api:
        with pytest.raises(ApiError, match="did not answer within 0 s"):
            await wait_for_central(api, 0.3)
