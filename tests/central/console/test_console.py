"""The console in a real Chromium, on a real district: broker, central and agents are processes, doors are virtual.

States that a real district reaches only by bad luck are in test_console_states.py.
"""

import contextlib
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from central.live.hub import STREAM_SILENT_MS
from protocol.proof import SILENT_MS
from simulators.district.plan import DistrictSize
from tests.support.brokers import mosquitto
from tests.support.console_browser import CHROMIUM, CHROMIUM_ARGUMENTS, Watched, sign_in, watched_page
from tests.support.running_district import Api, RunningDistrict, running_district, wait_for

SIZE = DistrictSize(sites=2, agents=1, doors=4, readers=1)
expect.set_options(timeout=15_000)

SignedIn = Callable[[str], Page]


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDistrict]:
    with running_district(tmp_path_factory.mktemp("d"), SIZE, broker=mosquitto, round_the_clock=True) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def people(district: RunningDistrict) -> dict[str, Api]:
    """Everybody, signed in once: too many sign-ins from one place have to wait."""
    return {name: district.api(name) for name in district.passwords}


@pytest.fixture(autouse=True)
def nothing_declared(people: dict[str, Api]) -> Iterator[None]:
    yield
    for declaration in people["responder"].get("/declarations", active="true"):
        for name in ("responder", "officer"):
            people[name].post(f"/declarations/{declaration['id']}/release")
    wait_for(lambda: not people["responder"].get("/declarations", active="true"), "all declarations ended")


@pytest.fixture
def signed_in(browser: Browser, district: RunningDistrict, people: dict[str, Api]) -> Iterator[SignedIn]:
    """A page of somebody's own, at the district. None may have logged an error by the end."""
    with contextlib.ExitStack() as pages:
        opened: list[Watched] = []

        def open_page(name: str) -> Page:
            token = people[name].client.headers["Authorization"].removeprefix("Bearer ")
            page, watched = pages.enter_context(watched_page(browser, district.address, token))
            opened.append(watched)
            return page

        yield open_page
        assert [watched.errors for watched in opened] == [[]] * len(opened)


@pytest.fixture
def agent(district: RunningDistrict) -> str:
    """An agent, as site/agent."""
    return next(iter(district.agents))


@pytest.fixture
def school(agent: str) -> str:
    """The agent's."""
    return agent.split("/", maxsplit=1)[0]


@pytest.fixture
def locked(people: dict[str, Api], school: str) -> str:
    """A door of the school that its schedule keeps locked, and that is proven so."""

    def proven() -> str:
        doors = people["officer"].doors(school)
        by_schedule = {
            name for name, door in doors.items() if door["mode"] == "controlled" and not door["declarations"]
        }
        return next((name for name in sorted(by_schedule) if doors[name]["proven"]), "")

    return wait_for(proven, "a proven door")


def at(page: Page, route: str) -> None:
    """Go to another page of the console, as by its address."""
    page.goto(f"{page.url.partition('#')[0]}#{route}")


def test_the_district_its_school_and_its_door_show_what_central_knows(
    signed_in: SignedIn, school: str, people: dict[str, Api], locked: str
) -> None:
    page = signed_in("officer")
    names = {site["site"]: site["name"] for site in people["responder"].get("/overview")["sites"]}
    expect(page.locator("[data-site]")).to_have_count(len(names))
    expect(page.locator("main")).to_contain_text("All 2 agents heard")
    page.locator(f"[data-site={school}]").click()
    expect(page.locator("h1")).to_have_text(names[school])
    expect(page.locator("[data-door]")).to_have_count(SIZE.doors * SIZE.agents)
    page.locator(f"[data-door={locked}]").click()
    expect(page.locator(".chip.big")).to_have_text("Secure")
    expect(page.locator(".facts")).to_contain_text(re.compile(r"Evidence\s*\d+ s old"))
    expect(page.locator(".strip-of-day")).to_contain_text("Secure")
    expect(page.locator("[data-event]").first).to_be_visible()


def test_one_confirm_locks_the_school_and_counts_until_all_its_doors_are_proven(
    signed_in: SignedIn, school: str, people: dict[str, Api]
) -> None:
    page = signed_in("facilities")
    at(page, f"/site/{school}")
    expect(page.locator("[data-door]").first).to_be_visible()
    page.get_by_role("button", name="Lockdown").click()
    page.get_by_role("button", name="Declare REAL Lockdown").click()
    expect(page.locator(".declared h1")).to_have_text("REAL Lockdown")
    total = SIZE.doors * SIZE.agents
    expect(page.locator("main")).to_contain_text(f"All {total} doors are proven; the slowest took")
    expect(page.locator("[data-section=proven] .closure-row")).to_have_count(total)
    expect(page.locator("[data-section=proven]")).to_contain_text(re.compile(r"proven after \d+\.\d+ s"))
    (declared,) = people["responder"].get("/declarations", active="true")
    assert (declared["by"], declared["drill"]) == ("facilities", False)
    expect(page.locator(".release")).to_contain_text("Your role is facilities.")


def test_on_the_districts_page_a_hasty_confirm_locks_all_schools(
    signed_in: SignedIn, district: RunningDistrict
) -> None:
    page = signed_in("officer")
    page.get_by_role("button", name="Lockdown").click()
    page.get_by_role("button", name="Declare REAL Lockdown: All 2 schools").click()
    expect(page.locator(".declared-where")).to_have_text("All schools")
    expect(page.locator(".tile[data-key=proven] .tile-number")).to_have_text(str(len(district.district.doors)))


def test_action_door_drill_and_reason_can_be_chosen(
    signed_in: SignedIn, school: str, people: dict[str, Api], locked: str
) -> None:
    page = signed_in("officer")
    page.get_by_role("button", name="Lockdown").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Secure", exact=False).check()
    dialog.get_by_label("School", exact=True).select_option(school)
    dialog.get_by_label("Which part").select_option(f"door:{locked}")
    dialog.get_by_label("DRILL").check()
    dialog.get_by_label("Reason").fill("Monthly")
    dialog.get_by_role("button", name="Start DRILL Secure").click()
    expect(page.locator(".declared h1")).to_have_text("DRILL: Secure")
    (made,) = people["responder"].get("/declarations", active="true")
    assert made["scope"] == {"kind": "door", "site": school, "zone": None, "door": locked}
    assert (made["action"], made["drill"], made["reason"]) == ("secure", True, "Monthly")
    page.get_by_role("button", name="End the drill").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it active").click()
    expect(page.locator(".declared-state")).to_contain_text("ACTIVE")
    page.get_by_role("button", name="End the drill").click()
    page.get_by_role("dialog").get_by_role("button", name="End DRILL: Secure").click()
    expect(page.locator(".declared-state")).to_contain_text("ENDED")


def test_the_keyboard_alone_declares_and_a_held_enter_does_not(signed_in: SignedIn, people: dict[str, Api]) -> None:
    page = signed_in("officer")
    page.get_by_role("button", name="Lockdown").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert people["responder"].get("/declarations", active="true") == []
    page.get_by_role("button", name="Declare REAL").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".declared h1")).to_have_text("REAL Lockdown")


def test_a_drill_is_never_drawn_like_a_real_one(signed_in: SignedIn, school: str, people: dict[str, Api]) -> None:
    page, colours = signed_in("officer"), []
    for drill in (True, False):
        made = people["responder"].declare({"kind": "site", "site": school}, drill=drill)
        line = page.locator(f'.strip-line[href="#/declaration/{made}"]')
        card = page.locator(f'.card[href="#/declaration/{made}"]')
        for drawn in (line, card):
            expect(drawn).to_contain_text("DRILL: Lockdown" if drill else "REAL Lockdown")
        colours.append([one.evaluate("(node) => getComputedStyle(node).backgroundColor") for one in (line, card)])
    assert colours[0][0] != colours[1][0]
    assert colours[0][1] != colours[1][1]


def test_a_jammed_door_is_named_with_its_reason_and_never_counted_proven(
    signed_in: SignedIn, district: RunningDistrict, agent: str, school: str, people: dict[str, Api]
) -> None:
    page = signed_in("officer")
    doors = district.hardware(agent)
    door = next(name for name, state in doors.items() if state["mode"] == "unlocked")
    district.order(agent, "jam", door=door)
    try:
        declaration = people["responder"].declare({"kind": "site", "site": school}, drill=True)
        at(page, f"/declaration/{declaration}")
        expect(page.locator("[data-section=failed] .closure-row")).to_have_attribute("data-door", f"{school}/{door}")
        assert page.locator("[data-section=failed] .row-detail").inner_text()
        expect(page.locator("[data-section=proven] .closure-row")).to_have_count(SIZE.doors * SIZE.agents - 1)
    finally:
        district.order(agent, "unjam", door=door)


def test_a_forced_door_stands_first_and_is_announced_as_an_alarm(
    signed_in: SignedIn, district: RunningDistrict, agent: str, school: str, locked: str
) -> None:
    page = signed_in("officer")
    district.order(agent, "force", door=locked)
    try:
        expect(page.locator("[data-site]").first).to_contain_text("1 forced")
        expect(page.locator("main")).to_contain_text("Alarm: Forced open")
        at(page, f"/site/{school}")
        expect(page.locator(f".zone[data-wrong] [data-door={locked}]")).to_contain_text("Forced")
    finally:
        district.order(agent, "close", door=locked)
    expect(page.locator(f"[data-door={locked}]")).to_contain_text("Secure")


def test_two_different_people_end_a_real_lockdown(signed_in: SignedIn, school: str, people: dict[str, Api]) -> None:
    officer, responder = signed_in("officer"), signed_in("responder")
    declaration = people["facilities"].declare({"kind": "site", "site": school})
    for page in (officer, responder):
        expect(page.locator(".strip-line")).to_contain_text("REAL Lockdown")
        page.locator(".strip-line").click()
        expect(page).to_have_url(re.compile(declaration))
    officer.get_by_role("button", name="Ask for release").click()
    expect(officer.locator(".release")).to_contain_text("You asked for release. Somebody else must end it.")
    responder.get_by_role("button", name="Withdraw the request").click()
    officer.get_by_role("button", name="Ask for release").click()
    responder.get_by_role("button", name="End REAL Lockdown").click()
    responder.get_by_role("dialog").get_by_role("button", name="End REAL Lockdown").click()
    for page in (officer, responder):
        expect(page.locator(".declared")).to_contain_text(re.compile("ENDED .* by responder"))
        at(page, "/declarations")
        expect(page.locator(f'.card[href="#/declaration/{declaration}"]')).to_contain_text("Ended by responder")


def test_the_lock_is_tested_and_its_sensors_answer(signed_in: SignedIn, school: str, locked: str) -> None:
    page = signed_in("officer")
    at(page, f"/site/{school}/door/{locked}")
    page.get_by_role("button", name="Test the lock").click()
    expect(page.locator(".outcome")).to_contain_text(re.compile("Test the lock: done; .*contact closed, bolt"))


def test_a_session_that_ends_leads_back_to_where_one_was(
    browser: Browser, district: RunningDistrict, school: str
) -> None:
    with watched_page(browser, district.address) as (page, watched):
        sign_in(page, "officer", password=district.passwords["officer"])
        at(page, f"/site/{school}")
        expect(page.locator("[data-door]").first).to_be_visible()
        page.evaluate("fetch('/api/session', {method: 'DELETE'})")  # as from another tab
        sign_in(page, "officer", password=district.passwords["officer"], landing="[data-door]")
        expect(page).to_have_url(re.compile(f"#/site/{school}$"))
        assert watched.errors == []


def test_a_school_that_does_not_exist_is_said_in_centrals_words(browser: Browser, district: RunningDistrict) -> None:
    with watched_page(browser, district.address) as (page, _):
        sign_in(page, "officer", password=district.passwords["officer"])
        at(page, "/site/atlantis")
        expect(page.locator(".problem")).to_contain_text("There is no site 'atlantis'.")
        expect(page.locator(".link-word")).to_have_text("Live")
        page.locator(".problem").get_by_role("link", name="All schools").click()
        expect(page.locator("[data-site]").first).to_be_visible()


def test_a_wrong_password_is_said_and_asked_again(browser: Browser, district: RunningDistrict) -> None:
    with watched_page(browser, district.address) as (page, _):
        page.get_by_label("Name").fill("officer")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong.")
        expect(page.get_by_label("Password")).to_be_focused()


def test_a_responder_is_told_that_commands_are_for_others(signed_in: SignedIn, school: str, locked: str) -> None:
    page = signed_in("responder")
    at(page, f"/site/{school}/door/{locked}")
    expect(page.locator("main")).to_contain_text("Your role is responder.")
    expect(page.get_by_role("button", name="Test the lock")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(
    signed_in: SignedIn, school: str, width: int, people: dict[str, Api], locked: str
) -> None:
    made = people["responder"].declare({"kind": "site", "site": school})
    page = signed_in("officer")
    page.set_viewport_size({"width": width, "height": 844})
    pages = {"/": "[data-site]", f"/site/{school}": "[data-door]", f"/site/{school}/door/{locked}": ".history"}
    more = {"/events": "[data-event]", "/declarations": ".card", f"/declaration/{made}": "[data-door]", "/no": "a"}
    for route, landmark in {**pages, **more}.items():
        at(page, route)
        expect(page.locator(f"main {landmark}").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, route
        button = page.get_by_role("button", name="Lockdown").bounding_box()
        assert button is not None
        assert button["x"] + button["width"] <= width, route


def test_the_console_believes_evidence_and_silence_for_as_long_as_central_does(signed_in: SignedIn) -> None:
    limits = signed_in("officer").evaluate("""async () => {
        const {ServerClock} = await import("/js/central/clock.js");
        const {Live} = await import("/js/central/live.js");
        return new Promise((heard) => {
            const onHello = () => { live.stop(); heard(live.limits); };
            const live = new Live(new ServerClock(), {onHello, onMessage() {}, onLink() {}, onRefused() {}});
            live.watch({});
        });
    }""")
    assert limits == {"evidence_lasts_ms": SILENT_MS, "stream_silent_ms": STREAM_SILENT_MS}


@pytest.mark.slow
def test_a_frozen_central_takes_every_proof_back_until_it_speaks_again(
    signed_in: SignedIn, district: RunningDistrict, school: str, locked: str
) -> None:
    page = signed_in("officer")
    at(page, f"/site/{school}")
    chip = page.locator(f"[data-door={locked}] .chip")
    expect(chip).to_have_text("Secure")
    district.central.freeze()
    try:
        expect(page.locator("#banner")).to_contain_text("No word from central since", timeout=20_000)
        expect(page.locator(".chip[data-group=proven]")).to_have_count(0)
        expect(chip).to_have_text("Unknown")
    finally:
        district.central.thaw()
    expect(page.locator("#banner")).to_be_hidden(timeout=30_000)
    expect(chip).to_have_text("Secure", timeout=30_000)


@pytest.mark.slow
def test_a_silent_agent_is_named_and_its_doors_are_unknown(
    signed_in: SignedIn, district: RunningDistrict, agent: str, school: str
) -> None:
    page = signed_in("officer")
    district.agents[agent].freeze()
    try:
        row = page.locator(f"[data-site={school}]")
        expect(row).to_contain_text("1 agent silent", timeout=30_000)
        expect(row).to_contain_text(f"{SIZE.doors} unknown")
        row.click()
        expect(page.locator(".agents")).to_contain_text("SILENT, last heard")
        expect(page.locator(".chip[data-group=proven]")).to_have_count(0)
    finally:
        district.agents[agent].thaw()
    expect(page.locator(".agents")).not_to_contain_text("SILENT", timeout=30_000)
    district.wait_all_known()


@pytest.mark.slow
def test_a_dead_broker_is_said_and_everything_is_unknown_until_it_is_back(
    signed_in: SignedIn, district: RunningDistrict
) -> None:
    page = signed_in("officer")
    expect(page.locator("[data-site]").first).to_be_visible()
    district.broker.kill()
    try:
        expect(page.locator("#banner")).to_contain_text("Central has lost its message broker since")
        expect(page.locator(".tile[data-key=proven] .tile-number")).to_have_text("0")
    finally:
        district.broker.start()
    district.wait_all_known()
    expect(page.locator("#banner")).to_be_hidden(timeout=30_000)
    expect(page.locator(".tile[data-key=proven] .tile-number")).not_to_have_text("0")


@pytest.mark.slow
def test_a_door_that_only_stays_secure_is_proven_again_and_again(
    signed_in: SignedIn, school: str, locked: str
) -> None:
    """Central streams changes only: what does not change must be fetched before its evidence grows too old."""
    page = signed_in("officer")
    at(page, f"/site/{school}/door/{locked}")
    expect(page.locator(".chip.big")).to_have_text("Secure")
    page.evaluate("""() => {
        window.seen = [];
        const chip = document.querySelector('.chip.big');
        const everything = {subtree: true, childList: true, characterData: true};
        new MutationObserver(() => window.seen.push(chip.textContent)).observe(chip, everything);
        window.since = performance.now();
    }""")
    wait_for(lambda: page.evaluate("performance.now() - window.since > 16000"), "longer than evidence lasts", 30, 0.5)
    assert page.evaluate("window.seen") == []
