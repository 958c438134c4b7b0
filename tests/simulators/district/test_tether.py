"""A tethered program ends with the one that started it, and does not begin without it."""

import os
import subprocess
import sys
import time

TETHER = (sys.executable, "-m", "simulators.district.tether")
SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
STARTER = (
    "import os, subprocess, sys; child = subprocess.Popen([*sys.argv[1:4], str(os.getpid()), *sys.argv[4:]],"
    " stdout=subprocess.PIPE); child.stdout.readline(); print(child.pid, flush=True); sys.stdin.read()"
)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
            return stat.read().rsplit(") ", 1)[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_without_its_parent_it_does_not_begin() -> None:
    ended = subprocess.run([*TETHER, "1", *SLEEPER], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "the parent is gone" in ended.stderr


def test_it_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, *TETHER, *SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        assert alive(child)
        os.kill(starter.pid, 9)
        starter.wait(10)
        end = time.monotonic() + 20
        while alive(child):
            assert time.monotonic() < end, "the child went on"
            time.sleep(0.01)
