"""Only one program holds an agent's doors, and the kernel gives the right back however that program ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.storage.lock_file import AlreadyHeld, Holding

HOLDER = """
import sys
from pathlib import Path
from edge_agent.storage.lock_file import Holding
holding = Holding(Path(sys.argv[1]), "another agent")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    first = Holding(tmp_path, "the agent")
    with pytest.raises(AlreadyHeld, match=f"the agent, process {os.getpid()}"):
        Holding(tmp_path, "a walk test")
    first.release()
    first.release()
    Holding(tmp_path, "a walk test").release()


def test_the_right_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyHeld, match=f"another agent, process {holder.pid}"):
            Holding(tmp_path, "a walk test")
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        Holding(tmp_path, "a walk test").release()
