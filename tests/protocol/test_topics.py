import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import topics
from protocol.messages import MOST_PAGES
from protocol.refusal import Reason, Refused
from protocol.topics import Topic, TopicKind

names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,47}", fullmatch=True)
agent_topics = st.builds(Topic, st.sampled_from(sorted(set(TopicKind) - {TopicKind.CREDENTIALS})), names, names)
page_topics = st.builds(Topic, st.just(TopicKind.CREDENTIALS), names, names, st.integers(0, MOST_PAGES - 1))
site_topics = st.builds(Topic, st.just(TopicKind.DECLARATIONS), names)


@given(agent_topics | page_topics | site_topics | st.just(Topic(TopicKind.DECLARATIONS)))
def test_what_is_built_is_parsed_back(topic: Topic) -> None:
    assert topics.parse(str(topic)) == topic


def test_the_builders_and_the_parser_agree() -> None:
    assert topics.parse(topics.district_declarations()) == Topic(TopicKind.DECLARATIONS)
    assert topics.parse(topics.site_declarations("oak")) == Topic(TopicKind.DECLARATIONS, "oak")
    assert topics.parse(topics.of_agent(TopicKind.EVENTS_ACK, "oak", "east")) == Topic(
        TopicKind.EVENTS_ACK, "oak", "east"
    )
    assert topics.parse(topics.credential_page("oak", "east", 7)) == Topic(TopicKind.CREDENTIALS, "oak", "east", 7)


def test_a_school_may_be_named_like_a_kind_of_topic() -> None:
    assert topics.parse("doorward/v1/declarations/declarations").site == "declarations"
    assert topics.parse("doorward/v1/state/events/config") == Topic(TopicKind.CONFIG, "state", "events")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "doorward",
        "doorward/v1",
        "doorward/v2/oak/east/state",
        "doorward/v1/state",
        "doorward/v1/oak/state",
        "doorward/v1/oak/east/door-1/state",
        "doorward/v1/oak/east/unheard-of",
        "doorward/v1/Oak/east/state",
        "doorward/v1/oak//state",
        "doorward/v1/o+k/east/state",
        "doorward/v1/oak/east/credentials",
        "doorward/v1/oak/east/credentials/07",
        "doorward/v1/oak/east/credentials/1000",
        "doorward/v1/oak/credentials/7",
        "doorward/v1/" + "x" * 49 + "/east/state",
    ],
)
def test_any_other_topic_is_refused(topic: str) -> None:
    with pytest.raises(Refused) as refused:
        topics.parse(topic)
    assert refused.value.reason is Reason.UNKNOWN_TOPIC


@given(st.text(max_size=80))
def test_no_text_makes_the_parser_raise_anything_else(text: str) -> None:
    with contextlib.suppress(Refused):
        topics.parse(text)


@pytest.mark.parametrize("name", ["", "-east", "East", "a b", "x" * 49, "a/b", "a+"])
def test_a_name_that_cannot_stand_in_a_topic_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 48"):
        topics.check_name(name)
