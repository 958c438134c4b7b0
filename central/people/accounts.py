"""Accounts and sessions: signs people in and out, and keeps until when.

The records hold passwords as Argon2id hashes and session tokens as SHA-256 hashes, so that neither can be read from
them. Every change is in the audit log. Safe from several threads; hashing takes tens of milliseconds, so call it off
the event loop.
"""

import hashlib
import logging
import re
import secrets
import threading
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Engine, Row, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from central.people import audit
from central.people.roles import Role
from central.people.sign_in_throttle import SignInThrottle
from central.records.engine import writing
from central.records.schema import sessions, users
from ground.clock import Clock

log = logging.getLogger(__name__)

SESSION_MS = 12 * 3_600_000
"""A session ends this long after it began, in use or not."""

IDLE_MS = 2 * 3_600_000
"""A session ends this long after its last request."""

SEEN_EVERY_MS = 60_000
"""The precision with which the records keep a session's last request."""

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,47}")


class AccountError(ValueError):
    """An account cannot be made or changed like this. ``kind`` is for machines, the message for people."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class SignInFailed(Exception):  # noqa: N818 - an answer to a person
    """Name or password is wrong, or the account is disabled; it must not show which."""


class Throttled(Exception):  # noqa: N818 - an answer to a person
    """Too many failures; try again after ``wait_ms``."""

    def __init__(self, wait_ms: int) -> None:
        super().__init__(f"too many failed attempts; try again in {-(-wait_ms // 1000)} s")
        self.wait_ms = wait_ms


@dataclass(frozen=True, slots=True)
class User:
    """A person's account, without its password."""

    username: str
    role: Role
    disabled: bool
    created_ms: int


@dataclass(frozen=True, slots=True)
class Session:
    """A person signed in, until ``expires_ms`` (UTC) or IDLE_MS without a request."""

    username: str
    role: Role
    expires_ms: int


class Accounts:
    """``hasher`` may be a cheaper one in tests."""

    def __init__(self, engine: Engine, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        self._engine = engine
        self._clock = clock
        self._hasher = hasher or PasswordHasher()
        self._throttle = SignInThrottle()
        self._throttle_lock = threading.Lock()
        self._seen_again_ms = 0
        self._unknown_hash = self._hasher.hash(secrets.token_urlsafe(16))

    # --- sessions --------------------------------------------------------------------------------------------

    def sign_in(self, username: str, password: str, source: str) -> tuple[str, Session]:
        """Begin a session and return its token with it. Raises :class:`SignInFailed` or :class:`Throttled`.

        An unknown name takes as long as a known one, and all impossible names count as one. ``source`` is the
        caller's network address.
        """
        if not _USERNAME.fullmatch(username):
            username = "(no username)"
        with self._throttle_lock:
            wait_ms = self._throttle.wait_ms(username, source, self._clock.mono_ms())
            if wait_ms > 0:
                raise Throttled(wait_ms)
            # Counted before the check, so that many at once do not all pass.
            self._throttle.failed(username, source, self._clock.mono_ms())
        with self._engine.connect() as connection:
            user = connection.execute(select(users).where(users.c.username == username)).first()
        right = self._verify(user.password_hash if user is not None else self._unknown_hash, password)
        if user is None or not right or user.disabled:
            with writing(self._engine) as connection:
                audit.append(connection, self._clock.utc_ms(), username, "sign_in_failed", source)
            raise SignInFailed(username)
        with self._throttle_lock:
            self._throttle.succeeded(username, source)
        return self._begin(username, Role(user.role), source)

    def session(self, token: str) -> Session | None:
        """The session of a token, noting its use; None: there is none, or it is over."""
        now_ms = self._clock.utc_ms()
        hashed = _token_hash(token)
        query = (
            select(sessions, users.c.role, users.c.disabled)
            .join(users, users.c.username == sessions.c.username)
            .where(sessions.c.token_hash == hashed)
        )
        with self._engine.connect() as connection:
            found = connection.execute(query).first()
        if found is None or found.disabled or _is_over(found, now_ms):
            return None
        if now_ms - found.last_seen_ms >= SEEN_EVERY_MS and self._clock.mono_ms() >= self._seen_again_ms:
            self._seen(hashed, now_ms)
        return Session(found.username, Role(found.role), found.expires_ms)

    def _seen(self, hashed: str, now_ms: int) -> None:
        """Record a session's use if the records can be written now: if not, people must still see the doors."""
        try:
            with writing(self._engine) as connection:
                connection.execute(
                    update(sessions).where(sessions.c.token_hash == hashed).values(last_seen_ms=now_ms)
                )
        except SQLAlchemyError as error:
            self._seen_again_ms = self._clock.mono_ms() + SEEN_EVERY_MS  # each try may wait for seconds
            log.warning("cannot keep when a session was used: %s", error)

    def still_valid(self, token: str) -> bool:
        """Whether a session is still valid. Unlike :meth:`session`, does not count as its use."""
        query = (
            select(sessions, users.c.disabled)
            .join(users, users.c.username == sessions.c.username)
            .where(sessions.c.token_hash == _token_hash(token))
        )
        with self._engine.connect() as connection:
            found = connection.execute(query).first()
        return found is not None and not found.disabled and not _is_over(found, self._clock.utc_ms())

    def sign_out(self, token: str) -> None:
        """End a session, if there is one."""
        with writing(self._engine) as connection:
            mine = sessions.c.token_hash == _token_hash(token)
            username = connection.execute(select(sessions.c.username).where(mine)).scalar()
            if username is not None:
                connection.execute(delete(sessions).where(mine))
                audit.append(connection, self._clock.utc_ms(), username, "signed_out", username)

    def _begin(self, username: str, role: Role, source: str) -> tuple[str, Session]:
        token, now_ms = secrets.token_urlsafe(32), self._clock.utc_ms()
        with writing(self._engine) as connection:
            connection.execute(
                delete(sessions).where(
                    (sessions.c.expires_ms <= now_ms) | (sessions.c.last_seen_ms <= now_ms - IDLE_MS)
                )
            )
            connection.execute(
                sessions.insert().values(
                    token_hash=_token_hash(token),
                    username=username,
                    created_ms=now_ms,
                    expires_ms=now_ms + SESSION_MS,
                    last_seen_ms=now_ms,
                )
            )
            audit.append(connection, now_ms, username, "signed_in", username, detail={"source": source})
        return token, Session(username, role, now_ms + SESSION_MS)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password[: LONGEST_PASSWORD + 1])
        except (VerificationError, InvalidHashError):
            return False

    # --- users -----------------------------------------------------------------------------------------------

    def users(self) -> list[User]:
        """All accounts, ordered by name."""
        with self._engine.connect() as connection:
            return [_user(row) for row in connection.execute(select(users).order_by(users.c.username))]

    def add_user(self, username: str, role: Role, password: str, by: str) -> User:
        """Add an account. Raises :class:`AccountError`: bad_username, bad_password, user_exists."""
        if not _USERNAME.fullmatch(username):
            raise AccountError("bad_username", f"{username!r}: expected 1 to 48 of a-z, 0-9, '.', '_' and '-'")
        password_hash = self._hash(password)
        user = User(username, role, False, self._clock.utc_ms())
        with writing(self._engine) as connection:
            if _exists(connection, username):
                raise AccountError("user_exists", f"there is a user {username!r} already")
            connection.execute(
                users.insert().values(
                    username=username,
                    role=role.value,
                    password_hash=password_hash,
                    disabled=False,
                    created_ms=user.created_ms,
                )
            )
            audit.append(connection, user.created_ms, by, "user_added", username, detail={"role": role.value})
        return user

    def change_user(
        self,
        username: str,
        by: str,
        *,
        role: Role | None = None,
        password: str | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change the given fields. A new password, or disabling, ends all sessions of the user.

        Raises :class:`AccountError`: no_such_user, bad_password, last_administrator.
        """
        changes: dict[str, object] = {}
        if role is not None:
            changes["role"] = role.value
        if disabled is not None:
            changes["disabled"] = disabled
        audited = dict(changes)
        if password is not None:
            changes["password_hash"] = self._hash(password)
            audited["password"] = "changed"  # noqa: S105 - not the password
        with writing(self._engine) as connection:
            if not _exists(connection, username):
                raise AccountError("no_such_user", f"there is no user {username!r}")
            before = _administrators(connection)
            if changes:
                connection.execute(update(users).where(users.c.username == username).values(changes))
                audit.append(connection, self._clock.utc_ms(), by, "user_changed", username, detail=audited)
            if before and not _administrators(connection):
                raise AccountError(
                    "last_administrator", f"{username!r} is the last administrator; make another one first"
                )
            if password is not None or disabled:
                connection.execute(delete(sessions).where(sessions.c.username == username))
            return _user(connection.execute(select(users).where(users.c.username == username)).one())

    def _hash(self, password: str) -> str:
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise AccountError("bad_password", f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
        return self._hasher.hash(password)


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _is_over(session: Row[tuple[object, ...]], now_ms: int) -> bool:
    return bool(session.expires_ms <= now_ms or session.last_seen_ms + IDLE_MS <= now_ms)


def _exists(connection: Connection, username: str) -> bool:
    return connection.execute(select(users.c.username).where(users.c.username == username)).first() is not None


def _administrators(connection: Connection) -> int:
    query = select(func.count()).select_from(users)
    able = users.c.disabled.is_(False) & (users.c.role == Role.ADMINISTRATOR.value)
    return int(connection.execute(query.where(able)).scalar_one())


def _user(row: Row[tuple[object, ...]]) -> User:
    return User(row.username, Role(row.role), row.disabled, row.created_ms)
