"""Board and HAT profiles: complete, at one with gpiozero's own data, and citing where their facts come from."""

import pytest
from gpiozero.pins.mock import MockFactory

from edge_agent.agent_yaml import boards
from edge_agent.agent_yaml.boards import Level

REVISIONS = {"pi-3b-plus": "a020d3", "pi-4": "c03111", "pi-5": "c04170", "pi-zero-2w": "902120"}
"""The revision codes by which gpiozero knows the same boards."""

SPI_PINS = {7, 8, 9, 10, 11}


@pytest.fixture(params=REVISIONS)
def board(request: pytest.FixtureRequest) -> boards.Board:
    return boards.board(request.param)


def test_every_board_that_is_asked_for_has_a_profile() -> None:
    assert boards.board_names() == sorted(REVISIONS)
    with pytest.raises(KeyError):
        boards.board("pi-99")


def test_the_pins_of_a_board_are_those_of_its_header(board: boards.Board) -> None:
    header = MockFactory(revision=REVISIONS[board.board]).board_info.headers["J8"]
    on_header = {int(pin.name[4:]): pin for pin in header.pins.values() if pin.name.startswith("GPIO")}
    assert {pin for pin in range(100) if board.has(pin)} == set(on_header)
    for serial in board.serial:
        assert all("uart" in on_header[pin].interfaces for pin in serial.pins), serial.name
    assert all("spi" in on_header[pin].interfaces for pin in board.spi.pins)


def test_every_pin_of_a_board_is_pulled_one_way_at_boot(board: boards.Board) -> None:
    pulls = {pin: board.pull(pin) for pin in range(28)}
    assert {pin for pin, pull in pulls.items() if pull is Level.UP} == set(range(9))
    assert {pin for pin, pull in pulls.items() if pull is Level.DOWN} == set(range(9, 28))


def test_no_uart_of_a_board_is_on_reserved_pins_or_two_on_the_same(board: boards.Board) -> None:
    reserved = {pin for claim in board.reserved for pin in claim.pins}
    uarts = [pin for serial in board.serial for pin in serial.pins]
    assert reserved.isdisjoint(uarts)
    assert len(set(uarts)) == len(uarts)
    assert set(board.spi.pins) == SPI_PINS


def test_a_board_says_where_its_facts_come_from_and_which_watchdog_it_has(board: boards.Board) -> None:
    assert all(source.startswith("https://") for source in board.sources)
    assert board.sources
    assert board.watchdog.longest_s == 15
    assert "dtparam=watchdog=on" in board.config


@pytest.mark.parametrize("name", boards.hat_names())
def test_a_hat_takes_pins_of_the_header_and_says_where_that_is_written(name: str) -> None:
    hat = boards.hat(name)
    assert hat.hat == name
    pins = [pin for claim in hat.uses for pin in claim.pins] + list(hat.relays.pins if hat.relays else ())
    assert pins
    assert len(set(pins)) == len(pins)
    assert all(0 <= pin <= 27 for pin in pins)
    assert all(source.startswith("https://") for source in hat.sources)
    assert hat.sources
