"""What a request may hold: JSON in UTF-8, and in it and in the query no value that would have to be guessed."""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_WHOLE = re.compile(r"-?[0-9]{1,19}")


class StrictBody(BaseModel):
    """Base of every request body: a value of another type is refused (0 and "off" are no ``false``), an unknown
    field too.
    """

    model_config = ConfigDict(extra="forbid", strict=True)


ByValue = Field(strict=False)
"""Beside a StrEnum in a body: strictly, pydantic would take its members alone, and JSON has only their values."""


def _true_or_false(text: object) -> object:
    if isinstance(text, str) and text not in {"true", "false"}:
        raise ValueError("expected true or false")
    return text


def _in_digits(text: object) -> object:
    if isinstance(text, str) and not _WHOLE.fullmatch(text):
        raise ValueError("expected a whole number, in digits")
    return text


TrueOrFalse = BeforeValidator(_true_or_false)
"""Beside a boolean of a query: ``true`` or ``false``; pydantic alone would take ``off`` and ``1``, too."""

InDigits = BeforeValidator(_in_digits)
"""Beside a number of a query: pydantic alone would take ``1.0`` and ``1_000``, too. It stands after the limits, which
would otherwise be missing in the document.
"""


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return named


class _Utf8Request(Request):
    async def json(self) -> Any:
        """Python's own decoder would guess UTF-16, take the last of two equal names, and leave FastAPI to answer 400
        to what is no text at all.
        """
        body = await self.body()
        try:
            msgspec.json.decode(body)  # is strict, but for names that stand twice
            return json.loads(body, object_pairs_hook=_each_name_once)
        except (ValueError, RecursionError) as error:  # a DecodeError, of either kind, is a ValueError
            raise json.JSONDecodeError(f"not JSON in UTF-8: {error}", "", 0) from None


class StrictRoute(APIRoute):
    """Reads its body as UTF-8 and nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_Utf8Request(request.scope, request.receive))

        return strictly
