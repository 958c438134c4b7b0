from pathlib import Path

import yaml

from protocol import asyncapi, codec, topics

ROOT = Path(__file__).parents[2]


def test_the_document_in_docs_says_what_the_code_says() -> None:
    written = (ROOT / "docs" / "asyncapi.yaml").read_text()
    assert written == asyncapi.as_yaml(), "run: python -m protocol.asyncapi > docs/asyncapi.yaml"


def test_every_message_has_a_channel_and_every_channel_a_topic() -> None:
    assert {channel.message for channel in asyncapi.CHANNELS} == set(codec.LIMITS)
    for channel in asyncapi.CHANNELS:
        topics.parse(channel.address.format(site="oak", agent="east", page=3))


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = yaml.safe_load(asyncapi.as_yaml())

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for value in node.values() for found in references(value)]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    found = references(document)
    assert len(found) > 20
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
