"""The JSON Schema of agent.yaml for editors, made from the forms by which the agent reads it.

`firmware_config/schemas/agent.schema.json` is its output; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

import msgspec

from edge_agent.agent_yaml import boards, forms

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def agent_schema() -> dict[str, Any]:
    """The schema (2020-12). Stricter rules, which need several fields at once, are `doorward agent check`'s."""
    schema = msgspec.json.schema(forms.AgentForm)
    definitions = schema["$defs"]
    definitions["InputForm"]["oneOf"] = [
        {"required": ["pin"], "not": {"anyOf": [{"required": ["adc"]}, {"required": ["channel"]}]}},
        {"required": ["adc", "channel"], "not": {"required": ["pin"]}},
    ]
    definitions["ParityForm"]["oneOf"] = [{"required": ["covers"]}, {"required": ["bits"]}]
    agent = definitions["AgentForm"]["properties"]
    agent["board"] = {
        "description": agent["board"]["description"],
        "enum": [*boards.board_names(), boards.CUSTOM, None],
    }
    agent["hats"]["items"] = {"enum": boards.hat_names()}
    return {"$schema": DIALECT, "title": "Doorward agent.yaml", **schema}
