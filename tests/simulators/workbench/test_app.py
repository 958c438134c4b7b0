"""The workbench: orders over HTTP, for this machine's user alone, and a page that works in a browser."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from playwright.async_api import async_playwright

from simulators.orders.book import DOOR, OrderBook, Verb
from simulators.orders.control import LONGEST_LINE
from simulators.workbench.app import directly
from simulators.workbench.server import address, serving
from tests.support.console_browser import CHROMIUM, CHROMIUM_ARGUMENTS


def _book() -> OrderBook:
    doors = {"gym": {"leaf_closed": True, "bolt_thrown": True, "released": False, "mode": "controlled"}}

    def jam(_world: Any, door: str) -> None:
        if door not in doors:
            raise ValueError(f"no door {door!r}")
        doors[door]["bolt_thrown"] = False

    return OrderBook(
        [
            Verb("jam", "the bolt cannot enter", (DOOR,), jam),
            Verb("state", "the truth", (), lambda _world: {"doors": doors}),
        ],
        None,
    )


async def _gone(_order: Any) -> Any:
    raise ConnectionRefusedError("nobody there")


@pytest.fixture
async def bench() -> AsyncIterator[httpx.AsyncClient]:
    sites = {"lincoln-high/east": directly(_book()), "lincoln-high/west": _gone}
    async with (
        serving(sites, "127.0.0.1", 0) as at,
        httpx.AsyncClient(base_url=f"{at}api", trust_env=False) as client,
    ):
        yield client


async def test_orders_are_listed_carried_out_and_seen_in_the_state(bench: httpx.AsyncClient) -> None:
    assert (await bench.get("/sites")).json() == {"sites": ["lincoln-high/east", "lincoln-high/west"]}
    orders = (await bench.get("/sites/lincoln-high/east/orders")).json()["orders"]
    assert [order["do"] for order in orders] == ["help", "jam", "state"]
    answer = await bench.post("/sites/lincoln-high/east/orders", json={"do": "jam", "door": "gym"})
    assert (answer.status_code, answer.json()) == (200, {"done": "jam"})
    state = (await bench.get("/sites/lincoln-high/east/state")).json()
    assert not state["doors"]["gym"]["bolt_thrown"]


@pytest.mark.parametrize(
    ("path", "order", "status", "says"),
    [
        ("east", {"do": "jamm", "door": "gym"}, 422, "did you mean 'jam'"),
        ("east", {"do": "jam", "door": "gim"}, 422, "no door 'gim'"),
        ("east", ["jam"], 422, "an order is an object"),
        ("north", {"do": "state"}, 404, "there are: lincoln-high/east"),
        ("west", {"do": "state"}, 503, "is it running?"),
    ],
)
async def test_what_cannot_be_done_says_why(
    bench: httpx.AsyncClient, path: str, order: Any, status: int, says: str
) -> None:
    answer = await bench.post(f"/sites/lincoln-high/{path}/orders", json=order)
    assert answer.status_code == status
    assert says in answer.json()["error"]


async def test_a_form_of_another_page_cannot_order_anything(bench: httpx.AsyncClient) -> None:
    answer = await bench.post(
        "/sites/lincoln-high/east/orders",
        content=json.dumps({"do": "jam", "door": "gym"}),
        headers={"content-type": "text/plain"},
    )
    assert answer.status_code == 415


async def test_a_page_that_rebinds_its_name_to_loopback_is_refused(bench: httpx.AsyncClient) -> None:
    answer = await bench.get("/sites/lincoln-high/east/state", headers={"host": "attacker.example"})
    assert answer.status_code == 400


async def test_an_order_without_end_is_cut_off(bench: httpx.AsyncClient) -> None:
    answer = await bench.post(
        "/sites/lincoln-high/east/orders",
        content=b"x" * (LONGEST_LINE + 1),
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("text", ["0.0.0.0:8090", "example.org:80", "port", "70000", ""])
def test_the_workbench_listens_on_loopback_only(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a port|this machine only"):
        address(text)


def test_a_port_alone_is_one_of_loopback() -> None:
    assert address("8090") == ("127.0.0.1", 8090)


async def test_a_port_that_is_taken_is_said_to_be(bench: httpx.AsyncClient) -> None:
    with pytest.raises(OSError, match="in use"):
        async with serving({}, "127.0.0.1", bench.base_url.port or 0):
            pass


async def test_the_page_shows_the_doors_and_carries_out_what_is_chosen(bench: httpx.AsyncClient) -> None:
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = await browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(str(bench.base_url).removesuffix("api/"))
        row = page.get_by_role("row").filter(has_text="gym")
        await row.get_by_text("thrown").wait_for()
        await page.get_by_role("button", name="gym").click()
        await page.get_by_label("What", exact=True).select_option("jam")
        assert await page.get_by_label("door", exact=True).input_value() == "gym"
        await page.get_by_role("button", name="Do it").click()
        await page.get_by_text("jam door=gym: done").wait_for()
        await row.get_by_text("back").wait_for()
        await page.get_by_label("School and agent").select_option("lincoln-high/west")
        await page.get_by_role("alert").get_by_text("is it running?").wait_for()
        await browser.close()
    assert not errors
