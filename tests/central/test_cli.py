"""``doorward central`` as people run it: processes, files, exit codes."""

import json
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from central.records.engine import open_records
from central.records.schema import audit
from doorward.main import main
from ground.free_port import free_port
from protocol.signing import SigningKey
from tests.central.centrals import PASSWORD, Town
from tests.support.brokers import mosquitto


def doorward(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "doorward.main", "central", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "doorward.main", "central", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_keygen_makes_a_secret_key_once_and_prints_what_to_trust(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = doorward("keygen", "--data", str(data))
    key = SigningKey.load(data / "district.jwk")
    assert made.returncode == 0
    assert "kid: district-1" in made.stdout
    assert json.loads((data / "district.jwk").read_text())["d"] not in made.stdout + made.stderr
    assert stat.S_IMODE((data / "district.jwk").stat().st_mode) == 0o600
    assert key.kid == "district-1"
    again = doorward("keygen", "--data", str(data))
    assert again.returncode == 2
    assert "there already" in again.stderr


def test_central_runs_serves_and_ends_in_order(town: Town, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert doorward("keygen", "--data", str(data)).returncode == 0
    assert doorward("add-user", "olive", "officer", "--data", str(data), text=PASSWORD + "\n").returncode == 0
    with mosquitto() as broker:
        where = ("--district", str(town.file), "--data", str(data), "--http", "127.0.0.1:0")
        process = start("run", *where, "--broker", f"{broker.host}:{broker.port}")
        assert process.stderr is not None
        line = next(line for line in process.stderr if line.startswith("doorward central: http"))
        address = line.split()[2]
        with httpx.Client(base_url=address, trust_env=False) as client:
            session = client.post("/api/session", json={"username": "olive", "password": PASSWORD})
            assert session.status_code == 200
            assert client.get("/api/overview").json()["totals"]["doors"] == 4
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        process.stderr.close()
        assert process.wait(20) == 0, rest
        assert "Traceback" not in rest
    verified = doorward("audit-verify", "--data", str(data))
    assert verified.returncode == 0
    assert verified.stdout.startswith("2 entries, unchanged")
    again = doorward("republish", "--agent", "lincoln/east", "--data", str(data))
    assert (again.returncode, "started again: 1" in again.stderr) == (0, True)
    nobody = doorward("republish", "--agent", "lincoln/nobody", "--data", str(data))
    assert (nobody.returncode, "lincoln/nobody" in nobody.stderr) == (1, True)


def test_audit_verify_fails_on_a_tampered_log(town: Town, tmp_path: Path) -> None:
    made = doorward("add-user", "ada", "administrator", "--generate", "--data", str(tmp_path))
    assert len(made.stdout.strip()) >= 12
    engine = open_records(f"sqlite:///{tmp_path / 'central.db'}")
    with engine.begin() as connection:
        connection.execute(update(audit).values(who="somebody else"))
    engine.dispose()
    verified = doorward("audit-verify", "--data", str(tmp_path))
    assert verified.returncode == 1
    assert "entry 1" in verified.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--district", "nothing.yaml", "--data", "."), "nothing.yaml:1: the file: cannot be read"),
        (("run", "--district", "{file}", "--data", "{folder}"), "keygen --data"),
        (("run", "--district", "{file}", "--data", ".", "--broker", "localhost"), "HOST:PORT"),
        (("run", "--district", "{file}", "--data", ".", "--tls-cert", "x"), "--tls-cert and --tls-key"),
        (
            ("run", "--district", "{file}", "--data", ".", "--database", "postgresql+psycopg://a:b@c/d"),
            "--database-file",
        ),
        (("add-user", "Olive Officer", "officer", "--data", "{folder}", "--generate"), "Olive Officer"),
        (("add-user", "olive", "boss", "--data", "{folder}"), "officer"),
        (("republish", "--agent", "lincoln", "--data", "{folder}"), "SITE/AGENT"),
        (("audit-verify", "--data", ".", "--database", "mysql://x/y"), "sqlite or postgresql"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence_with_exit_code_two(
    town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, arguments: tuple[str, ...], says: str
) -> None:
    filled = [part.replace("{file}", str(town.file)).replace("{folder}", str(tmp_path)) for part in arguments]
    try:
        code = main(["central", *filled])
    except SystemExit as ended:  # argparse's own way
        code = int(str(ended.code))
    assert code == 2
    assert says in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(town: Town, tmp_path: Path) -> None:
    town.key.save(tmp_path / "district.jwk")
    with mosquitto() as broker:
        where = ("--district", str(town.file), "--data", str(tmp_path), "--http", f"{broker.host}:{broker.port}")
        done = doorward("run", *where)
    assert done.returncode == 2
    assert "choose another --http" in done.stderr


def test_the_embedded_broker_takes_connections_and_ends_when_told_to() -> None:
    port = free_port()
    process = start("broker", "--port", str(port))
    assert process.stderr is not None
    try:
        assert str(port) in process.stderr.readline()
        with socket.create_connection(("127.0.0.1", port), 5):
            taken = doorward("broker", "--port", str(port))
            assert (taken.returncode, "choose another --port" in taken.stderr) == (2, True)
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        process.stderr.close()
        assert process.wait(10) == 0, rest
