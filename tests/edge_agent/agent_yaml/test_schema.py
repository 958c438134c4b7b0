"""The schema for editors says what the forms say, and names the boards there are."""

import jsonschema

from edge_agent.agent_yaml import boards
from edge_agent.agent_yaml.schema import agent_schema


def test_it_is_a_valid_schema_that_names_every_board_and_hat() -> None:
    schema = agent_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    agent = schema["$defs"]["AgentForm"]["properties"]
    assert set(boards.board_names()) < set(agent["board"]["enum"])
    assert agent["hats"]["items"]["enum"] == boards.hat_names()


def test_every_field_says_what_it_means() -> None:
    silent = [
        f"{form}.{field}"
        for form, definition in agent_schema()["$defs"].items()
        for field, said in definition.get("properties", {}).items()
        if "description" not in said and "$ref" not in str(said)
    ]
    assert not silent
