"""The means of the hardware tests: a guest that does not end is ended, and only a whole kernel is booted."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.hardware import machine
from tests.hardware.conftest import BUILD_S

BUILD_KERNEL = machine.HERE / "build-kernel"

pytestmark = [pytest.mark.hardware, pytest.mark.timeout(BUILD_S)]


def cached(cache: Path) -> subprocess.CompletedProcess[str]:
    """What build-kernel finds there, without building."""
    return subprocess.run(
        [BUILD_KERNEL, "--cached"],
        env={**os.environ, "DOORWARD_KERNEL_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_guest_that_does_not_end_is_ended_and_leaves_no_process(tmp_path: Path) -> None:
    linux = Path(shutil.copy(machine.kernel(), tmp_path))  # its processes are told from other guests' by their path
    with pytest.raises(machine.GuestFailed, match=r"no end within 0\.3 s"):
        machine.run_suite(linux, machine.GUEST / "doors.py", within=0.3)
    assert not [pid for pid in Path("/proc").glob("[0-9]*") if _runs(pid, linux)]


def test_a_guest_whose_suite_cannot_be_run_shows_its_console() -> None:
    with pytest.raises(machine.GuestFailed, match=r"(?s)status 4.*file or directory not found.*no_such_suite"):
        machine.run_suite(machine.kernel(), machine.GUEST / "no_such_suite.py", within=60)


def test_only_a_whole_kernel_is_taken_from_a_cache(tmp_path: Path) -> None:
    kept = machine.kernel().parent
    assert cached(tmp_path).returncode == 1, "an empty cache has none"
    shutil.copytree(kept, tmp_path / kept.name)
    assert cached(tmp_path).stdout.strip() == str(tmp_path / kept.name / "linux")
    with (tmp_path / kept.name / "linux").open("r+b") as linux:
        linux.truncate(100_000)
    assert cached(tmp_path).returncode == 1, "a damaged one is none"


def _runs(pid: Path, program: Path) -> bool:
    try:
        return (pid / "exe").readlink() == program
    except OSError:
        return False
