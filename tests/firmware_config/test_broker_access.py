"""The broker's access list, on a real Mosquitto: an agent speaks for itself alone and hears what concerns it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from string import Template

import aiomqtt
import pytest

from ground.free_port import free_port
from tests.support.brokers import HOST, MOSQUITTO, RunningBroker

TEMPLATES = Path(__file__).parents[2] / "firmware_config" / "broker"
USERS = ("oak.east", "oak.west", "central")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    folder = tmp_path_factory.mktemp("broker")
    agent = Template((TEMPLATES / "acl-agent.template").read_text())
    central = Template((TEMPLATES / "acl-central.template").read_text())
    blocks = [agent.substitute(site="oak", agent=name) for name in ("east", "west")]
    access = "\n".join([*blocks, central.substitute(central="central")])
    (folder / "acl").write_text(access)
    for number, user in enumerate(USERS):
        create = ["-c"] if number == 0 else []
        subprocess.run(["mosquitto_passwd", *create, "-b", str(folder / "passwords"), user, "pw"], check=True)
    for path in (folder, folder / "acl", folder / "passwords"):
        path.chmod(0o755)
    port = free_port()
    (folder / "conf").write_text(
        f"listener {port} {HOST}\nallow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/acl\n"
    )
    for parent in folder.parents:
        if parent != Path("/tmp") and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    running = RunningBroker(port, [MOSQUITTO, "-c", str(folder / "conf")], folder / "log")
    running.start()
    yield running
    running.kill()


@asynccontextmanager
async def signed_in(broker: RunningBroker, user: str) -> AsyncIterator[aiomqtt.Client]:
    protocol = aiomqtt.ProtocolVersion.V5
    async with aiomqtt.Client(HOST, broker.port, username=user, password="pw", protocol=protocol) as client:
        yield client


async def heard(client: aiomqtt.Client) -> list[tuple[str, bytes]]:
    """All that has come before the client's own closing word."""
    found: list[tuple[str, bytes]] = []
    async with asyncio.timeout(30):
        async for message in client.messages:
            if message.payload == b"closing word":
                return found
            found.append((message.topic.value, bytes(message.payload)))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("topic", ["status", "state", "events", "declarations"])
async def test_central_hears_an_agent_on_its_own_topics_only(broker: RunningBroker, topic: str) -> None:
    async with signed_in(broker, "central") as central, signed_in(broker, "oak.east") as east:
        await central.subscribe("doorward/v1/+/+/" + topic, qos=1)
        await east.publish(f"doorward/v1/oak/east/{topic}", b"own", qos=1)
        await east.publish(f"doorward/v1/oak/west/{topic}", b"another's", qos=1)
        await east.publish(f"doorward/v1/elm/east/{topic}", b"another school's", qos=1)
        await east.publish(f"doorward/v1/oak/east/{topic}", b"closing word", qos=1)
        assert await heard(central) == [(f"doorward/v1/oak/east/{topic}", b"own")]


async def test_an_agent_hears_the_district_its_school_and_its_siblings_panic_but_not_their_commands(
    broker: RunningBroker,
) -> None:
    async with (
        signed_in(broker, "central") as central,
        signed_in(broker, "oak.west") as west,
        signed_in(broker, "oak.east") as east,
    ):
        await east.subscribe("doorward/v1/#", qos=1)
        await central.publish("doorward/v1/declarations", b"district", qos=1)
        await central.publish("doorward/v1/oak/declarations", b"school", qos=1)
        await central.publish("doorward/v1/elm/declarations", b"another school", qos=1)
        await central.publish("doorward/v1/oak/west/command", b"another's command", qos=1)
        await central.publish("doorward/v1/oak/west/credentials/0", b"another's people", qos=1)
        await central.publish("doorward/v1/oak/east/credentials/3", b"my people", qos=1)
        await west.publish("doorward/v1/oak/west/declarations", b"panic", qos=1)
        await west.publish("doorward/v1/oak/west/state", b"another's doors", qos=1)
        await central.publish("doorward/v1/oak/east/command", b"closing word", qos=1)
        assert [payload for _, payload in await heard(east)] == [b"district", b"school", b"my people", b"panic"]


async def test_an_agent_cannot_speak_for_the_district(broker: RunningBroker) -> None:
    async with signed_in(broker, "oak.west") as west, signed_in(broker, "oak.east") as east:
        await west.subscribe("doorward/v1/#", qos=1)
        district = ("declarations", "oak/declarations")
        for topic in (*district, "oak/west/config", "oak/west/credentials/0", "oak/west/command"):
            await east.publish(f"doorward/v1/{topic}", b"forged", qos=1)
        await east.publish("doorward/v1/oak/east/declarations", b"closing word", qos=1)
        assert await heard(west) == []


async def test_nobody_gets_in_without_a_password(broker: RunningBroker) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client(HOST, broker.port, protocol=aiomqtt.ProtocolVersion.V5):
            pass
