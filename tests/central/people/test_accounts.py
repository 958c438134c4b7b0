"""Accounts and sessions, without HTTP: what is kept of a secret, when a session ends, which account must stay."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, select

from central.people.accounts import IDLE_MS, SESSION_MS, AccountError, Accounts, SignInFailed
from central.people.roles import Role
from central.records.engine import open_records
from central.records.schema import sessions, users
from tests.central.databases import sqlite_url
from tests.central.fleets import HandClock

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_records(sqlite_url(tmp_path))
    yield engine
    engine.dispose()


@pytest.fixture
def accounts(engine: Engine, clock: HandClock) -> Accounts:
    accounts = Accounts(engine, clock, CHEAP)
    accounts.add_user("ada", Role.ADMINISTRATOR, PASSWORD, "the test")
    return accounts


def test_neither_password_nor_token_can_be_read_out_of_the_records(accounts: Accounts, engine: Engine) -> None:
    token, _ = accounts.sign_in("ada", PASSWORD, "10.0.0.1")
    with engine.connect() as connection:
        kept = str([*connection.execute(select(users)), *connection.execute(select(sessions))])
    assert PASSWORD not in kept
    assert token not in kept
    assert "$argon2id$" in kept


def test_a_wrong_password_and_an_unknown_name_fail_alike(accounts: Accounts) -> None:
    for name in ("ada", "nobody", "Not A Name"):
        with pytest.raises(SignInFailed):
            accounts.sign_in(name, "wrong horse battery", "10.0.0.1")


def test_a_session_ends_when_it_is_idle_and_when_its_time_is_over(accounts: Accounts, clock: HandClock) -> None:
    token, session = accounts.sign_in("ada", PASSWORD, "10.0.0.1")
    assert session.expires_ms == clock.utc_ms() + SESSION_MS
    clock.ms += IDLE_MS - 1
    assert accounts.session(token) is not None
    clock.ms += IDLE_MS + 1
    assert accounts.session(token) is None
    token, _ = accounts.sign_in("ada", PASSWORD, "10.0.0.1")
    for _ in range(SESSION_MS // (IDLE_MS // 2) - 1):
        clock.ms += IDLE_MS // 2
        assert accounts.session(token) is not None
    clock.ms += IDLE_MS // 2
    assert accounts.session(token) is None


def test_who_signs_out_is_out(accounts: Accounts) -> None:
    token, _ = accounts.sign_in("ada", PASSWORD, "10.0.0.1")
    accounts.sign_out(token)
    assert accounts.session(token) is None


@pytest.mark.parametrize("name", ["", "Ada", "a b", "-ada", "a" * 49])
def test_a_bad_name_is_refused_with_what_is_expected(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountError, match="expected 1 to 48"):
        accounts.add_user(name, Role.OFFICER, PASSWORD, "ada")


def test_a_name_is_given_once_and_a_short_password_never(accounts: Accounts) -> None:
    with pytest.raises(AccountError, match="already"):
        accounts.add_user("ada", Role.OFFICER, PASSWORD, "ada")
    with pytest.raises(AccountError, match="12 to 256"):
        accounts.add_user("otto", Role.OFFICER, "short", "ada")
    assert [user.username for user in accounts.users()] == ["ada"]


def test_the_last_administrator_stays_one(accounts: Accounts) -> None:
    with pytest.raises(AccountError) as refused:
        accounts.change_user("ada", by="ada", disabled=True)
    assert refused.value.kind == "last_administrator"


def test_a_disabled_account_is_signed_out_at_once(accounts: Accounts) -> None:
    accounts.add_user("otto", Role.OFFICER, PASSWORD, "ada")
    token, _ = accounts.sign_in("otto", PASSWORD, "10.0.0.1")
    accounts.change_user("otto", by="ada", disabled=True)
    assert accounts.session(token) is None
    with pytest.raises(SignInFailed):
        accounts.sign_in("otto", PASSWORD, "10.0.0.1")
