"""Momentary acts over HTTP that take more than a door: what goes with them, and who may."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.central.centrals import AgentVoice, Town
from tests.support.brokers import RunningBroker, mosquitto
from tests.support.waiting import until

PATH = "/api/sites/lincoln/doors/gym/commands"


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


async def test_a_command_carries_what_its_kind_asks_for_and_nothing_else(
    tmp_path: Path, broker: RunningBroker
) -> None:
    town = Town(tmp_path)
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        felix = await running.as_("felix")
        body = {"kind": "forgive_passback", "cardholder": "ch-0001"}
        assert (await felix.post(PATH, json=body)).status_code == 202
        await until(lambda: agent.commands, "the command at the agent")
        assert agent.commands[0].data == {"cardholder": "ch-0001"}
        log = await running.get("ada", "/api/audit")
        [entry] = [entry for entry in log if entry["action"] == "commanded"]
        assert entry["detail"]["cardholder"] == "ch-0001"
        for wrong in (
            {"kind": "grant", "cardholder": "ch-0001"},
            {"kind": "rotate_reader_key"},
            {"kind": "grant", "reader": "gym-in"},
        ):
            assert (await felix.post(PATH, json=wrong)).status_code == 422


async def test_a_duress_alarm_is_cleared_by_those_who_may_release_and_command(
    tmp_path: Path, broker: RunningBroker
) -> None:
    async with Town(tmp_path).central(broker) as running:
        people = {"olive": 202, "rita": 403, "felix": 403, "ada": 202}
        answers = {name: await (await running.as_(name)).post(PATH, json={"kind": "clear_duress"}) for name in people}
        assert {name: answer.status_code for name, answer in answers.items()} == people
        assert "officer or administrator" in answers["felix"].json()["detail"]
