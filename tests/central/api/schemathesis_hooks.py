"""Loaded by schemathesis alone: signs in, and keeps what it asks from ending its own run."""

import os
from typing import Any

import httpx
import schemathesis

ADDRESS = os.environ["DOORWARD_ADDRESS"]
PERSON = {"username": os.environ["DOORWARD_NAME"], "password": os.environ["DOORWARD_PASSWORD"]}


def sign_in() -> str:
    answer = httpx.post(f"{ADDRESS}/api/session", json=PERSON, trust_env=False)
    return str(answer.raise_for_status().json()["token"])


@schemathesis.auth(refresh_interval=None)
class Session:
    """One session for everything but signing out, which would end it for all that comes after."""

    lasting: str | None = None

    def get(self, case: Any, _: Any) -> str:
        if case.operation.label == "DELETE /api/session":
            return sign_in()
        Session.lasting = Session.lasting or sign_in()
        return Session.lasting

    def set(self, case: Any, token: str, _: Any) -> None:
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    """The person's own account stays as it is: a new password ends its sessions."""
    return bool(case.path_parameters.get("username") != PERSON["username"])


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    if case.operation.path == "/api/live" and case.query.get("site") not in ["", "elm"]:
        case.query["site"] = "elm"  # there is none: a stream that is let in does not end
    if (
        case.operation.label == "POST /api/session"
        and case.body == case.operation.schema.raw_schema["components"]["schemas"]["SignIn"]["examples"][0]
    ):
        case.body = PERSON  # the document's example, of a person who exists
