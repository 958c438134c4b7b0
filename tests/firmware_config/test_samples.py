"""The samples: each is checked as `doorward agent check` does it, with keys as its README says."""

import json
import re
import secrets
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from central.district.directory import ConfigError, load_directory
from edge_agent.agent_yaml.config_file import examine
from protocol.signing import SigningKey
from tests.support.samples import filled, filled_copy

SAMPLES = Path(__file__).parents[2] / "firmware_config" / "samples"
SCHEMAS = SAMPLES.parent / "schemas"
AGENTS = sorted(path for path in SAMPLES.glob("*/*.yaml") if path.name != "district.yaml")


def with_keys(sample: Path, folder: Path) -> Path:
    """The sample in a folder where every file it names is made."""
    text = filled(sample.read_text())
    SigningKey.generate(sample.stem).save(folder / "agent.jwk")
    for name in set(re.findall(r"[\w.-]+\.(?:key|crt|password)\b", text)):
        length = 32 if name == "credential.key" else 16
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secrets.token_hex(length))
    path = folder / "agent.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("sample", AGENTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_sample_passes_the_check_without_a_warning(sample: Path, tmp_path: Path) -> None:
    path = with_keys(sample, tmp_path)
    beyond = [problem for problem in examine(path) if problem.field != "data"]  # whose disk this is, it cannot know
    assert beyond == []
    Draft202012Validator(json.loads((SCHEMAS / "agent.schema.json").read_text())).validate(
        yaml.safe_load(path.read_text())
    )


@pytest.mark.parametrize("folder", sorted(SAMPLES.glob("*-school")), ids=lambda path: path.name)
def test_a_district_of_the_samples_has_the_doors_its_agents_are_wired_to(folder: Path, tmp_path: Path) -> None:
    load_directory(filled_copy(folder / "district.yaml", tmp_path / "district.yaml"))
    document = yaml.safe_load((folder / "district.yaml").read_text())
    Draft202012Validator(json.loads((SCHEMAS / "district.schema.json").read_text())).validate(document)
    [site] = document["sites"]
    wired = {}
    for path in folder.glob("*.yaml"):
        if path.name != "district.yaml":
            agent = yaml.safe_load(path.read_text())
            assert agent["site"] == site["site"]
            wired[agent["agent"]] = {door["door"]: door.get("perimeter", False) for door in agent["doors"]}
    known = {
        agent["agent"]: {door["door"]: door.get("perimeter", False) for door in agent["doors"]}
        for agent in site["agents"]
    }
    assert known == wired


@pytest.mark.parametrize("sample", AGENTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_sample_as_it_stands_is_refused_for_its_placeholder(sample: Path, tmp_path: Path) -> None:
    path = with_keys(sample, tmp_path)
    path.write_text(sample.read_text())
    [problem] = [each for each in examine(path) if not each.warning]
    assert (problem.field, problem.problem) == ("trust[0].x", "a placeholder")
    assert "doorward central keygen" in problem.cure


@pytest.mark.parametrize("folder", sorted(SAMPLES.glob("*-school")), ids=lambda path: path.name)
def test_a_district_of_the_samples_as_it_stands_is_refused_for_its_placeholders(folder: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_directory(folder / "district.yaml")
    placeholders = (folder / "district.yaml").read_text().count("REPLACE")
    assert str(refused.value).count("key.x: a placeholder; paste the line of 'doorward agent keygen'") == placeholders


def test_the_large_school_has_fifty_doors_and_every_kind_of_reader() -> None:
    agents = [yaml.safe_load(path.read_text()) for path in AGENTS if path.parent.name == "large-school"]
    assert sum(len(agent["doors"]) for agent in agents) == 50
    assert {
        kind for agent in agents for kind in ("reader_lines", "wiegand_readers", "serial_readers") if kind in agent
    } == {
        "reader_lines",
        "wiegand_readers",
        "serial_readers",
    }
