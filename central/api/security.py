"""Finds a request's session and checks its rights: a cookie (the console) or a bearer token (machines)."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from central.api.problems import HttpProblem
from central.api.services import Parts
from central.people.accounts import Session
from central.people.roles import Right, may, roles_with

COOKIE = "doorward_session"

_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="Set by signing in; HttpOnly, SameSite=Strict")
_bearer = HTTPBearer(auto_error=False, description="The token that signing in returns")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def token_of(
    request: Request,
    cookie: Annotated[str | None, Depends(_cookie)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> str:
    """The token in a request; 401 without one, 403 if another site's page made a browser send it."""
    if bearer is not None:
        return bearer.credentials
    if cookie is None:
        raise HttpProblem(401, "Nobody is signed in.", headers={"WWW-Authenticate": "Bearer"})
    refuse_foreign(request)
    return cookie


def refuse_foreign(request: Request) -> None:
    """Answer 403 if a page of another origin made a browser send an act. SameSite=Strict stops other sites only."""
    origin = request.headers.get("origin")
    if request.method not in _SAFE and origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HttpProblem(
            403, f"This was asked for by a page of {origin}, which is not this console.", "foreign_origin"
        )


Token = Annotated[str, Depends(token_of)]


async def signed_in(central: Parts, token: Token) -> Session:
    """The request's session; 401 if it is over."""
    session = await run_in_threadpool(central.accounts.session, token)
    if session is None:
        raise HttpProblem(401, "The session is over.", headers={"WWW-Authenticate": "Bearer"})
    return session


SignedIn = Annotated[Session, Depends(signed_in)]


class _Having:
    """Requires a session whose role gives a right; 403 otherwise."""

    def __init__(self, right: Right) -> None:
        self.right = right

    def __call__(self, session: SignedIn) -> Session:
        if not may(session.role, self.right):
            able = ", ".join(roles_with(self.right))
            raise HttpProblem(403, f"A {session.role} may not {self.right}; who may: {able}.", "not_allowed")
        return session


Declarer = Annotated[Session, Depends(_Having(Right.DECLARE))]
Releaser = Annotated[Session, Depends(_Having(Right.RELEASE))]
Commander = Annotated[Session, Depends(_Having(Right.COMMAND))]
Auditor = Annotated[Session, Depends(_Having(Right.AUDIT))]
Administrator = Annotated[Session, Depends(_Having(Right.ADMINISTER))]
