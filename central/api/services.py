"""The parts of central that the routes use; each route gets those of its application."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from central.agents.commands import CommandService
from central.declarations.service import DeclarationService
from central.district.inventory import Inventory
from central.events.history import History
from central.fleet.fleet import Fleet
from central.live.health import CentralHealth
from central.live.hub import LiveHub
from central.live.views import Views
from central.people.accounts import Accounts
from central.people.audit import AuditLog
from ground.clock import Clock

HASHING_AT_ONCE = 2
"""Passwords hashed at a time: each takes 64 MiB and tens of milliseconds of a processor."""

HASHING_WAITING = 20


@dataclass(slots=True)
class SignInGate:
    """Keeps a flood of sign-ins from using up the machine."""

    waiting: int = 0
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HASHING_AT_ONCE))


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of central that its API uses."""

    clock: Clock
    inventory: Inventory
    fleet: Fleet
    views: Views
    declarations: DeclarationService
    commands: CommandService
    accounts: Accounts
    audit: AuditLog
    history: History
    hub: LiveHub
    health: Callable[[], CentralHealth]
    sign_in_gate: SignInGate = field(default_factory=SignInGate)


def of_request(request: Request) -> Services:
    """The services of the application that serves a request."""
    return cast("Services", request.app.state.services)


Parts = Annotated[Services, Depends(of_request)]
