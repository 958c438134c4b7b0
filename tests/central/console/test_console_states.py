"""The console in a real Chromium, in states a real district reaches only by bad luck, or only by its thousands.

A central whose every word a test can set (tests.support.console_fake) answers. Everything else is in test_console.py.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from central.people.roles import Right, roles_with
from tests.support.console_browser import CHROMIUM, CHROMIUM_ARGUMENTS, sign_in, watched_page
from tests.support.console_fake import FakeCentral, Refusal, now_ms, serving

SCHOOL = "lincoln-high"
expect.set_options(timeout=10_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def central() -> Iterator[FakeCentral]:
    with serving(FakeCentral(schools=3, doors=8)) as fake:
        yield fake


@pytest.fixture
def page(browser: Browser, central: FakeCentral) -> Iterator[Page]:
    """Signed in as an officer, at the district. The page may not have logged an error by the end."""
    with watched_page(browser, central.address) as (page, watched):
        sign_in(page, "olive")
        yield page
        assert watched.errors == []


def at(page: Page, central: FakeCentral, route: str) -> None:
    page.goto(f"{central.address}/#{route}")


def tile(page: Page, key: str) -> str:
    return page.locator(f".tile[data-key={key}] .tile-number").inner_text()


# --- what is shown ------------------------------------------------------------------------------------------


def test_a_door_that_changes_is_redrawn_without_its_neighbours_being_touched(
    page: Page, central: FakeCentral
) -> None:
    at(page, central, f"/site/{SCHOOL}")
    library = page.locator("[data-door=library]")
    expect(library).to_contain_text("Secure")
    page.evaluate("""() => {
        window.touched = 0;
        const office = document.querySelector('[data-door=office] .chip');
        const everything = {subtree: true, childList: true, attributes: true};
        new MutationObserver(() => window.touched++).observe(office, everything);
    }""")
    central.door(SCHOOL, "library", condition="jammed", alarms=["jammed"])
    expect(page.locator(".zone[data-wrong] [data-door=library]")).to_contain_text("Jammed")
    expect(page.locator(".zone[data-wrong] [data-door=library]")).to_contain_text("Alarm: Jammed")
    assert page.evaluate("window.touched") == 0


def test_a_duress_stands_first_and_large_though_a_door_of_the_school_is_held_open(
    page: Page, central: FakeCentral
) -> None:
    expect(page.locator("[data-site]").first).to_have_attribute("data-site", SCHOOL)
    central.door("oak-elementary", "library", condition="held", alarms=["held"])
    central.door(SCHOOL, "library", condition="forced", alarms=["forced"])
    expect(page.locator("[data-site=oak-elementary]")).to_contain_text("1 held open, 1 alarm")
    central.door("oak-elementary", "gym", alarms=["duress"])
    first = page.locator("[data-site]").first
    expect(first).to_have_attribute("data-site", "oak-elementary")
    expect(first.locator(".flags")).to_have_text("DURESS at 1 door, 1 held open, 2 alarms")
    at(page, central, "/site/oak-elementary")
    looked_at = page.locator(".zone[data-wrong] [data-door]")
    expect(looked_at).to_have_count(2)
    expect(looked_at.first).to_have_attribute("data-door", "gym")
    sign = looked_at.first.get_by_text("DURESS", exact=True)
    expect(sign).to_be_visible()
    assert sign.evaluate("it => parseFloat(getComputedStyle(it).fontSize)") >= 24, "not a small line under the chip"
    expect(looked_at.last.get_by_text("DURESS", exact=True)).to_be_hidden()


def test_an_agent_with_an_alarm_or_silent_is_among_what_to_look_at_first(page: Page, central: FakeCentral) -> None:
    for door in central.sites[SCHOOL]["doors"]:  # nothing is secure: no door's evidence makes the page ask again
        central.door(SCHOOL, door, condition="open", mode="unlocked")
    at(page, central, f"/site/{SCHOOL}")
    expect(page.locator("[data-door=gym]")).to_contain_text("Open")
    expect(page.locator(".zone[data-wrong]")).to_have_count(0)
    first = page.locator(".zone[data-wrong]")
    central.agent(SCHOOL, "west", alarms=["mains_failed"])
    expect(first).to_contain_text("Look at these first: 1 agent")
    expect(first.locator("[data-agent=west]")).to_contain_text("Alarm: Mains failed")
    central.agent(SCHOOL, "west", alarms=["storage_failed"])
    expect(first.locator("[data-agent=west]")).to_contain_text("Alarm: Agent's card cannot be written")
    central.agent(SCHOOL, "east", alive=False)
    central.door(SCHOOL, "library", alarms=["duress"])
    central.door(
        SCHOOL, "office", condition="secure", alarms=["reader_power", "maintenance"], maintenance=["reader_offline"]
    )
    expect(first).to_contain_text("Look at these first: 2 agents, 2 doors")
    rows = first.locator(".row")
    expect(rows.nth(0)).to_contain_text("DURESS")
    expect(rows.nth(1)).to_contain_text("Agent eastSILENT, last heard")
    expect(rows.nth(2)).to_contain_text("Agent west")
    expect(rows.nth(3)).to_contain_text("Alarm: Reader's supply failing")
    expect(rows.nth(3)).to_contain_text("Alarm: Maintenance: Reader offline, again and again")
    central.agent(SCHOOL, "west", alarms=[])
    central.agent(SCHOOL, "east", alive=True)
    expect(first).to_contain_text("Look at these first: 2 doors")


# --- never last-known green ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_stream_that_speaks_but_is_late_is_silent(page: Page, central: FakeCentral) -> None:
    expect(page.locator("[data-site]").first).to_contain_text("8 proven")
    central.late_ms = 60_000
    expect(page.locator("#banner")).to_be_visible(timeout=20_000)
    opened = central.streams
    while central.streams < opened + 2:  # it tries again, and a late greeting is no news either
        expect(page.locator("#banner")).to_be_visible()
        expect(page.locator("[data-site]").first).to_contain_text("0 proven")
        page.wait_for_timeout(20)
    central.late_ms = 0
    expect(page.locator("#banner")).to_be_hidden()


@pytest.mark.slow
def test_after_a_reconnect_nothing_is_proven_until_all_was_fetched_anew(
    browser: Browser, central: FakeCentral
) -> None:
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "olive")
        school = page.locator(f"[data-site={SCHOOL}]")
        expect(school).to_contain_text("8 proven")
        page.route("**/api/overview", lambda route: route.abort())
        opens_unheard(central)
        expect(page.locator(".link-word")).to_have_attribute("data-state", "connecting")
        expect(school).to_contain_text("0 proven")
        page.unroute("**/api/overview")
        expect(school).to_contain_text("7 proven")  # it has asked again by itself
        expect(page.locator(".link-word")).to_have_text("Live")
        expect(page.get_by_role("button", name="Try again")).to_have_count(0)


def test_a_stream_that_lost_something_proves_nothing_until_all_was_fetched_anew(
    browser: Browser, central: FakeCentral
) -> None:
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "olive")
        expect(page.locator(f"[data-site={SCHOOL}]")).to_contain_text("8 proven")
        page.route("**/api/overview", lambda route: route.abort())
        central.tell("resync", {})
        expect(page.locator(".link-word")).to_have_attribute("data-state", "connecting")
        expect(page.locator(f"[data-site={SCHOOL}]")).to_contain_text("0 proven")


@pytest.mark.slow
def test_a_large_declarations_rows_are_not_proven_across_a_reconnect(browser: Browser) -> None:
    fake = FakeCentral(schools=13, doors=50)
    with serving(fake), watched_page(browser, fake.address) as (page, _):
        sign_in(page, "olive")
        made = fake.declare("otto", {"action": "lockdown", "scope": {"kind": "district"}, "drill": True})
        at(page, fake, f"/declaration/{made['id']}")
        proven = page.locator(".tile[data-key=proven] .tile-number")
        expect(proven).to_have_text("650")
        page.route(f"**/api/declarations/{made['id']}", lambda route: route.abort())
        opens_unheard(fake)
        expect(proven).to_have_text("?")
        expect(page.locator("[data-section=proven]")).to_be_hidden()
        page.unroute(f"**/api/declarations/{made['id']}")
        expect(proven).to_have_text("649")


def opens_unheard(central: FakeCentral) -> None:
    """The stream breaks, and a door is opened before the page has another."""
    central.sites[SCHOOL]["doors"]["gym"].update(condition="open", proven=False)
    central.tell("_close", None)


def test_trouble_stays_on_show_as_last_known_when_the_stream_is_lost(page: Page, central: FakeCentral) -> None:
    central.door(SCHOOL, "gym", condition="forced", alarms=["forced"])
    at(page, central, f"/site/{SCHOOL}")
    expect(page.locator("[data-door=gym]")).to_contain_text("Forced")
    central.broker_connected = False
    expect(page.locator("[data-door=gym]")).to_contain_text("Last known: Forced")


def test_secure_without_central_calling_it_proven_is_unknown(page: Page, central: FakeCentral) -> None:
    central.door(SCHOOL, "gym", condition="secure", proven=False)
    at(page, central, f"/site/{SCHOOL}/door/gym")
    expect(page.locator(".chip.big")).to_have_text("Unknown")
    expect(page.locator(".sentence").first).to_contain_text("without proof")


@pytest.mark.slow
def test_evidence_that_is_not_renewed_proves_nothing_after_twelve_seconds(page: Page, central: FakeCentral) -> None:
    at(page, central, f"/site/{SCHOOL}")
    gym = page.locator("[data-door=gym]")
    expect(gym).to_contain_text("Secure")
    central.frozen_evidence = True
    expect(gym).to_contain_text("Unknown", timeout=20_000)
    expect(gym).to_contain_text("its evidence is too old")
    expect(page.locator("#banner")).to_be_hidden()
    central.frozen_evidence = False
    expect(gym).to_contain_text("Secure")


@pytest.mark.parametrize(("lasts_ms", "shown"), [(600_000, "Secure"), (60_000, "Unknown")])
def test_evidence_lasts_as_long_as_central_says(
    browser: Browser, central: FakeCentral, lasts_ms: int, shown: str
) -> None:
    central.frozen_evidence = True
    central.limits["evidence_lasts_ms"] = lasts_ms
    for door in central.sites[SCHOOL]["doors"].values():
        door["evidence_at_ms"] = now_ms() - 120_000
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "olive")
        at(page, central, f"/site/{SCHOOL}/door/gym")
        expect(page.locator(".facts")).to_contain_text("2 min old")
        expect(page.locator(".link-word")).to_have_text("Live")
        expect(page.locator(".chip.big")).to_have_text(shown)


def test_a_central_that_does_not_say_how_long_evidence_lasts_proves_nothing(
    browser: Browser, central: FakeCentral
) -> None:
    del central.limits["evidence_lasts_ms"]
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "olive")
        expect(page.locator("#banner")).to_contain_text("No word from central")
        expect(page.locator(f"[data-site={SCHOOL}]")).to_contain_text("0 proven")


# --- declaring ----------------------------------------------------------------------------------------------


def test_a_refused_declaration_says_why_and_can_be_confirmed_again(browser: Browser, central: FakeCentral) -> None:
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "olive")
        central.refuse_next = Refusal(503, "The records cannot be written: the disk is full.")
        page.get_by_role("button", name="Lockdown").click()
        page.get_by_role("button", name="Declare REAL").click()
        error = page.get_by_role("dialog").get_by_role("alert")
        expect(error).to_contain_text("Not confirmed. The records cannot be written: the disk is full.")
        expect(error).to_contain_text("panic button")
        page.get_by_role("button", name="Declare REAL").click()
        expect(page.locator(".declared h1")).to_have_text("REAL Lockdown")


# --- the declaration's page ---------------------------------------------------------------------------------


def test_a_declaration_counts_live_and_names_what_cannot_be_secured(page: Page, central: FakeCentral) -> None:
    central.door(SCHOOL, "gym", condition="open")
    made = central.declare("otto", {"action": "lockdown", "scope": {"kind": "site", "site": SCHOOL}, "drill": False})
    at(page, central, f"/declaration/{made['id']}")
    expect(page.locator("[data-section=pending]")).to_contain_text("Gym")
    expect(page.locator("[data-section=pending]")).to_contain_text("it stands open")
    central.door(SCHOOL, "gym", condition="jammed")
    expect(page.locator("[data-section=failed]")).to_contain_text("its bolt did not throw")
    assert (tile(page, "proven"), tile(page, "failed")) == ("7", "1")
    central.door(SCHOOL, "gym", condition="secure")
    expect(page.locator("[data-section=proven] [data-door$='/gym']")).to_contain_text(
        re.compile(r"proven after \d\.\d\d s")
    )
    expect(page.locator("main")).to_contain_text("All 8 doors are proven; the slowest took")


def test_a_lost_broker_takes_a_declarations_proofs_back(page: Page, central: FakeCentral) -> None:
    made = central.declare("otto", {"action": "lockdown", "scope": {"kind": "site", "site": SCHOOL}, "drill": False})
    at(page, central, f"/declaration/{made['id']}")
    expect(page.locator(".tile[data-key=proven] .tile-number")).to_have_text("8")
    central.broker_connected = False
    expect(page.locator(".tile[data-key=proven] .tile-number")).to_have_text("?")
    expect(page.locator("[data-section=unknown]")).to_contain_text("Not known now: 8")
    expect(page.locator("[data-section=proven]")).to_be_hidden()


# --- people -------------------------------------------------------------------------------------------------


def test_a_declaration_interrupted_by_the_sessions_end_can_be_confirmed_after_it(
    browser: Browser, central: FakeCentral
) -> None:
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "olive")
        page.get_by_role("button", name="Lockdown").click()
        page.get_by_label("DRILL").check()
        central.sessions.clear()
        page.get_by_role("button", name="Start DRILL").click()
        expect(page.locator("#username")).to_be_visible()
        sign_in(page, "olive", landing="dialog[open]")
        expect(page.get_by_role("dialog")).to_contain_text("Nothing has been declared yet")
        page.get_by_role("button", name="Start DRILL").click()
        expect(page.locator(".declared h1")).to_have_text("DRILL: Lockdown")


def test_who_was_made_to_open_a_door_and_when_stays_on_its_page_while_the_duress_lasts(
    page: Page, central: FakeCentral
) -> None:
    central.event(SCHOOL, "gym", "duress", cardholder="ch-0007", opened=True)
    for number in range(60):
        central.event(SCHOOL, "gym", "access_granted", cardholder=f"ch-1{number:03}")
    central.door(SCHOOL, "gym", alarms=["duress"])
    at(page, central, f"/site/{SCHOOL}/door/gym")
    part = page.get_by_role("region", name="Duress")
    told = "DURESS of ch-0007: somebody was made to open this door, at "
    expect(part).to_contain_text(re.compile(re.escape(told) + r"\d\d:\d\d:\d\d"))
    expect(part.get_by_text("DURESS", exact=True)).to_be_visible()
    central.event(SCHOOL, "gym", "duress", cardholder="ch-0008", opened=False)
    expect(part).to_contain_text("DURESS of ch-0008")
    central.door(SCHOOL, "gym", alarms=[])
    expect(part).to_be_hidden()


def test_a_duress_whose_event_comes_late_is_told_when_it_is_there(page: Page, central: FakeCentral) -> None:
    at(page, central, f"/site/{SCHOOL}/door/gym")
    part = page.get_by_role("region", name="Duress")
    central.door(SCHOOL, "gym", alarms=["duress"])
    expect(part).to_contain_text("is being fetched")
    central.event("oak-elementary", "gym", "duress", cardholder="ch-0001")
    with central.untold():
        central.event(SCHOOL, "gym", "duress", cardholder="ch-0007")
    expect(part).to_contain_text("DURESS of ch-0007")


def test_a_duress_is_over_only_after_a_question_and_then_it_says_who_said_so(
    page: Page, central: FakeCentral
) -> None:
    at(page, central, f"/site/{SCHOOL}/door/gym")
    clear = page.get_by_role("button", name="Duress looked after")
    expect(page.get_by_role("button", name="Open once")).to_be_visible()
    expect(clear).to_be_hidden()
    central.event(SCHOOL, "gym", "duress", cardholder="ch-0007", opened=True)
    central.door(SCHOOL, "gym", alarms=["duress"])
    expect(page.get_by_role("region", name="Duress")).to_contain_text("DURESS of ch-0007")
    clear.click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("Gym: has somebody looked after the duress?")
    expect(question).to_contain_text("DURESS of ch-0007")
    question.get_by_role("button", name="No, keep the alarm").click()
    expect(question).to_be_hidden()
    assert central.commands == []
    clear.click()
    question.get_by_role("button", name="Yes, end the alarm").click()
    expect(page.locator(".outcome")).to_contain_text("Duress looked after: sent")
    assert central.commands == ["clear_duress"]
    central.event(SCHOOL, "gym", "command_done", id="clear_duress", kind="clear_duress", by="olive", cleared=True)
    expect(page.locator(".outcome")).to_contain_text("Duress looked after: done")
    expect(page.locator(".event-what").first).to_have_text("Duress looked after by olive")


@pytest.mark.slow
def test_a_command_nobody_answers_is_said_to_have_expired(page: Page, central: FakeCentral) -> None:
    at(page, central, f"/site/{SCHOOL}/door/gym")
    page.get_by_role("button", name="Open once").click()
    expect(page.locator(".outcome")).to_contain_text("It has expired", timeout=20_000)


def test_the_buttons_go_by_centrals_own_table_of_rights(page: Page) -> None:
    tables = page.evaluate("""async () => {
        const {rolesWith} = await import("/js/rules/rights.js");
        return [rolesWith("release"), rolesWith("command")];
    }""")
    assert tables == [roles_with(Right.RELEASE), roles_with(Right.COMMAND)]


def test_events_can_be_narrowed_and_paged(page: Page, central: FakeCentral) -> None:
    for number in range(130):
        central.event(SCHOOL, "gym", "access_granted", cardholder=f"ch-{number:04}")
    central.event("oak-elementary", "office", "alarm_raised", alarm="held")
    at(page, central, "/events")
    rows = page.locator("[data-event]")
    expect(rows.first).to_contain_text("Alarm: Held open")
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Older").click()
    expect(rows).to_have_count(131)
    page.locator("main").get_by_label("School", exact=True).select_option("oak-elementary")
    expect(rows).to_have_count(1)


# --- size and shape -----------------------------------------------------------------------------------------


def test_a_district_of_thousands_under_lockdown_stays_usable(browser: Browser) -> None:
    fake = FakeCentral(schools=64, doors=50)
    with serving(fake), watched_page(browser, fake.address) as (page, watched):
        sign_in(page, "olive")
        made = fake.declare("otto", {"action": "lockdown", "scope": {"kind": "district"}, "drill": True})
        at(page, fake, f"/declaration/{made['id']}")
        expect(page.locator(".tile[data-key=proven] .tile-number")).to_have_text("3,200", timeout=30_000)
        assert page.locator(".closure-row").count() <= 150
        fake.door("lincoln-high", "gym", condition="jammed")
        expect(page.locator("[data-section=failed]")).to_contain_text("Gym, Lincoln High", timeout=30_000)
        page.get_by_label("Find a door").fill("oak")
        expect(page.locator("[data-section=proven] h2")).to_have_text("Proven: 50")
        assert watched.errors == []


def test_words_that_look_like_markup_stay_words(page: Page, central: FakeCentral) -> None:
    central.sites[SCHOOL]["doors"]["gym"]["name"] = "<img src=x onerror=alert(1)>"
    at(page, central, f"/site/{SCHOOL}")
    expect(page.locator("[data-door=gym] .door-name")).to_have_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0
