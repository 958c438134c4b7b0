"""Records for tests: a fresh SQLite file, and a private PostgreSQL that lives as long as one test module."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ground.free_port import free_port


def sqlite_url(directory: Path) -> str:
    """The URL of a records file in a directory."""
    return f"sqlite:///{directory / 'central.db'}"


def postgres_binaries() -> Path | None:
    """Where the newest installed PostgreSQL server keeps its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


@contextlib.contextmanager
def private_postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, in a temporary directory, gone at the end."""
    binaries = postgres_binaries()
    assert binaries is not None, "no PostgreSQL server found under /usr/lib/postgresql: run tests/install-services"
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    directory = Path(tempfile.mkdtemp(prefix="doorward-postgres-"))
    if user is not None:
        os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
    port = free_port()
    try:
        subprocess.run(
            [
                binaries / "initdb",
                "-D",
                directory / "data",
                "-U",
                "doorward",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            user=user,
            cwd=directory,
        )
        options = f"-p {port} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = directory / "log"
        control = [binaries / "pg_ctl", "-D", directory / "data", "-w"]
        subprocess.run(
            [*control, "-l", log, "-o", options, "start"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
            cwd=directory,
        )
        try:
            yield f"postgresql+psycopg://doorward@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run(
                [*control, "-m", "immediate", "stop"], check=True, capture_output=True, user=user, cwd=directory
            )
    finally:
        shutil.rmtree(directory, ignore_errors=True)
