"""Boots the guest: Debian's kernel as a process, with simulated GPIO, on the host's own root, and one suite in it.

The guest has no network and no disk of its own; it sees the host's files read-only and runs this very Python. What
it can be given from outside are serial lines. Knows nothing of what a suite tests.
"""

import ast
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.sources import tree_of

HERE = Path(__file__).parent
GUEST = HERE / "guest"
MEMORY_MB = 224
"""What a guest may use. It comes from a file in a memory file system, as far as it is touched."""

PYTEST_RAN = {"0", "1"}
"""All passed, or some failed; anything else and there are no results to speak of."""


def kernel() -> Path:
    """The kernel's path; built first if it must be (minutes). Raises CalledProcessError, having said why."""
    built = subprocess.run([HERE / "build-kernel"], check=True, stdout=subprocess.PIPE, text=True)
    return Path(built.stdout.strip())


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test in the guest ended."""

    passed: bool
    story: str
    """What it said, if it failed."""
    seconds: float


class GuestFailed(Exception):  # noqa: N818 - says what happened
    """The guest did not come to an end, or left no results."""


def run_suite(
    linux: Path,
    suite: Path,
    *,
    within: float,
    serial: Sequence[str] = (),
    fds: Sequence[int] = (),
    files: Mapping[str, str] | None = None,
    options: str = "",
) -> Mapping[str, Outcome]:
    """Boot, run a suite with pytest, return {test: outcome}. Raises :class:`GuestFailed` with the console.

    ``serial``: what the guest's /dev/ttyS0, ttyS1, … are on the host: ``tty:/dev/pts/7``, or ``fd:5,fd:6`` (in,
    out); such ``fds`` are handed over to it. ``files`` are put into its /run/out. ``options``: more of a kernel
    command line. ``within`` in seconds.
    """
    with tempfile.TemporaryDirectory(prefix="doorward-guest-") as folder:
        out = Path(folder) / "out"
        out.mkdir()
        (out / "entropy").write_bytes(os.urandom(64))
        for name, text in (files or {}).items():
            (out / name).write_text(text)
        console = Path(folder) / "console"
        with console.open("wb") as said:
            guest = subprocess.Popen(
                _command(linux, suite, Path(folder), serial=serial, options=options),
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
                pass_fds=fds, start_new_session=True, env={**os.environ, "TMPDIR": _memory_folder()},
            )  # fmt: skip
            try:
                guest.wait(within)
            except subprocess.TimeoutExpired:
                raise GuestFailed(f"no end within {within} s; its console:\n{_tail(console)}") from None
            finally:
                # Its processes are the host's too; whatever is left of them goes with the first.
                _end(guest)
        status = out / "status"
        ended = status.read_text() if status.exists() else "none"
        if ended not in PYTEST_RAN:
            raise GuestFailed(f"pytest did not run there (status {ended}); the guest's console:\n{_tail(console)}")
        return _outcomes(out / "results.xml")


def tests_of(suite: str) -> list[str]:
    """The names of a suite's tests, read from its source: a suite is not imported on the host."""
    tree = tree_of(GUEST / suite)
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def _command(
    linux: Path, suite: Path, folder: Path, *, serial: Sequence[str], options: str
) -> list[str | os.PathLike[str]]:
    lines = [f"ssl{n}={line}" for n, line in enumerate(serial)]
    return [
        linux, f"mem={MEMORY_MB}M", f"uml_dir={folder}/",
        "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
        "con0=null,fd:1", "con=null", *lines, "ssl=null", *options.split(),
        f"init={sys.executable}", "--", "-u", GUEST / "init.py", suite, folder / "out",
    ]  # fmt: skip


def _memory_folder() -> str:
    """/dev/shm, unless it is small (64 MB in many a container) or forbids running programs from it."""
    with contextlib.suppress(OSError):
        shm = os.statvfs("/dev/shm")
        roomy = shm.f_bavail * shm.f_frsize > 3 * MEMORY_MB * 1_000_000
        if roomy and not shm.f_flag & os.ST_NOEXEC:
            return "/dev/shm"
    return tempfile.gettempdir()


def _end(guest: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(guest.pid, signal.SIGKILL)
    guest.wait()


def _tail(console: Path) -> str:
    return console.read_text(errors="replace")[-8_000:]


def _outcomes(results: Path) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for case in ET.parse(results).iter("testcase"):  # noqa: S314 - our own guest wrote it
        bad = [child for child in case if child.tag in {"failure", "error", "skipped"}]
        story = "\n".join((child.text or child.get("message") or "") for child in case)
        before = found.get(case.get("name", ""))
        passed = not bad and (before is None or before.passed)  # an error in a teardown is a case of its own
        found[case.get("name", "")] = Outcome(passed, story, float(case.get("time", 0)))
    return found
