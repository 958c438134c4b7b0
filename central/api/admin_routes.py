"""Routes of accounts and of the audit log."""

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from typing_extensions import TypedDict

from central.api.answers import encoded
from central.api.problems import HttpProblem, documented
from central.api.security import Administrator, Auditor
from central.api.services import Parts
from central.api.strict import ByValue, InDigits, StrictBody, StrictRoute
from central.people.accounts import LONGEST_PASSWORD, SHORTEST_PASSWORD, AccountError, User
from central.people.audit import AuditEntry
from central.people.roles import Role

router = APIRouter(prefix="/api", route_class=StrictRoute)

Password = Annotated[str, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]
_STATUSES = {"no_such_user": 404, "user_exists": 409, "last_administrator": 409}


class UserView(BaseModel):
    """A person's account, without its password."""

    username: str
    role: Role
    disabled: bool
    created_ms: int


class NewUser(StrictBody):
    """The account to add, with its first password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "duty-officer", "role": "officer", "password": "12 or more"}]},
    )

    username: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,47}$")
    role: Annotated[Role, ByValue]
    password: Password


class UserChange(StrictBody):
    """The fields to change; absent ones stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"disabled": True}]})

    role: Annotated[Role | None, ByValue] = None
    password: Password | None = Field(default=None, description="Ends all sessions of the user")
    disabled: bool | None = Field(default=None, description="true ends all sessions of the user")


class AuditEntryView(TypedDict):
    """One act of a person. ``hash`` chains it to the entry before."""

    seq: int
    at_ms: int
    who: str
    action: str
    subject: str
    detail: dict[str, object]
    hash: str


class AuditVerdict(BaseModel):
    """Whether the chain of entries holds; ``first_bad`` is the first that does not fit, ``head`` the last hash."""

    ok: bool
    entries: int
    first_bad: int | None
    head: str


@router.get("/users", tags=["people"], summary="All accounts", responses=documented(401, 403))
async def users(central: Parts, _: Administrator) -> list[UserView]:
    """All accounts, ordered by name."""
    return [_view(user) for user in await run_in_threadpool(central.accounts.users)]


@router.post(
    "/users", tags=["people"], summary="Add an account", status_code=201, responses=documented(401, 403, 409, 413)
)
async def add_user(body: NewUser, central: Parts, who: Administrator) -> UserView:
    """Answers 409 ``user_exists`` if the name is taken."""
    try:
        add = central.accounts.add_user
        return _view(await run_in_threadpool(add, body.username, body.role, body.password, who.username))
    except AccountError as error:
        raise _problem(error) from None


@router.patch(
    "/users/{username}",
    tags=["people"],
    summary="Change an account",
    responses=documented(401, 403, 404, 409, 413),
)
async def change_user(
    username: Annotated[str, Path(max_length=48)], body: UserChange, central: Parts, who: Administrator
) -> UserView:
    """Change role, password, or whether it is disabled. 409 ``last_administrator``: one must remain."""
    try:
        user = await run_in_threadpool(
            central.accounts.change_user,
            username,
            who.username,
            role=body.role,
            password=body.password,
            disabled=body.disabled,
        )
    except AccountError as error:
        raise _problem(error) from None
    return _view(user)


@router.get(
    "/audit",
    tags=["people"],
    summary="What people did",
    response_model=list[AuditEntryView],
    responses=documented(401, 403),
)
async def audit(
    central: Parts,
    _: Auditor,
    limit: Annotated[int, Query(ge=1, le=1_000), InDigits] = 100,
    before_seq: Annotated[int | None, Query(ge=0, le=2**62, description="The last page's last seq"), InDigits] = None,
) -> Response:
    """A page of entries, newest first."""
    return encoded([_entry(entry) for entry in await run_in_threadpool(central.audit.latest, limit, before_seq)])


@router.get(
    "/audit/verify", tags=["people"], summary="Whether the audit log was changed", responses=documented(401, 403)
)
async def verify(central: Parts, _: Auditor) -> AuditVerdict:
    """Follows the chain from its beginning. Missing newest entries show only in ``head``: note it elsewhere."""
    verdict = await run_in_threadpool(central.audit.verify)
    return AuditVerdict(ok=verdict.ok, entries=verdict.entries, first_bad=verdict.first_bad, head=verdict.head)


def _view(user: User) -> UserView:
    return UserView(username=user.username, role=user.role, disabled=user.disabled, created_ms=user.created_ms)


def _entry(entry: AuditEntry) -> dict[str, Any]:
    return {**asdict(entry), "detail": msgspec.Raw(entry.detail.encode())}


def _problem(error: AccountError) -> HttpProblem:
    return HttpProblem(_STATUSES.get(error.kind, 422), f"{error}.", error.kind)
