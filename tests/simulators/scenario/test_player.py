"""Scenarios played in a real district: what they say comes true, and one that does not says so and fails."""

import json
from pathlib import Path

import pytest

from ground.free_port import free_port
from simulators.scenario.parse import scenario_names
from tests.support.demo_runs import of_folder, start

pytestmark = pytest.mark.timeout(300)


@pytest.mark.slow
async def test_the_lockdown_scenario_proves_every_healthy_door_and_prints_one_object(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    demo = await start("--scenario", "lockdown", "--json", "--data", str(folder), "--port", str(free_port()))
    out, log = await demo.communicate()
    assert demo.returncode == 0, log.decode()
    result = json.loads(out)
    assert set(result) == {"declaration_id", "doors", "summary"}
    assert result["declaration_id"]
    assert len(result["doors"]) == len({(door["site"], door["door"]) for door in result["doors"]}) == 48
    for door in result["doors"]:
        assert set(door) == {"site", "agent", "door", "condition", "evidence", "proven_ms"}
        if (door["site"], door["door"]) == ("thistledown-high", "gym"):
            assert (door["condition"], door["proven_ms"]) == ("jammed", None)
        else:
            assert door["condition"] == "secure"
            assert door["evidence"] == {"contact": "closed", "bolt": "thrown", "bolt_fitted": True}
            assert 0 <= door["proven_ms"] <= 10_000
    assert result["summary"]["proven"] == 47
    assert result["summary"]["failed"] == 1
    assert result["summary"]["slowest_ms"] == max(door["proven_ms"] or 0 for door in result["doors"])
    assert not of_folder(folder)


@pytest.mark.slow
async def test_the_whole_library_goes_as_it_says_one_scenario_after_another_in_one_district(tmp_path: Path) -> None:
    names = [name for name in scenario_names() if name != "lockdown"]  # it jams a door for good
    chosen = [word for name in names for word in ("--scenario", name)]
    demo = await start(*chosen, "--data", str(tmp_path / "d"), "--port", str(free_port()))
    out, log = await demo.communicate()
    said = out.decode()
    assert demo.returncode == 0, said + log.decode()
    assert [name for name in names if f"{name}: as expected" in said] == names


@pytest.mark.slow
async def test_a_scenario_that_does_not_come_true_says_what_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "wishful.yaml"
    file.write_text("""
scenario: wishful
title: a jammed door that is expected to be secure
steps:
  - {do: jam, site: larkmere-middle, door: gym}
  - {do: declare, name: it, action: lockdown, drill: true, scope: {kind: site, site: larkmere-middle}}
  - {expect: proven, name: it, within: 4s}
""")
    demo = await start("--scenario", str(file), "--json", "--data", str(tmp_path / "d"), "--port", str(free_port()))
    out, log = await demo.communicate()
    assert demo.returncode == 1
    assert "not proven within 4 s: larkmere-middle/gym" in log.decode()
    assert json.loads(out)["summary"]["proven"] == 15
