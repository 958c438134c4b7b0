"""In the guest: the agent on kernel GPIO, and what each line of a door makes it do. One agent for all of them."""

from tests.hardware.guest.lines import HeaderLines
from tests.hardware.guest.pi import Pi, until
from tests.hardware.guest.school import BATTERY, ENTRANCE, ENTRANCE_COVER, FIRE, GYM, MAINS, SHED


def test_every_lock_line_locks_while_nobody_has_a_right(agent: Pi, lines: HeaderLines) -> None:
    assert not lines.high(ENTRANCE.lock), "a strike without current is locked"
    assert not lines.high(SHED.lock)
    assert lines.high(GYM.lock), "a maglock holds while it has current"


def test_only_a_closed_contact_and_a_thrown_bolt_prove_a_door_secure(agent: Pi, lines: HeaderLines) -> None:
    lines.let_go(ENTRANCE.bolt)
    agent.wait_for("condition_changed", "entrance", **{"from": "secure"})
    lines.let_go(ENTRANCE.contact)
    agent.wait_for("condition_changed", "entrance", to="forced")
    lines.ground(ENTRANCE.bolt)
    assert not agent.events("condition_changed", "entrance", to="secure")
    lines.ground(ENTRANCE.contact)
    agent.wait_for("condition_changed", "entrance", to="secure")


def test_a_contact_that_opens_without_right_is_a_forced_door(agent: Pi, lines: HeaderLines) -> None:
    lines.let_go(SHED.contact)
    agent.wait_for("alarm_raised", "shed", alarm="forced")


def test_a_door_left_open_after_leaving_is_held_and_not_forced(agent: Pi, lines: HeaderLines) -> None:
    lines.ground(SHED.rex)
    agent.wait_for("request_to_exit", "shed")
    lines.let_go(SHED.contact, SHED.rex)
    agent.wait_for("alarm_raised", "shed", alarm="held")
    assert not agent.events("alarm_raised", "shed", alarm="forced")


def test_a_contact_that_bounces_is_one_opening(agent: Pi, lines: HeaderLines) -> None:
    lines.ground(SHED.rex)
    agent.wait_for("request_to_exit", "shed")
    for _ in range(20):
        lines.let_go(SHED.contact)
        lines.ground(SHED.contact)
    lines.let_go(SHED.contact, SHED.rex)
    agent.wait_for("condition_changed", "shed", to="held")
    assert [event.data["to"] for event in agent.events("condition_changed", "shed")] == ["open", "held"]


def test_a_request_to_exit_opens_a_maglock_that_a_lockdown_holds(agent: Pi, lines: HeaderLines) -> None:
    lines.ground(GYM.rex)
    until(lambda: not lines.high(GYM.lock), "the maglock's release")
    agent.wait_for("request_to_exit", "gym", releases=True)
    lines.let_go(GYM.rex)
    until(lambda: lines.high(GYM.lock), "the maglock's hold after the passage")


def test_fire_opens_the_flagged_maglock_of_a_lockdown_and_leaves_the_strike_locked(
    agent: Pi, lines: HeaderLines
) -> None:
    lines.let_go(FIRE)  # the panel's loop opens; a cut wire reads the same
    until(lambda: not lines.high(GYM.lock), "the maglock's release")
    agent.wait_for("alarm_raised", "gym", alarm="fire")
    assert not lines.high(ENTRANCE.lock)
    lines.ground(FIRE)
    until(lambda: lines.high(GYM.lock), "the maglock's hold after the fire")
    assert not agent.events("lock_commanded", "entrance", released=True)


def test_a_box_that_is_opened_proves_its_door_no_longer(agent: Pi, lines: HeaderLines) -> None:
    lines.let_go(ENTRANCE_COVER)
    agent.wait_for("alarm_raised", "entrance", alarm="tamper")
    agent.wait_for("condition_changed", "entrance", to="tampered")
    lines.ground(ENTRANCE_COVER)
    agent.wait_for("condition_changed", "entrance", to="secure")


def test_mains_that_fails_and_a_battery_that_runs_low_are_told(agent: Pi, lines: HeaderLines) -> None:
    lines.let_go(MAINS)
    agent.wait_for("alarm_raised", alarm="mains_failed")
    lines.let_go(BATTERY)
    agent.wait_for("alarm_raised", alarm="battery_low")
    lines.ground(MAINS, BATTERY)
    agent.wait_for("alarm_cleared", alarm="mains_failed")
    agent.wait_for("alarm_cleared", alarm="battery_low")
