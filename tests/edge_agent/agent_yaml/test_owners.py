"""Keys made under sudo: they become the agent's own, and a check by root says which the agent could not read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.agent_yaml.config_file import examine, load
from edge_agent.storage.key_files import write_whole
from protocol.signing import SigningKey
from tests.edge_agent.agent_yaml.test_config_file import GOOD
from tests.support.agents import Pi, TestDistrict

AGENT = 65_534
"""The agent's user here: nobody."""

AS_THE_AGENT = """
import os, pathlib, sys
from edge_agent.agent_yaml.config_file import examine
os.chdir(sys.argv[1])
file = pathlib.Path("agent.yaml")
examine(file)  # all is imported by now, from where the agent's user may not look
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
print(*(problem for problem in examine(file) if not problem.warning), sep="\\n")
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file another's")


def owner(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The agent's own folder, with all its keys and its configuration."""
    folder = tmp_path / "doorward"
    folder.mkdir()
    Pi(folder, TestDistrict())
    (folder / "reader1.key").write_text("00f1c4a5b6978812fe03d94c7a215b6e")
    (folder / "broker.password").write_text("a password")
    (folder / "agent.yaml").write_text(
        GOOD.replace("username: east", "username: east, password_file: broker.password")
    )
    for path in (folder, *folder.iterdir()):
        os.chown(path, AGENT, AGENT)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


@as_root
def test_a_key_that_root_makes_is_the_owners_of_its_folder(folder: Path) -> None:
    (folder / "agent.jwk").unlink()
    command = [sys.executable, "-m", "doorward.main", "agent", "keygen", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    SigningKey.generate("district").save(folder / "district.jwk")
    write_whole(folder / "reader1.key.new", b"00" * 16)
    for name in ("agent.jwk", "district.jwk", "reader1.key.new"):
        assert owner(folder / name) == (AGENT, AGENT)
        assert (folder / name).stat().st_mode & 0o777 == 0o600


@as_root
@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("agent.jwk", "key_file"),
        ("credential.key", "credential_key_file"),
        ("reader1.key", "reader_lines[0].readers[0].key_file"),
        ("broker.password", "broker.password_file"),
        ("agent.yaml", ""),
    ],
)
def test_a_check_by_root_names_the_file_that_the_agent_cannot_read(folder: Path, name: str, field: str) -> None:
    path = folder / "agent.yaml"
    assert [each for each in examine(path) if not each.warning] == []
    os.chown(folder / name, 0, 0)
    [problem] = [each for each in examine(path) if not each.warning]
    assert (problem.field, problem.cure) == (field, f"sudo chown --reference={folder} {folder / name}")
    assert "cannot be read by" in problem.problem
    load(path)  # an agent that does run as root holds its doors
    subprocess.run(problem.cure.removeprefix("sudo ").split(), check=True)
    assert [each for each in examine(path) if not each.warning] == []


@as_root
def test_what_the_agents_group_may_read_needs_no_other_owner(folder: Path) -> None:
    os.chown(folder / "agent.yaml", 0, AGENT)
    (folder / "agent.yaml").chmod(0o640)
    assert [each for each in examine(folder / "agent.yaml") if not each.warning] == []


@as_root
@pytest.mark.parametrize("name", ["agent.jwk", "credential.key", "reader1.key", "broker.password"])
def test_the_agents_own_check_says_whose_a_file_should_be(folder: Path, name: str) -> None:
    os.chown(folder / name, 0, 0)
    told = subprocess.run(
        [sys.executable, "-c", AS_THE_AGENT, str(folder), str(AGENT)], capture_output=True, text=True, check=True
    ).stdout
    assert f"{name} cannot be read by this user; sudo chown --reference=. {name}" in told
