"""Hands every message that arrives to the part it is for, or counts it as refused. Never raises."""

from __future__ import annotations

from edge_agent.bundle.bundle import Configuration
from edge_agent.declarations.held import Declarations
from edge_agent.events.refusals import Refusals
from edge_agent.link.commands import Commands
from edge_agent.link.event_sender import EventSender
from protocol import codec, topics
from protocol.messages import EventAck
from protocol.mqtt import Incoming
from protocol.refusal import Reason, Refused
from protocol.topics import TopicKind


class Inbox:
    """Receives messages, on the loop."""

    def __init__(
        self,
        site: str,
        agent: str,
        *,
        declarations: Declarations,
        configuration: Configuration,
        commands: Commands,
        sender: EventSender,
        refusals: Refusals,
    ) -> None:
        self._site = site
        self._agent = agent
        self._declarations = declarations
        self._configuration = configuration
        self._commands = commands
        self._sender = sender
        self._refusals = refusals

    def receive(self, message: Incoming) -> None:
        """Act on a message, or refuse it: counted, logged, reported."""
        try:
            self._dispatch(message)
        except Refused as refused:
            self._refusals.note(message.topic, refused)

    def _dispatch(self, message: Incoming) -> None:
        topic = topics.parse(message.topic)
        if topic.kind is TopicKind.DECLARATIONS and topic.site in (None, self._site):
            self._declarations.accept_set(message.topic, message.payload)
            return
        if (topic.site, topic.agent) != (self._site, self._agent):
            raise Refused(Reason.WRONG_TARGET, f"this is agent {self._site}/{self._agent}")
        if topic.kind is TopicKind.CONFIG:
            self._configuration.receive(message.payload)
        elif topic.kind is TopicKind.CREDENTIALS and topic.page is not None:
            self._configuration.receive_page(topic.page, message.payload)
        elif topic.kind is TopicKind.COMMAND:
            keys = self._declarations.keyring
            self._commands.carry_out(message.topic, message.payload, keys, retained=message.retained)
        elif topic.kind is TopicKind.EVENTS_ACK:
            self._sender.acknowledged(codec.decode(EventAck, message.payload))
        else:
            raise Refused(Reason.UNKNOWN_TOPIC, f"{topic.kind} is for central to read")
