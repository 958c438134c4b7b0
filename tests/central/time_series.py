"""A VictoriaMetrics of our own for tests: killed and started again at will, its storage kept."""

import contextlib
import http.client
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from ground.free_port import free_port

BINARY = "/usr/bin/victoria-metrics"


class TimeSeriesServer:
    """Takes InfluxDB 2 writes at /api/v2/write."""

    def __init__(self, storage: Path, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._storage = storage
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or again, with what it had on its disk; return once it answers."""
        self._process = subprocess.Popen(
            [
                BINARY,
                f"-storageDataPath={self._storage}",
                f"-httpListenAddr=127.0.0.1:{self.port}",
                "-retentionPeriod=100y",
                "-dedup.minScrapeInterval=1ms",
                "-memory.allowedPercent=5",
                "-loggerLevel=ERROR",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            assert self._process.poll() is None, "the time-series server ended at once"
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._get("/health")
                return
            time.sleep(0.05)
        raise AssertionError("the time-series server does not answer")

    def kill(self) -> None:
        """SIGKILL: what it had in memory is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def samples(self, metric: str) -> list[tuple[dict[str, str], list[int], list[float]]]:
        """Each series of a metric: its tags, times in ms, values."""
        self._get("/internal/force_flush")
        lines = self._get("/api/v1/export?" + urlencode({"match[]": metric, "start": 1})).splitlines()
        return [(row["metric"], row["timestamps"], row["values"]) for row in map(json.loads, lines)]

    def _get(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
            assert answer.status in {200, 204}, (path, answer.status, body)
            return body
        finally:
            connection.close()


@contextlib.contextmanager
def time_series() -> Iterator[TimeSeriesServer]:
    """A server that runs when the block begins, and is gone with its storage when it ends."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = TimeSeriesServer(Path(folder), free_port())
        try:
            server.start()
            yield server
        finally:
            server.kill()
