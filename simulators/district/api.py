"""What a scenario and the demo ask of central, over its public HTTP API. Knows no business rules."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import httpx

REQUEST_WITHIN_S = 10.0


class ApiError(Exception):
    """Central said no, or said nothing. The text is what it said."""


class DistrictApi:
    """One signed-in user of central. An asynchronous context manager."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._http = httpx.AsyncClient(base_url=address, timeout=REQUEST_WITHIN_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def sign_in(self, username: str, password: str) -> None:
        """Sign in; what follows is done as this user."""
        session = await self._ask("POST", "/api/session", {"username": username, "password": password})
        self._http.headers["Authorization"] = f"Bearer {session['token']}"

    async def health(self) -> Any:
        """Ask for central's health, without signing in."""
        return await self._ask("GET", "/api/health")

    async def create_user(self, username: str, role: str, password: str) -> None:
        """Create an account, as an administrator."""
        await self._ask("POST", "/api/users", {"username": username, "role": role, "password": password})

    async def overview(self) -> Any:
        """The whole district at a glance."""
        return await self._ask("GET", "/api/overview")

    async def site(self, site: str) -> Any:
        """One school, door by door."""
        return await self._ask("GET", f"/api/sites/{site}")

    async def door(self, site: str, door: str) -> Any:
        return await self._ask("GET", f"/api/sites/{site}/doors/{door}")

    async def declare(self, action: str, scope: dict[str, str], *, drill: bool, reason: str) -> Any:
        """Declare; returns the declaration."""
        return await self._ask(
            "POST", "/api/declarations", {"action": action, "scope": scope, "drill": drill, "reason": reason}
        )

    async def declaration(self, declaration_id: str) -> Any:
        """A declaration with its doors."""
        return await self._ask("GET", f"/api/declarations/{declaration_id}")

    async def events(self, **asked: Any) -> list[Any]:
        """Events, the newest first; ``asked`` are the filters of ``/api/events``."""
        given = {name: value for name, value in asked.items() if value is not None}
        answer = await self._ask("GET", "/api/events", given=given)
        return list(answer["events"])

    async def release(self, declaration_id: str) -> Any:
        """Ask for a declaration's end, or be the second to."""
        return await self._ask("POST", f"/api/declarations/{declaration_id}/release", {})

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, given: dict[str, Any] | None = None
    ) -> Any:
        try:
            response = await self._http.request(method, path, json=body, params=given)
        except httpx.HTTPError as error:
            raise ApiError(f"{method} {self.address}{path}: {error or type(error).__name__}") from None
        if response.is_error:
            raise ApiError(f"{method} {self.address}{path}: {response.status_code} {response.text[:500]}")
        return response.json()


async def wait_for_central(api: DistrictApi, within_s: float) -> None:
    """Return once central answers. :class:`ApiError` when time is up."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    await api.health()
                except ApiError:
                    await asyncio.sleep(0.1)
                else:
                    return
    except TimeoutError:
        raise ApiError(f"{api.address} did not answer within {within_s:.0f} s") from None
