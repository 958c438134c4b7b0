"""Routes to sign in and out."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from central.api.problems import HttpProblem, documented
from central.api.security import COOKIE, SignedIn, Token, refuse_foreign
from central.api.services import HASHING_WAITING, Parts
from central.api.strict import StrictBody, StrictRoute
from central.people.accounts import SignInFailed, Throttled
from central.people.roles import Role

router = APIRouter(prefix="/api/session", tags=["session"], route_class=StrictRoute)


class SignIn(StrictBody):
    """A person's name and password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "duty-officer", "password": "…"}]})

    username: str = Field(max_length=200)
    password: str = Field(max_length=1000)


class SessionView(BaseModel):
    """A person signed in. The session ends at ``expires_ms`` (UTC), or after two hours without a request."""

    username: str
    role: Role
    expires_ms: int


class NewSession(SessionView):
    """``token`` is for machines, as ``Authorization: Bearer …``; a browser has the cookie."""

    token: str


@router.post("", summary="Sign in", responses=documented(401, 403, 413, 429))
async def sign_in(body: SignIn, request: Request, response: Response, central: Parts) -> NewSession:
    """Begin a session. A wrong name and a wrong password take the same time and get the same answer; after repeated
    failures the wait grows.
    """
    refuse_foreign(request)
    source = request.client.host if request.client is not None else "unknown"
    gate = central.sign_in_gate
    if gate.waiting >= HASHING_WAITING:
        raise _too_many(2_000)
    gate.waiting += 1
    try:
        async with gate.turns:
            sign_in = central.accounts.sign_in
            token, session = await run_in_threadpool(sign_in, body.username, body.password, source)
    except SignInFailed:
        raise HttpProblem(401, "Name or password is wrong.") from None
    except Throttled as throttled:
        raise _too_many(throttled.wait_ms) from None
    finally:
        gate.waiting -= 1
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure, path="/")
    return NewSession(username=session.username, role=session.role, expires_ms=session.expires_ms, token=token)


@router.get("", summary="Who is signed in", responses=documented(401))
async def session(who: SignedIn) -> SessionView:
    """The session behind the cookie or token."""
    return SessionView(username=who.username, role=who.role, expires_ms=who.expires_ms)


@router.delete("", summary="Sign out", status_code=204, responses=documented(401, 403))
async def sign_out(central: Parts, _: SignedIn, token: Token, response: Response) -> None:
    """End the session at once."""
    await run_in_threadpool(central.accounts.sign_out, token)
    response.delete_cookie(COOKIE, path="/")


def _too_many(wait_ms: int) -> HttpProblem:
    seconds = -(-wait_ms // 1000)
    return HttpProblem(
        429, f"Too many failed attempts; try again in {seconds} s.", "throttled", {"Retry-After": str(seconds)}
    )
