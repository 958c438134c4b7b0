"""Runs a district's central in a process of its own: many sites, one responder signed in."""

import contextlib
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from bench import children
from bench.replayers import AGENT, door_name, site_name
from ground.free_port import free_port
from protocol.signing import SigningKey
from protocol.words import KeyRole

USER = "bench"


@dataclass(frozen=True, slots=True)
class RunningCentral:
    """A central that answers, and a client signed in to it."""

    pid: int
    client: httpx.Client
    database: Path

    def overview(self) -> dict[str, object]:
        """The district's overview as central shows it now."""
        return dict(self.client.get("/api/overview").raise_for_status().json())


def write_district(path: Path, sites: int, doors: int) -> None:
    """Write a district.yaml of ``sites`` sites with one agent of ``doors`` doors each."""
    key = SigningKey.generate("bench").trusted(KeyRole.AGENT)
    path.write_text(
        yaml.dump(
            {
                "district": {"name": "Bench", "timezone": "UTC"},
                "schedules": {},
                "sites": [
                    {
                        "site": site_name(site),
                        "name": f"School {site}",
                        "agents": [
                            {
                                "agent": AGENT,
                                "key": {"kid": f"{site_name(site)}-{AGENT}", "x": key.x},
                                "doors": [{"door": door_name(door), "name": f"Door {door}"} for door in range(doors)],
                            }
                        ],
                        "rules": [],
                    }
                    for site in range(sites)
                ],
                "credentials": [],
            },
            Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
            sort_keys=False,
        )
    )


@contextlib.contextmanager
def central(folder: Path, broker_port: int, sites: int, doors: int) -> Iterator[RunningCentral]:
    """Run central on SQLite in ``folder``; it answers when the block begins."""
    district = folder / "district.yaml"
    write_district(district, sites, doors)
    data, http = folder / "central", free_port()
    password = secrets.token_urlsafe(16)
    doorward = [sys.executable, "-m", "doorward.main", "central"]
    subprocess.run([*doorward, "keygen", "--data", str(data)], check=True, capture_output=True)
    subprocess.run(
        [*doorward, "add-user", USER, "responder", "--data", str(data)],
        check=True, capture_output=True, input=f"{password}\n".encode(),
    )  # fmt: skip
    run = ["doorward.main", "central", "run", "--district", str(district), "--data", str(data)]
    where = ["--broker", f"127.0.0.1:{broker_port}", "--http", f"127.0.0.1:{http}"]
    log = (folder / "central.log").open("wb")
    with log, children.running([*run, *where], stdout=log, stderr=log) as process:
        children.wait_for_port(http, process, deadline_s=90)
        with httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=60) as client:
            answer = client.post("/api/session", json={"username": USER, "password": password}).raise_for_status()
            client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            yield RunningCentral(process.pid, client, data)


def wait_until(condition: object, what: str, deadline_s: float = 60) -> None:
    """Poll a condition (a callable). RuntimeError names it if it does not hold in time."""
    end = time.monotonic() + deadline_s
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come about within {deadline_s:.0f} s")
        time.sleep(0.05)
