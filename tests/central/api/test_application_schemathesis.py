"""Schemathesis asks a running central, as each role, whatever its document allows and much that it does not.

In the suite a few examples of each operation, always the same; ``make fuzz`` asks for more, and others each time.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.central.centrals import PASSWORD, AgentVoice, Running, Town
from tests.support.brokers import RunningBroker, mosquitto

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ALL_PHASES = "examples,coverage,fuzzing,stateful"
EXAMPLES = os.environ.get("DOORWARD_FUZZ_EXAMPLES")
REPEATABLE = ["--generation-deterministic", "--max-examples", "4"]


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


@pytest.mark.parametrize(
    ("who", "phases"),
    [
        ("ada", ALL_PHASES),  # an administrator, who may do everything
        ("olive", "fuzzing"),
        ("rita", "fuzzing"),
        ("felix", "fuzzing"),
    ],
)
async def test_what_schemathesis_asks_is_answered_as_the_document_says(
    tmp_path: Path, broker: RunningBroker, who: str, phases: str
) -> None:
    town = Town(tmp_path)
    async with town.central(broker) as running, AgentVoice(town, broker).speaking():
        options = REPEATABLE if EXAMPLES is None else ["--max-examples", EXAMPLES]
        status, says = await schemathesis(
            running, who, "--phases", phases if EXAMPLES is None else ALL_PHASES, *options
        )
        operations = sum(map(len, running.central.application.openapi()["paths"].values()))
        assert status == 0, says
        assert f"Tested: {operations}\n" in says, says
        assert (await running.get(who, "/api/session"))["username"] == who


async def schemathesis(running: Running, who: str, *options: str) -> tuple[int, str]:
    """Its exit status and what it wrote. A process of its own: it is large, and its requests block."""
    address = running.central.address
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run"),
        *(f"{address}/api/openapi.json", "--no-color", *options),
        env={
            **os.environ,
            "DOORWARD_ADDRESS": address,
            "DOORWARD_NAME": who,
            "DOORWARD_PASSWORD": PASSWORD,
            "DOORWARD_HOOKS": str(HERE / "schemathesis_hooks.py"),
        },
        cwd=running.town.folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        written, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, written.decode()
