"""Chromium pages for the console's tests: signed in, and watched for errors they log."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.support.console_fake import PASSWORD

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
_EXPECTED = "status of 401"  # the question who is signed in, before anybody is


@dataclass
class Watched:
    """What a page complained of: exceptions, refusals of its content security policy, missing files."""

    errors: list[str] = field(default_factory=list)


@contextlib.contextmanager
def watched_page(browser: Browser, address: str, token: str | None = None) -> Iterator[tuple[Page, Watched]]:
    """A new page at the console's address; signed in already if a session's token is given."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    watched = Watched()
    if token is not None:
        context.add_cookies([{"name": "doorward_session", "value": token, "url": address}])
    page = context.new_page()
    page.on("pageerror", lambda error: watched.errors.append(str(error)))

    def note(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"} and _EXPECTED not in said.text:
            watched.errors.append(said.text)

    page.on("console", note)
    page.goto(address)
    page.locator("#username" if token is None else "[data-site]").first.wait_for()
    yield page, watched
    context.close()


def sign_in(page: Page, name: str, *, password: str = PASSWORD, landing: str = "[data-site]") -> None:
    """Fill in the form and wait for what should then be on show."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.locator(landing).first.wait_for()
