"""``doorward agent``: its key is made once, and wrong use ends with 2 and a sentence."""

import json
import stat
from pathlib import Path

import pytest

from doorward.main import main
from edge_agent.cli import EXIT_USAGE


def test_a_key_is_made_for_its_owner_alone_and_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agent", "keygen", str(tmp_path), "--kid", "lincoln-east"]) == 0
    key = tmp_path / "agent.jwk"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    made = key.read_bytes()
    assert json.loads(made)["kid"] == "lincoln-east"
    shown = capsys.readouterr().out
    assert "lincoln-east" in shown
    assert json.loads(made)["d"] not in shown
    assert main(["agent", "keygen", str(tmp_path)]) != 0
    assert key.read_bytes() == made


def test_a_configuration_that_is_not_there_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agent", "run", str(tmp_path / "agent.yaml")]) == EXIT_USAGE
    assert "agent.yaml" in capsys.readouterr().err
