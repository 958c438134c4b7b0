"""The console in a real Chromium, against a central whose every state a test can set (tests.support.console_fake)."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.console_browser import CHROMIUM, CHROMIUM_ARGUMENTS, Watched, sign_in, watched_page
from tests.support.console_fake import FakeCentral, Refusal, serving

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


@pytest.fixture
def two_people(browser: Browser, central: FakeCentral) -> Iterator[tuple[Page, Page, Watched]]:
    with watched_page(browser, central.address) as (one, watched), watched_page(browser, central.address) as (two, _):
        sign_in(one, "olive")
        sign_in(two, "rita")
        yield one, two, watched


def at(page: Page, central: FakeCentral, route: str) -> None:
    page.goto(f"{central.address}/#{route}")


def tile(page: Page, key: str) -> str:
    return page.locator(f".tile[data-key={key}] .tile-number").inner_text()


# --- what is shown ------------------------------------------------------------------------------------------


def test_the_district_shows_every_school_and_the_worst_first(page: Page, central: FakeCentral) -> None:
    central.door("washington-middle", "gym", condition="forced", alarms=["forced"])
    row = page.locator("[data-site]").first
    expect(row).to_contain_text("Washington Middle")
    expect(row).to_contain_text("1 forced")
    expect(row).to_contain_text("7 proven")
    assert page.locator("[data-site]").count() == 3


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


def test_a_door_says_its_evidence_what_holds_it_and_its_day(page: Page, central: FakeCentral) -> None:
    made = central.declare("otto", {"action": "lockdown", "scope": {"kind": "site", "site": SCHOOL}, "drill": True})
    central.event(SCHOOL, "gym", "access_denied", reason="outside_schedule", cardholder=None)
    at(page, central, f"/site/{SCHOOL}/door/gym")
    expect(page.locator("h1")).to_have_text("Gym")
    facts = page.locator(".facts")
    expect(facts).to_contain_text("Secured: locked, override badges only")
    expect(facts).to_contain_text(re.compile(r"Evidence\s*\d+ s old"))
    expect(page.locator("main")).to_contain_text("DRILL: Lockdown, Lincoln High")
    expect(page.locator("main")).to_contain_text("Access denied: outside its hours")
    expect(page.locator(".strip-of-day")).to_contain_text("Secure 20 h")
    expect(page.get_by_role("button", name="Open once: refused while secured")).to_be_disabled()
    page.get_by_role("link", name="DRILL: Lockdown, Lincoln High").click()
    expect(page).to_have_url(re.compile(made["id"]))


def test_an_address_of_nothing_leads_on(page: Page, central: FakeCentral) -> None:
    at(page, central, "/nowhere")
    page.get_by_role("link", name="All schools").click()
    expect(page.locator("[data-site]").first).to_be_visible()


def test_a_school_that_does_not_exist_is_said_in_centrals_words(browser: Browser, central: FakeCentral) -> None:
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "olive")
        at(page, central, "/site/atlantis")
        expect(page.locator(".problem")).to_contain_text("There is no school 'atlantis'.")
        page.locator(".problem").get_by_role("link", name="All schools").click()
        expect(page.locator("[data-site]").first).to_be_visible()


# --- never last-known green ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_silent_stream_takes_every_proof_back_and_says_since_when(page: Page, central: FakeCentral) -> None:
    at(page, central, f"/site/{SCHOOL}")
    expect(page.locator("[data-door=gym]")).to_contain_text("Secure")
    central.mute = True
    banner = page.locator("#banner")
    expect(banner).to_be_visible(timeout=20_000)
    expect(banner).to_contain_text(re.compile(r"No word from central since \d\d:\d\d:\d\d"))
    expect(page.locator("[data-group=proven].chip")).to_have_count(0)
    assert (tile(page, "proven"), tile(page, "unknown")) == ("0", "8")
    central.mute = False
    expect(banner).to_be_hidden(timeout=20_000)
    expect(page.locator("[data-door=gym]")).to_contain_text("Secure")


@pytest.mark.slow
def test_a_stream_that_speaks_but_is_late_is_silent(page: Page, central: FakeCentral) -> None:
    expect(page.locator("[data-site]").first).to_contain_text("8 proven")
    central.late_ms = 60_000
    expect(page.locator("#banner")).to_be_visible(timeout=20_000)
    expect(page.locator("[data-site]").first).to_contain_text("0 proven")


def test_a_lost_broker_takes_every_proof_back(page: Page, central: FakeCentral) -> None:
    at(page, central, f"/site/{SCHOOL}/door/gym")
    expect(page.locator(".chip.big")).to_have_text("Secure")
    central.broker_connected = False
    expect(page.locator("#banner")).to_contain_text(re.compile(r"lost its message broker since \d\d:\d\d"))
    expect(page.locator(".chip.big")).to_have_text("Unknown")
    at(page, central, "/")
    expect(page.locator("[data-site]").first).to_contain_text("0 proven")
    expect(page.locator("[data-site]").first).to_contain_text("8 proven when last heard")


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


@pytest.mark.slow
def test_a_door_that_only_stays_secure_is_proven_again_and_again(page: Page, central: FakeCentral) -> None:
    """Central streams changes only; the console must fetch what has not changed before it grows too old."""
    at(page, central, f"/site/{SCHOOL}")
    gym = page.locator("[data-door=gym] .chip")
    expect(gym).to_have_text("Secure")
    page.evaluate("""() => {
        window.seen = new Set();
        const chip = document.querySelector('[data-door=gym] .chip');
        const everything = {subtree: true, childList: true, characterData: true};
        new MutationObserver(() => window.seen.add(chip.textContent)).observe(chip, everything);
    }""")
    until = time.monotonic() + 16  # longer than evidence lasts
    while time.monotonic() < until:
        expect(gym).to_have_text("Secure")
        assert page.evaluate("[...window.seen]") == []


# --- declaring ----------------------------------------------------------------------------------------------


def test_one_confirm_locks_the_school_one_is_looking_at_for_real(page: Page, central: FakeCentral) -> None:
    at(page, central, f"/site/{SCHOOL}")
    expect(page.locator("[data-door=gym]")).to_be_visible()
    page.get_by_role("button", name="Lockdown").click()
    page.get_by_role("button", name="Declare REAL Lockdown: Lincoln High", exact=True).click()
    expect(page.locator(".declared h1")).to_have_text("REAL Lockdown")
    expect(page.locator(".declared")).to_contain_text("by olive")
    (made,) = central.declarations.values()
    assert (made["action"], made["scope"], made["drill"]) == ("lockdown", {"kind": "site", "site": SCHOOL}, False)
    expect(page.locator(".tile[data-key=proven] .tile-number")).to_have_text("8")


def test_on_the_districts_page_a_hasty_confirm_locks_all_schools(page: Page, central: FakeCentral) -> None:
    page.get_by_role("button", name="Lockdown").click()
    page.get_by_role("button", name="Declare REAL Lockdown: All 3 schools").click()
    expect(page.locator(".declared-where")).to_have_text("All schools")
    (made,) = central.declarations.values()
    assert made["scope"] == {"kind": "district"}


def test_zone_door_drill_and_reason_can_be_chosen(page: Page, central: FakeCentral) -> None:
    page.get_by_role("button", name="Lockdown").click()
    page.get_by_role("dialog").get_by_label("School", exact=True).select_option("oak-elementary")
    page.get_by_label("Which part").select_option("door:gym")
    page.get_by_label("DRILL").check()
    page.get_by_label("Reason").fill("Monthly")
    page.get_by_role("button", name="Start DRILL Lockdown: Gym, Oak Elementary").click()
    expect(page.locator(".declared h1")).to_have_text("DRILL: Lockdown")
    (made,) = central.declarations.values()
    assert made["scope"] == {"kind": "door", "site": "oak-elementary", "door": "gym"}
    assert (made["drill"], made["reason"]) == (True, "Monthly")


def test_the_keyboard_alone_declares_and_a_held_enter_does_not(page: Page, central: FakeCentral) -> None:
    page.get_by_role("button", name="Lockdown").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert not central.declarations
    page.get_by_role("button", name="Declare REAL").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".declared h1")).to_have_text("REAL Lockdown")


def test_a_drill_is_never_drawn_like_a_real_one(page: Page, central: FakeCentral) -> None:
    colours = []
    for drill in (True, False):
        made = central.declare("otto", {"action": "lockdown", "scope": {"kind": "district"}, "drill": drill})
        line = page.locator(f'.strip-line[data-drill="{str(drill).lower()}"]')
        expect(line).to_contain_text("DRILL" if drill else "REAL")
        card = page.locator(f'.card[href="#/declaration/{made["id"]}"]')
        expect(card).to_contain_text("DRILL" if drill else "REAL")
        colours.append([one.evaluate("(node) => getComputedStyle(node).backgroundColor") for one in (line, card)])
    assert colours[0][0] != colours[1][0]
    assert colours[0][1] != colours[1][1]


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


def test_two_different_people_end_a_real_lockdown(
    two_people: tuple[Page, Page, Watched], central: FakeCentral
) -> None:
    olive, rita, watched = two_people
    made = central.declare("otto", {"action": "lockdown", "scope": {"kind": "site", "site": SCHOOL}, "drill": False})
    for page in (olive, rita):
        at(page, central, f"/declaration/{made['id']}")
    olive.get_by_role("button", name="Ask for release").click()
    expect(olive.locator(".release")).to_contain_text("You asked for release. Somebody else must end it.")
    expect(olive.get_by_role("button", name="End")).to_have_count(0)
    expect(rita.locator(".release")).to_contain_text("olive asked for release. You are the second person.")
    rita.get_by_role("button", name="Withdraw the request").click()
    expect(olive.get_by_role("button", name="Ask for release")).to_be_visible()
    olive.get_by_role("button", name="Ask for release").click()
    rita.get_by_role("button", name="End REAL Lockdown").click()
    rita.get_by_role("dialog").get_by_role("button", name="End REAL Lockdown").click()
    for page in (olive, rita):
        expect(page.locator(".declared")).to_contain_text("ENDED")
        expect(page.locator(".declared")).to_contain_text("by rita")
    assert watched.errors == []


def test_a_drill_is_ended_by_one_and_only_after_being_asked(page: Page, central: FakeCentral) -> None:
    made = central.declare("otto", {"action": "lockdown", "scope": {"kind": "site", "site": SCHOOL}, "drill": True})
    at(page, central, f"/declaration/{made['id']}")
    page.get_by_role("button", name="End the drill").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it active").click()
    assert central.declarations[made["id"]]["state"] == "active"
    page.get_by_role("button", name="End the drill").click()
    page.get_by_role("dialog").get_by_role("button", name="End DRILL: Lockdown").click()
    expect(page.locator(".declared")).to_contain_text("ENDED")


# --- people -------------------------------------------------------------------------------------------------


def test_a_session_that_ends_leads_back_to_where_one_was(browser: Browser, central: FakeCentral) -> None:
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "olive")
        at(page, central, f"/site/{SCHOOL}/door/gym")
        expect(page.locator("h1")).to_have_text("Gym")
        central.sign_everybody_out()
        expect(page.locator("#username")).to_be_visible(timeout=15_000)
        sign_in(page, "olive", landing="h1")
        expect(page).to_have_url(re.compile(f"#/site/{SCHOOL}/door/gym$"))
        expect(page.locator("h1")).to_have_text("Gym")


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


def test_a_wrong_password_is_said_and_asked_again(browser: Browser, central: FakeCentral) -> None:
    with watched_page(browser, central.address) as (page, _):
        page.get_by_label("Name").fill("olive")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong.")
        expect(page.get_by_label("Password")).to_be_focused()


def test_a_command_tells_what_became_of_it(page: Page, central: FakeCentral) -> None:
    at(page, central, f"/site/{SCHOOL}/door/gym")
    page.get_by_role("button", name="Test the lock").click()
    expect(page.locator(".outcome")).to_contain_text("Test lock: done")
    assert [one["kind"] for one in central.commands] == ["test_lock"]


@pytest.mark.slow
def test_a_command_nobody_answers_is_said_to_have_expired(page: Page, central: FakeCentral) -> None:
    central.answer_commands = False
    at(page, central, f"/site/{SCHOOL}/door/gym")
    page.get_by_role("button", name="Open once").click()
    expect(page.locator(".outcome")).to_contain_text("It has expired", timeout=20_000)


def test_roles_are_told_what_they_may_not_do(browser: Browser, central: FakeCentral) -> None:
    made = central.declare("otto", {"action": "lockdown", "scope": {"kind": "site", "site": SCHOOL}, "drill": False})
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "rita")
        at(page, central, f"/site/{SCHOOL}/door/gym")
        expect(page.locator("main")).to_contain_text("Your role is responder.")
        expect(page.get_by_role("button", name="Test the lock")).to_have_count(0)
    with watched_page(browser, central.address) as (page, _):
        sign_in(page, "felix")
        at(page, central, f"/declaration/{made['id']}")
        expect(page.locator(".release")).to_contain_text("Releasing needs officer, responder or administrator.")


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


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(page: Page, central: FakeCentral, width: int) -> None:
    made = central.declare("otto", {"action": "lockdown", "scope": {"kind": "site", "site": SCHOOL}, "drill": False})
    page.set_viewport_size({"width": width, "height": 844})
    district, school = "[data-site]", "[data-door]"
    pages = {"/": district, f"/site/{SCHOOL}": school, f"/site/{SCHOOL}/door/gym": ".history", "/events": ".filters"}
    for route, landmark in {**pages, "/declarations": ".card", f"/declaration/{made['id']}": school}.items():
        at(page, central, route)
        expect(page.locator(f"main {landmark}").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, route
        button = page.get_by_role("button", name="Lockdown").bounding_box()
        assert button is not None
        assert button["x"] + button["width"] <= width, route


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
