"""Makes firmware_config's JSON Schemas from the code that reads the files: ``python -m tests.support.schemas``."""

import json
from pathlib import Path
from typing import Any

import msgspec

from central.district.directory_file import DistrictFile
from edge_agent.agent_yaml.schema import DIALECT, agent_schema

FOLDER = Path(__file__).parents[2] / "firmware_config" / "schemas"


def district_schema() -> dict[str, Any]:
    """The schema of district.yaml: its sites, doors, schedules, rules and credentials."""
    return {"$schema": DIALECT, "title": "Doorward district.yaml", **msgspec.json.schema(DistrictFile)}


SCHEMAS = {"agent.schema.json": agent_schema, "district.schema.json": district_schema}


def written(schema: dict[str, Any]) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, make in SCHEMAS.items():
        (FOLDER / name).write_text(written(make()), encoding="utf-8")
