"""Only a higher revision changes anything (invariant 3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.declarations.book import DeclarationBook, accept, declared, without_ended
from protocol import topics
from protocol.messages import Declaration, DeclarationSet, Scope
from protocol.refusal import Reason, Refused
from protocol.topics import TopicKind
from protocol.words import ScopeKind, SrpAction

SITE = topics.site_declarations("lincoln-high")
DISTRICT = topics.district_declarations()
OWN = topics.of_agent(TopicKind.DECLARATIONS, "lincoln-high", "east")


def declaration(id_: str) -> Declaration:
    scope = Scope(kind=ScopeKind.SITE, site="lincoln-high")
    return Declaration(id=id_, action=SrpAction.LOCKDOWN, scope=scope, by="panic button", at_ms=5)


def a_set(topic: str, revision: int, *ids: str) -> DeclarationSet:
    return DeclarationSet(audience=topic, revision=revision, declarations=tuple(map(declaration, ids)))


def test_a_book_begins_empty_and_takes_the_first_set_of_a_topic() -> None:
    book = accept(DeclarationBook(), SITE, a_set(SITE, 7, "d1"))
    assert list(book) == [a_set(SITE, 7, "d1")]
    assert book.applied == {SITE: 7}


def test_a_higher_revision_replaces_the_whole_set_and_no_other_topics() -> None:
    book = accept(accept(DeclarationBook(), SITE, a_set(SITE, 1, "d1")), DISTRICT, a_set(DISTRICT, 9, "d2"))
    later = accept(book, SITE, a_set(SITE, 2))
    assert later.applied == {SITE: 2, DISTRICT: 9}
    assert later.sets[SITE].declarations == ()
    assert book.applied == {SITE: 1, DISTRICT: 9}, "the book before is unchanged"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (a_set(SITE, 4, "d1"), Reason.OLDER_REVISION),
        (a_set(SITE, 5, "d1"), Reason.DUPLICATE),
        (a_set(SITE, 5), Reason.DUPLICATE),
        (a_set(DISTRICT, 6), Reason.WRONG_TARGET),
    ],
    ids=["older", "the same", "another of the same revision", "another topic's"],
)
def test_anything_else_is_refused_with_its_reason(document: DeclarationSet, reason: Reason) -> None:
    book = accept(DeclarationBook(), SITE, a_set(SITE, 5, "d1"))
    with pytest.raises(Refused) as refused:
        accept(book, SITE, document)
    assert refused.value.reason is reason
    assert list(book) == [a_set(SITE, 5, "d1")]


@given(st.lists(st.tuples(st.sampled_from([SITE, DISTRICT]), st.integers(1, 6)), max_size=12))
def test_replays_in_any_order_leave_the_highest_revision_of_each_topic(arrivals: list[tuple[str, int]]) -> None:
    book = DeclarationBook()
    for topic, revision in arrivals:
        if revision > book.applied.get(topic, 0):
            book = accept(book, topic, a_set(topic, revision))
            continue
        with pytest.raises(Refused) as refused:
            accept(book, topic, a_set(topic, revision))
        assert refused.value.reason in (Reason.DUPLICATE, Reason.OLDER_REVISION)
    highest: dict[str, int] = {}
    for topic, revision in arrivals:
        highest[topic] = max(revision, highest.get(topic, 0))
    assert book.applied == highest


def test_an_agents_own_set_grows_by_one_and_keeps_what_it_had() -> None:
    book = DeclarationBook()
    for revision, id_ in ((1, "panic-1"), (2, "panic-2")):
        document = declared(book, OWN, declaration(id_))
        assert document.revision == revision
        book = accept(book, OWN, document)
    assert book.sets[OWN] == a_set(OWN, 2, "panic-1", "panic-2")


def test_an_agents_own_set_loses_what_central_ended() -> None:
    book = accept(DeclarationBook(), OWN, a_set(OWN, 2, "panic-1", "panic-2"))
    assert without_ended(book, OWN, frozenset({"panic-1", "of another"})) == a_set(OWN, 3, "panic-2")
    assert without_ended(book, OWN, frozenset({"of another"})) is None
    assert without_ended(DeclarationBook(), OWN, frozenset({"panic-1"})) is None
