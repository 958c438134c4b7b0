"""In the guest: a Wiegand reader's pulses on two GPIO lines, as the kernel stamps them and the agent reads them."""

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from protocol import credentials
from protocol.messages import Credential
from tests.hardware.guest import school
from tests.hardware.guest.lines import HeaderLines
from tests.hardware.guest.pi import Pi, until
from tests.hardware.guest.school import ENTRANCE
from tests.hardware.guest.wiegand_pulses import BITS, WiegandWires, as_bytes, h10301

FACILITY = 115
CARDS = {f"ch-{number:04}": h10301(FACILITY, number) for number in range(2_000, 2_100)}
"""A hundred members of staff and their badges."""

CORRUPTED = 1_000
ACCESS = ("access_granted", "access_denied")


@pytest.fixture(scope="module")
def wires(header: HeaderLines) -> WiegandWires:
    """The reader's two data lines. The same dice every time."""
    return WiegandWires(header, school.DATA0, school.DATA1, random.Random(26))


@pytest.fixture(scope="module")
def running_pi(tmp_path_factory: pytest.TempPathFactory, header: HeaderLines) -> Iterator[Pi]:
    """The suite's agent, with a Wiegand reader at the entrance and a hundred badges."""
    school.at_rest(header)
    reader = {
        "reader": "entrance-in",
        "door": "entrance",
        "data0": school.DATA0,
        "data1": school.DATA1,
        "led": school.LED,
    }
    pi = Pi(tmp_path_factory.mktemp("suite") / "pi", school.wiring(wiegand_readers=[reader]), school.SETTINGS)
    pi.configure(
        *(
            Credential(
                token=credentials.token(pi.credential_key, BITS, as_bytes(bits)), cardholder=who, groups=("staff",)
            )
            for who, bits in CARDS.items()
        )
    )
    with pi.running():
        yield pi


def test_a_wiegand_badge_opens_the_strike_line(agent: Pi, lines: HeaderLines, wires: WiegandWires) -> None:
    wires.send(CARDS["ch-2000"])
    agent.wait_for("access_granted", "entrance", cardholder="ch-2000")
    until(lambda: lines.high(ENTRANCE.lock), "current on the strike")
    until(lambda: not lines.high(school.LED), "the reader's lamp pulled to green")
    until(lambda: not lines.high(ENTRANCE.lock), "the strike locked again")


def test_a_hundred_frames_of_26_bits_are_a_hundred_badges(agent: Pi, wires: WiegandWires) -> None:
    for bits in CARDS.values():
        wires.send(bits)
    agent.wait_for("access_granted", "entrance", cardholder=list(CARDS)[-1])
    read = [event.data["cardholder"] for event in agent.events("access_granted", "entrance")]
    assert read == list(CARDS), "each once, in the order they came"
    assert not agent.events("access_denied")


def test_of_a_thousand_corrupted_frames_none_is_accepted(agent: Pi, lines: HeaderLines, wires: WiegandWires) -> None:
    dice = random.Random(1_000)
    sent = Counter[str]()
    for _ in range(CORRUPTED):
        fault, spoil = dice.choice(list(wires.faults.items()))
        wires.play(spoil(dice.choice(list(CARDS.values()))))
        sent[fault] += 1
    assert sent.total() == CORRUPTED
    assert not lines.high(ENTRANCE.lock)
    # A good badge last: what came before it has been judged when it is.
    wires.send(CARDS["ch-2099"])
    agent.wait_for("access_granted", "entrance", cardholder="ch-2099")
    taken = [event for event in agent.events(door="entrance") if event.kind in ACCESS]
    assert len(taken) == 1, f"of {dict(sent)} these were taken for cards: {taken[:-1]}"
    assert agent.events("card_read_refused", "entrance"), "that something is wrong with the cable is told"
