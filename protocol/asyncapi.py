"""Generates the AsyncAPI 3 document of the wire from the messages' own declarations.

``python -m protocol.asyncapi`` writes it to standard output; a test keeps docs/asyncapi.yaml equal to it.
"""

import sys
from typing import Any, NamedTuple

import msgspec
import yaml

from protocol import codec, messages, topics
from protocol.messages import Message


class WireChannel(NamedTuple):
    """One kind of topic: its sender, its message, and how it travels."""

    name: str
    address: str
    message: type[Message]
    sender: str
    summary: str
    qos: int
    retained: bool
    signed: bool = False


_AGENT = f"{topics.ROOT}/{{site}}/{{agent}}"
CHANNELS = (
    WireChannel("status", f"{_AGENT}/status", messages.AgentStatus, "agent",
            "Whether an agent is there; also its last will. A death of an older session is ignored.", 1, True),
    WireChannel("state", f"{_AGENT}/state", messages.StateSnapshot, "agent",
            "Every door of an agent with its evidence, on change and every 2.5 s. Retained copies are "
            "history: they never make a door secure.", 0, True),
    WireChannel("events", f"{_AGENT}/events", messages.EventBatch, "agent",
            "The next events of an agent's outbox, in order.", 1, False),
    WireChannel("eventsAck", f"{_AGENT}/events/ack", messages.EventAck, "central",
            "How far central has committed an outbox; the agent may delete up to there.", 1, False),
    WireChannel("districtDeclarations", f"{topics.ROOT}/declarations", messages.DeclarationSet, "central",
            "The whole set of active declarations of the district.", 1, True, True),
    WireChannel("siteDeclarations", f"{topics.ROOT}/{{site}}/declarations", messages.DeclarationSet, "central",
            "The whole set of active declarations of one site, its zones and doors.", 1, True, True),
    WireChannel("agentDeclarations", f"{_AGENT}/declarations", messages.DeclarationSet, "agent",
            "What an agent declared by itself (panic button): lock-only.", 1, True, True),
    WireChannel("config", f"{_AGENT}/config", messages.AgentConfig, "central",
            "Doors, schedules, credentials, trusted keys of an agent. Applied whole or not at all.", 1, True, True),
    WireChannel("credentials", f"{_AGENT}/credentials/{{page}}", messages.CredentialPage, "central",
            "A page of an agent's credentials, which the signed configuration names by its SHA-256. Agents listen "
            "to those pages only that they do not hold.", 1, True),
    WireChannel("command", f"{_AGENT}/command", messages.Command, "central",
            "A momentary act, single-use and expiring in seconds.", 1, False, True),
)  # fmt: skip


def document() -> dict[str, Any]:
    """The AsyncAPI document as plain data."""
    kinds = list(dict.fromkeys(channel.message for channel in CHANNELS))
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Doorward on the wire",
            "version": "1",
            "description": "MQTT 5, JSON. Unknown fields and kinds are ignored, kept and reported; malformed, "
            "oversized, wrongly signed, stale and duplicate messages are refused with a typed reason.",
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {
            f"{channel.sender}Sends{channel.name[0].upper()}{channel.name[1:]}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{channel.name}"},
                "summary": channel.summary,
                "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retained}},
            }
            for channel in CHANNELS
        },
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in kinds},
            "schemas": schemas,
        },
    }


def _channel(channel: WireChannel) -> dict[str, Any]:
    parameters = {
        name: {"description": f"The {name}'s name, {messages.Name.__metadata__[0].description}."}  # type: ignore[attr-defined]
        for name in ("site", "agent")
        if f"{{{name}}}" in channel.address
    }
    if "{page}" in channel.address:
        parameters["page"] = {"description": f"The page's number, 0 to {messages.MOST_PAGES - 1}."}
    return {
        "address": channel.address,
        "description": channel.summary,
        **({"parameters": parameters} if parameters else {}),
        "messages": {channel.message.__name__: {"$ref": f"#/components/messages/{channel.message.__name__}"}},
    }


def _message(kind: type[Message]) -> dict[str, Any]:
    signed = any(channel.signed for channel in CHANNELS if channel.message is kind)
    return {
        "name": kind.__name__,
        "summary": (kind.__doc__ or "").strip().split("\n")[0],
        "contentType": "application/jose" if signed else "application/json",
        "description": f"At most {codec.LIMITS[kind]} bytes on the wire."
        + (" A compact JWS (EdDSA over Ed25519) whose payload is this JSON." if signed else ""),
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def as_yaml() -> str:
    """The document as it stands in docs/asyncapi.yaml."""
    return yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=110)


if __name__ == "__main__":
    sys.stdout.write(as_yaml())
