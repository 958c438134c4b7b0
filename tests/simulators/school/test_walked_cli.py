"""The walk test to be watched: a made district, faults by lot, a report that can be checked."""

from pathlib import Path

import pytest

from doorward.main import main
from simulators.district.make import make_district
from simulators.district.plan import DistrictSize


def test_a_watched_walk_finds_what_was_planted_and_touches_none_of_the_agents_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_district(tmp_path / "district", broker_port=1, size=DistrictSize(sites=1, agents=1, doors=2, readers=1))
    (config,) = (tmp_path / "district").rglob("agent.yaml")
    before = sorted(config.parent.rglob("*"))
    arguments = [str(config), "--faults", "1", "--speed", "10000", "--report", str(tmp_path / "reports")]
    assert main(["simulate", "walk-test", *arguments]) == 1
    said = capsys.readouterr().out
    assert "1 to look at" in said
    assert "Planted at" in said
    assert sorted(config.parent.rglob("*")) == before
    (signed,) = (tmp_path / "reports").glob("*.jws")
    assert main(["agent", "walk-test", str(config), "--verify", str(signed)]) == 0
    assert main(["simulate", "walk-test", str(config), "--faults", "3"]) == 2
