"""Replays a district of agents that answer a declaration as fast as a client can: ``python -m bench.replayers``.

Each stands for one site: it holds a realistic snapshot of its doors ready, and at a declaration sends it back with
the declaration's id and revision, its own next number, and every door proven. Between declarations it sends its
heartbeat, so that central sees a living district. The same program answers central and the floor.
"""

import argparse
import asyncio
import base64
import json
import sys
import time
import uuid

import msgspec

from bench import raw_mqtt
from bench.raw_mqtt import RawClient
from protocol import codec, proof, topics
from protocol.messages import AgentStatus, DoorState, Evidence, OutboxState, Stamp, StateSnapshot
from protocol.topics import TopicKind
from protocol.words import Bolt, Condition, Contact, DoorMode

AGENT = "main"


def site_name(number: int) -> str:
    """The name of the bench's nth site."""
    return f"site-{number:03}"


def door_name(number: int) -> str:
    """The name of a site's nth door."""
    return f"door-{number:02}"


def doors_json(doors: int, ids: tuple[str, ...]) -> bytes:
    """The doors of a snapshot, all proven under these declarations: the same for each site, so encoded once."""
    evidence = Evidence(contact=Contact.CLOSED, bolt=Bolt.THROWN, bolt_fitted=True, age_ms=4, locked_ms=9)
    return msgspec.json.encode(
        [
            DoorState(
                door=door_name(number),
                mode=DoorMode.SECURED if ids else DoorMode.CONTROLLED,
                condition=Condition.SECURE,
                released=False,
                evidence=evidence,
                declarations=ids,
            )
            for number in range(doors)
        ]
    )


class Replayer:
    """The agent of one site."""

    def __init__(self, number: int) -> None:
        self.site = site_name(number)
        self.session = uuid.uuid4().hex
        self.seq = 0
        self.topic = topics.of_agent(TopicKind.STATE, self.site, AGENT)

    def snapshot(self, applied: dict[str, int], doors: bytes) -> bytes:
        """The PUBLISH of the site's next snapshot."""
        self.seq += 1
        snapshot = StateSnapshot(
            session=self.session,
            seq=self.seq,
            at=Stamp(mono_ms=time.monotonic_ns() // 10**6, utc_ns=time.time_ns(), clock_trusted=True, boot="bench"),
            applied=applied,
            doors=(),
            config_version=1,
            outbox=OutboxState(depth=0, capacity=500_000, last_seq=1),
        )
        payload = codec.encode(snapshot).replace(b'"doors":[]', b'"doors":' + doors, 1)
        return raw_mqtt.publish_packet(self.topic, payload, retain=True)

    def hello(self) -> bytes:
        """The PUBLISH of its status."""
        topic = topics.of_agent(TopicKind.STATUS, self.site, AGENT)
        status = AgentStatus(online=True, session=self.session, versions={"doorward": "bench"})
        return raw_mqtt.publish_packet(topic, codec.encode(status), qos=1, retain=True)


class ReplayedDistrict:
    """All replayers on their connections."""

    def __init__(self, port: int, sites: int, doors: int) -> None:
        self._port = port
        self._replayers = [Replayer(number) for number in range(sites)]
        self._door_count = doors
        self._declared = b""
        self._applied: dict[str, int] = {}
        self._doors = doors_json(doors, ())
        self._clients: list[RawClient] = []

    async def run(self) -> None:
        """Connect, publish each status, and answer until the process is ended."""
        filters = [(topics.district_declarations(), 1)]
        for replayer in self._replayers:

            def answer(client: RawClient, flags: int, body: bytes, replayer: Replayer = replayer) -> None:
                self._take(raw_mqtt.topic_and_payload(flags, body)[1])
                client.send(replayer.snapshot(self._applied, self._doors))

            client = RawClient(f"replayer-{replayer.site}", filters, answer)
            self._clients.append(await raw_mqtt.connect(self._port, client))
            client.send(replayer.hello())
        sys.stdout.write(json.dumps({"ready": len(self._clients)}) + "\n")
        sys.stdout.flush()
        await self._beat()

    async def _beat(self) -> None:
        """Heartbeats, spread over their interval as a district's are."""
        pause = proof.SNAPSHOT_EVERY_MS / 1000 / len(self._clients)
        due = time.monotonic()
        while True:
            for replayer, client in zip(self._replayers, self._clients, strict=True):
                client.send(replayer.snapshot(self._applied, self._doors))
                due += pause
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _take(self, jws: bytes) -> None:
        """Make the answer to a declaration set; once, since all sites get the same bytes."""
        if self._declared == jws:
            return
        self._declared = jws
        payload = jws.split(b".")[1]
        document = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        self._applied = {document["audience"]: document["revision"]}
        self._doors = doors_json(self._door_count, tuple(found["id"] for found in document["declarations"]))


def main() -> None:
    """Run as a process of its own, as agents are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sites", type=int, default=640)
    parser.add_argument("--doors", type=int, default=50)
    arguments = parser.parse_args()
    asyncio.run(ReplayedDistrict(arguments.port, arguments.sites, arguments.doors).run())


if __name__ == "__main__":
    main()
