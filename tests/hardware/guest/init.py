"""The guest's first process: mounts what a Pi's userland has, runs one suite with pytest, and switches off.

Not a test, and never run on a host: the kernel starts it with the suite's path and the host's output directory
(see `tests.hardware.machine`). The root is the host's own, read-only; what is written lives in memory, except in
the output directory, where the results go.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
import traceback
from pathlib import Path

RUN = Path("/run")
OUT = RUN / "out"
POWER_OFF = 0x4321FEDC  # LINUX_REBOOT_CMD_POWER_OFF, reboot(2)
BIND = 0x1000  # MS_BIND, mount(2)
RNDADDENTROPY = 0x40085203  # random(4)
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1

PI_4B = "b03115"
"""A revision code of the Raspberry Pi 4 B: gpiozero takes the board's pins from it."""

libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2). Raises OSError."""
    if libc.mount(source.encode(), str(target).encode(), kind.encode(), flags, data.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind} {source}: {os.strerror(number)}", str(target))


def furnish(out: str, root: Path) -> None:
    """Mount everything, and make this machine a Pi to gpiozero."""
    mount("proc", Path("/proc"), "proc")
    mount("sysfs", Path("/sys"), "sysfs")
    mount("configfs", Path("/sys/kernel/config"), "configfs")
    mount("tmpfs", RUN, "tmpfs")
    OUT.mkdir()
    mount("none", OUT, "hostfs", data=out)
    # A machine of a second's age has no randomness of its own, and keys would wait for it for ever.
    seed = (OUT / "entropy").read_bytes()
    with Path("/dev/random").open("wb") as random:
        fcntl.ioctl(random, RNDADDENTROPY, struct.pack("ii", 8 * len(seed), len(seed)) + seed)
    cpuinfo = RUN / "cpuinfo"
    cpuinfo.write_text(Path("/proc/cpuinfo").read_text() + f"Revision\t: {PI_4B}\n")
    mount(str(cpuinfo), Path("/proc/cpuinfo"), "", BIND)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
    # PYTHONPATH: the agent comes from the tree the tests are in, whatever the environment has installed.
    os.environ |= {"HOME": str(RUN), "TMPDIR": str(RUN / "tmp"), "PATH": os.defpath, "PYTHONPATH": str(root)}
    (RUN / "tmp").mkdir()
    os.chdir(RUN)  # lgpio makes a FIFO where it is imported


def run_suite(suite: Path, root: Path) -> int:
    """pytest's exit status. A child's work, so that the first process stays to reap orphans and switch off."""
    import pytest

    sys.path.insert(0, str(root))
    return pytest.main(
        [
            str(suite),
            f"--rootdir={root}",
            f"--config-file={root / 'pyproject.toml'}",
            f"--confcutdir={suite.parent}",
            f"--junit-xml={OUT / 'results.xml'}",
            f"--basetemp={RUN / 'tmp' / 'pytest'}",
            "--override-ini=junit_logging=all",
            "--override-ini=timeout=0",  # the outside keeps the time
            "-p", "no:cacheprovider",
            "-v", "-rA",
        ]
    )  # fmt: skip


def main() -> None:
    """Run the suite named on the kernel's command line, then end the machine, whatever happens."""
    try:
        suite, out = Path(sys.argv[1]), sys.argv[2]  # the kernel adds a word of its own
        root = next(at for at in suite.parents if (at / "pyproject.toml").exists())
        furnish(out, root)
        child = os.fork()
        if child == 0:
            status = 3
            try:
                status = int(run_suite(suite, root))
            except BaseException:  # noqa: BLE001 - it has to reach the console
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(status)
        reaped = 0
        while reaped != child:
            reaped, ended = os.wait()
        (OUT / "status").write_text(str(os.waitstatus_to_exitcode(ended)))
    except BaseException:  # noqa: BLE001 - it has to reach the console
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os.sync()
        libc.reboot(POWER_OFF)


if __name__ == "__main__":
    main()
