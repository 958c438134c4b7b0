"""The shipped files of both brokers, on real ones with certificates: what a large school gets over the bridge."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

import aiomqtt
import pytest

from ground.free_port import free_port
from tests.support.brokers import HOST, MOSQUITTO, RunningBroker
from tests.support.waiting import until

TEMPLATES = Path(__file__).parents[2] / "firmware_config" / "broker"
ROOT = "doorward/v1"

AGENTS, PAGES = 6, 200
"""More than the thousand messages that Mosquitto queues if it is told nothing, and those in flight."""

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificate(tls: Path, authority: Path, name: str) -> None:
    """As an installer would put it there: the broker's files, under this common name, for this machine's address."""
    tls.mkdir(parents=True)
    openssl(tls, "req", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", "broker.key", "-out", "broker.csr")
    (tls / "extensions").write_text(f"subjectAltName=IP:{HOST}\n")
    signing = ("-CA", str(authority / "ca.crt"), "-CAkey", str(authority / "ca.key"), "-CAcreateserial")
    openssl(tls, "x509", "-req", "-in", "broker.csr", *signing, "-extfile", "extensions", "-out", "broker.crt")
    (tls / "ca.crt").write_bytes((authority / "ca.crt").read_bytes())


@dataclass(frozen=True)
class Brokers:
    """The district's and a school's; the school's is still to be started."""

    folder: Path
    district: RunningBroker
    school: RunningBroker

    def client(self, broker: RunningBroker, name: str | None, username: str | None = None) -> aiomqtt.Client:
        """A client with the certificate of this name."""
        tls = self.folder / (name or "district") / "tls"
        context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
        if name is not None:
            context.load_cert_chain(tls / "broker.crt", tls / "broker.key")
        return aiomqtt.Client(
            HOST,
            broker.port,
            protocol=aiomqtt.ProtocolVersion.V5,
            tls_context=context,
            username=username,
            password=None if username is None else "pw",
        )


def shipped(name: str, folder: Path, access: str, **instead: str) -> RunningBroker:
    """A broker run by a shipped file, in which only folders and addresses are others."""
    port = free_port()
    (folder / "lib").mkdir()
    (folder / "broker-acl").write_text(access)
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(folder / "broker-passwords"), "watcher", "pw"], check=True)
    text = (TEMPLATES / name).read_text()
    places = {
        "/etc/doorward": str(folder),
        "/var/lib/mosquitto": str(folder / "lib"),
        "listener 8883": f"listener {port}",
    }
    for old, new in (places | instead).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "conf").write_text(f"user root\n{text}")  # or the files would have to be another user's
    return RunningBroker(port, [MOSQUITTO, "-c", str(folder / "conf")], folder / "log")


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Brokers]:
    openssl(tmp_path, "req", "-x509", *NEW_KEY, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt")
    for name in ("district", "oak", "central"):
        certificate(tmp_path / name / "tls", tmp_path, name)
    central, bridge = (Template((TEMPLATES / f"acl-{who}.template").read_text()) for who in ("central", "bridge"))
    access = [central.substitute(central="central"), *(bridge.substitute(site=site) for site in ("oak", "elm"))]
    district = shipped("mosquitto-district.conf", tmp_path / "district", "\n".join(access))
    there = {"district-broker.example:8883": f"{HOST}:{district.port}", "SITE": "oak"}
    school = shipped("mosquitto-site.conf", tmp_path / "oak", "user watcher\ntopic readwrite doorward/#\n", **there)
    district.start()
    try:
        yield Brokers(tmp_path, district, school)
    finally:
        school.kill()
        district.kill()


@contextlib.asynccontextmanager
async def hearing(client: aiomqtt.Client, *filters: str) -> AsyncIterator[dict[str, bytes]]:
    """What a client hears, by topic."""
    heard: dict[str, bytes] = {}

    async def hear() -> None:
        async for message in client.messages:
            heard[message.topic.value] = bytes(message.payload)  # type: ignore[arg-type]

    for one in filters:
        await client.subscribe(one, qos=0)  # of which the broker queues no less
    task = asyncio.create_task(hear())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_large_school_gets_every_page_and_configuration_and_says_what_it_has_to_say(brokers: Brokers) -> None:
    documents = {f"{ROOT}/declarations", f"{ROOT}/oak/declarations"}
    for agent in range(AGENTS):
        documents |= {f"{ROOT}/oak/a{agent}/credentials/{page}" for page in range(PAGES)}
        documents.add(f"{ROOT}/oak/a{agent}/config")
    async with brokers.client(brokers.district, "central") as central:
        for topic in sorted(documents):
            await central.publish(topic, b"document", qos=1, retain=True)
        brokers.school.start()
        async with (
            brokers.client(brokers.school, None, "watcher") as watcher,
            hearing(watcher, "doorward/#") as in_school,
            hearing(central, f"{ROOT}/+/+/events", f"{ROOT}/+/+/declarations") as by_central,
        ):
            await until(lambda: documents <= in_school.keys(), "every document at the school", within=20)
            await central.publish(f"{ROOT}/oak/a0/command", b"grant", qos=1)
            await until(lambda: f"{ROOT}/oak/a0/command" in in_school, "a command")
            for topic in (f"{ROOT}/oak/a0/events", f"{ROOT}/oak/a0/declarations"):
                await watcher.publish(topic, b"said", qos=1)
                await until(lambda topic=topic: by_central.get(topic) == b"said", topic)


async def test_a_school_that_was_broken_into_speaks_for_itself_alone_and_hears_no_other(brokers: Brokers) -> None:
    async with (
        brokers.client(brokers.district, "central") as central,
        brokers.client(brokers.district, "oak") as oak,
        hearing(central, f"{ROOT}/+/+/events", f"{ROOT}/+/+/declarations") as by_central,
        hearing(oak, "doorward/#") as by_oak,
    ):
        for topic in (
            "elm/east/events",
            "elm/east/declarations",
            "declarations",
            "oak/declarations",
            "oak/a0/config",
        ):
            await oak.publish(f"{ROOT}/{topic}", b"forged", qos=1)
        await oak.publish(f"{ROOT}/oak/a0/events", b"own", qos=1)
        await until(lambda: by_central, "its own")
        assert by_central == {f"{ROOT}/oak/a0/events": b"own"}
        for topic in ("elm/east/credentials/0", "elm/east/config", "elm/east/command", "elm/declarations"):
            await central.publish(f"{ROOT}/{topic}", b"another's", qos=1)
        await central.publish(f"{ROOT}/declarations", b"everybody's", qos=1)
        await until(lambda: by_oak, "what is everybody's")
        assert by_oak == {f"{ROOT}/declarations": b"everybody's"}


def test_nobody_comes_to_the_districts_broker_without_a_certificate(brokers: Brokers) -> None:
    context = ssl.create_default_context(cafile=str(brokers.folder / "ca.crt"))
    with (
        pytest.raises(ssl.SSLError),
        socket.create_connection((HOST, brokers.district.port), 10) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as wrapped,
    ):
        wrapped.recv(1)


def test_credentials_cross_the_bridge_on_a_connection_of_their_own_so_that_no_lockdown_queues_behind_them() -> None:
    connections = (TEMPLATES / "mosquitto-site.conf").read_text().split("\nconnection ")[1:]
    carried = [[line for line in one.splitlines() if line.startswith("topic ")] for one in connections]
    assert len(carried) == 2
    with_credentials = [topics for topics in carried if any("/credentials/" in topic for topic in topics)]
    assert with_credentials == [["topic doorward/v1/SITE/+/credentials/+ in 1"]]
    (others,) = [topics for topics in carried if topics not in with_credentials]
    assert others[0] == "topic doorward/v1/declarations in 1"
