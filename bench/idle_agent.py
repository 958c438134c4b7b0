"""Measures what an idle agent costs a Pi: memory and processor time with 8 doors and 2 readers.

The agent is a process of its own (this module run as a program); readers and broker are others, so that only the
agent is measured. The mock pins stand where a Pi has its GPIO driver.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import children
from bench.agent_rig import AgentRig, ReaderOnLine
from bench.badge import BAUD, DOORS, READERS, virtual_readers
from bench.processes import cpu_seconds, rss_mib

SETTLE_S = 5.0
WATCH_S = 20.0


def measure() -> dict[str, float]:
    """Measure agent_rss_mib and agent_idle_cpu_percent (of one core)."""
    with (
        tempfile.TemporaryDirectory() as folder,
        children.embedded_broker() as port,
        virtual_readers(READERS, BAUD) as line,
    ):
        readers = json.dumps([[r.device, r.address, r.key.hex(), r.door] for r in line.on_line(BAUD)])
        agent = ["bench.idle_agent", "--folder", folder, "--broker-port", str(port)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with children.running(agent, **pipes) as process:
            assert process.stdin is not None
            process.stdin.write(readers.encode() + b"\n")  # keys do not go on a command line
            process.stdin.flush()
            children.read_json_line(process)
            time.sleep(SETTLE_S)
            before = cpu_seconds(process.pid)
            time.sleep(WATCH_S)
            used = cpu_seconds(process.pid) - before
            return {
                "agent_rss_mib": round(rss_mib(process.pid), 1),
                "agent_idle_cpu_percent": round(used / WATCH_S * 100, 2),
            }


async def _run(folder: Path, port: int, readers: tuple[ReaderOnLine, ...]) -> None:
    rig = AgentRig(folder, port, DOORS, readers=readers)
    running = asyncio.create_task(rig.agent.run())
    await rig.agent.link.mqtt.wait_connected()
    bus = next(iter(rig.agent.readers.buses.values()))
    async with asyncio.timeout(20):
        while not all(bus.online(reader) for reader in rig.agent.readers.buses):
            await asyncio.sleep(0.05)
    sys.stdout.write(json.dumps({"ready": DOORS}) + "\n")
    sys.stdout.flush()
    await running


def main() -> None:
    """Run the agent's process, which reads its readers from standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--broker-port", type=int, required=True)
    arguments = parser.parse_args()
    described = json.loads(sys.stdin.readline())
    readers = tuple(
        ReaderOnLine(device, BAUD, address, bytes.fromhex(key), door) for device, address, key, door in described
    )
    asyncio.run(_run(arguments.folder, arguments.broker_port, readers))


if __name__ == "__main__":
    main()
