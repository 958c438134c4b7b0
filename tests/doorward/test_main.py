"""The one command: it lists what there is, and says what is wrong with what it was asked."""

import pytest

from doorward.main import main
from ground.version import VERSION


def test_its_help_names_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for subcommand in ("demo", "agent", "central", "simulate", "bench"):
        assert subcommand in shown


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"doorward {VERSION}\n")


def test_a_subcommand_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["lokdown"])
    assert ended.value.code == 2
    assert "lokdown" in capsys.readouterr().err
