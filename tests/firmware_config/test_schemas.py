"""The JSON Schemas that editors use: the same as the readers' own rules, and good for every sample."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.support.schemas import FOLDER, SCHEMAS, written

REPOSITORY = Path(__file__).parents[2]
CASES = REPOSITORY / "tests" / "edge_agent" / "agent_yaml" / "broken_configs"
GOOD = (CASES / "good.yaml").read_text()

BEYOND_A_SCHEMA = {"a field that stands twice", "a bracket that never closes"}
"""What is no matter of shape: YAML readers stumble over it before, or take the last."""


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / name).read_text()))


def cases(*names: str) -> list[Any]:
    return [
        pytest.param(case, id=case["name"])
        for name in names
        for case in yaml.safe_load((CASES / f"{name}.yaml").read_text())
        if case["name"] not in BEYOND_A_SCHEMA
    ]


def changed(case: dict[str, Any]) -> Any:
    text = GOOD
    for before, after in ({case["before"]: case["after"]} | case.get("also", {})).items():
        text = text.replace(before, after)
    return yaml.safe_load(text)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_a_schema_and_says_what_the_reader_says(name: str) -> None:
    Draft202012Validator.check_schema(json.loads((FOLDER / name).read_text()))
    made = written(SCHEMAS[name]())
    assert (FOLDER / name).read_text() == made, "run: make schemas"


def test_the_good_configuration_fits_the_schema() -> None:
    validator("agent.schema.json").validate(yaml.safe_load(GOOD))


@pytest.mark.parametrize("case", cases("form"))
def test_a_field_that_is_unknown_missing_or_of_the_wrong_kind_does_not_fit(case: dict[str, Any]) -> None:
    assert not validator("agent.schema.json").is_valid(changed(case))


@pytest.mark.parametrize("case", cases("dubious"))
def test_what_is_only_dubious_fits(case: dict[str, Any]) -> None:
    validator("agent.schema.json").validate(changed(case))


def test_every_field_of_the_schema_is_explained() -> None:
    schema = json.loads((FOLDER / "agent.schema.json").read_text())
    bare = [
        f"{form}.{field}"
        for form, definition in schema["$defs"].items()
        for field, value in definition.get("properties", {}).items()
        if "description" not in value and "$ref" not in value
    ]
    assert bare == []
