"""The sets central signs, from the records: what fits, what is carried, what is named as ended."""

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from central.declarations import records as rows
from central.declarations.records import DeclarationRecord, DeclarationState, Origin
from central.declarations.release import ReleaseRefused, agree, withdraw
from central.declarations.sets import ENDED_KEPT_MS, MOST_ALIKE, MOST_ENDED, make_set
from central.records.engine import open_records, writing
from protocol import topics
from protocol.messages import DeclarationSet, Scope
from protocol.signing import Keyring, SigningKey
from protocol.words import KeyRole, ScopeKind
from tests.central.databases import sqlite_url

NOW_MS = 1_790_000_000_000
SITE = topics.site_declarations("lincoln")
OWN = topics.of_agent(topics.TopicKind.DECLARATIONS, "lincoln", "east")
KEY = SigningKey.generate("district-1")


def record(id_: str = "d-1", **changes: object) -> DeclarationRecord:
    made = DeclarationRecord(
        id=id_,
        action="lockdown",
        scope=Scope(kind=ScopeKind.SITE, site="lincoln"),
        drill=False,
        reason="",
        by="olive",
        at_ms=NOW_MS,
        origin=Origin.CENTRAL,
        topic=SITE,
        revision=1,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def panic(id_: str, **changes: object) -> DeclarationRecord:
    return record(id_, origin=Origin.AGENT, origin_agent="lincoln/east", topic=OWN, **changes)


def made_set(folder: Path, records: list[DeclarationRecord], listed: frozenset[str] = frozenset()) -> DeclarationSet:
    engine = open_records(sqlite_url(folder))
    try:
        with writing(engine) as connection:
            for one in records:
                rows.insert(connection, one)
            stored = make_set(
                connection, KEY, SITE, listed={OWN: {id_: panic(id_).on_the_wire() for id_ in listed}}, now_ms=NOW_MS
            )
    finally:
        engine.dispose()
    return Keyring([KEY.trusted(KeyRole.DISTRICT)]).open(DeclarationSet, SITE, stored.jws)


def test_the_largest_set_fits_its_limit_on_the_wire(tmp_path: Path) -> None:
    long = {"reason": "\N{WARNING SIGN}" * 500, "by": "o" * 48}
    active = [record(f"{number:036}", drill=number % 2 == 0, **long) for number in range(2 * MOST_ALIKE)]
    ended = [
        panic(f"e{number:035}", state=DeclarationState.ENDED, ended_at_ms=NOW_MS, **long)
        for number in range(MOST_ENDED + 10)
    ]
    document = made_set(tmp_path, active + ended)
    assert len(document.declarations) == 2 * MOST_ALIKE
    assert len(document.ended) == MOST_ENDED


def test_a_flood_of_agents_own_keeps_no_one_of_centrals_out_and_fits(tmp_path: Path) -> None:
    long = {"reason": "\N{WARNING SIGN}" * 500, "by": "o" * 48}
    own = [record(f"{number:036}", drill=number % 2 == 0, **long) for number in range(2 * MOST_ALIKE)]
    flood = [panic(f"p{number:0199}", at_ms=NOW_MS - 9, **long) for number in range(600)]
    ended = [
        panic(f"e{number:0199}", state=DeclarationState.ENDED, ended_at_ms=NOW_MS) for number in range(MOST_ENDED)
    ]
    document = made_set(tmp_path, flood + own + ended)
    ids = {one.id for one in document.declarations}
    assert {one.id for one in own} <= ids
    assert len(ids) > len(own), "and what there is room for"


def test_a_panic_is_carried_once_its_agent_lists_it_no_more(tmp_path: Path) -> None:
    records = [panic("listed"), panic("dropped"), record("ours"), record("over", state=DeclarationState.ENDED)]
    document = made_set(tmp_path, records, frozenset({"listed"}))
    assert {one.id for one in document.declarations} == {"dropped", "ours"}


def test_an_ended_panic_is_named_while_listed_and_for_a_summer(tmp_path: Path) -> None:
    old = NOW_MS - ENDED_KEPT_MS - 1
    records = [
        panic("old-listed", state=DeclarationState.ENDED, ended_at_ms=old),
        panic("old", state=DeclarationState.ENDED, ended_at_ms=old),
        panic("new", state=DeclarationState.ENDED, ended_at_ms=NOW_MS - 1),
        record("ours", state=DeclarationState.ENDED, ended_at_ms=NOW_MS - 1),
    ]
    document = made_set(tmp_path, records, frozenset({"old-listed"}))
    assert set(document.ended) == {"old-listed", "new"}


@given(
    st.booleans(),
    st.lists(
        st.tuples(st.sampled_from(["agree", "withdraw"]), st.sampled_from(["olive", "otto", "rita"])), max_size=12
    ),
)
def test_no_order_of_acts_lets_one_person_end_a_real_declaration(drill: bool, acts: list[tuple[str, str]]) -> None:
    declaration = record(drill=drill)
    asked: set[str] = set()  # who has agreed since the request was last taken back
    for act, who in acts:
        before = declaration
        try:
            declaration = agree(declaration, who, NOW_MS) if act == "agree" else withdraw(declaration)
        except ReleaseRefused:
            assert declaration is before
            continue
        asked = asked | {who} if act == "agree" else set()
        if declaration.state is DeclarationState.ENDED:
            assert drill or len(asked) >= 2
            break
    else:
        assert declaration.active
